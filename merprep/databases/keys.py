"""Names compared as people mean them: without case, with runs of digits as numbers."""

from __future__ import annotations

import re
from functools import lru_cache

Key = tuple[str | int, ...]


def name_key(text: str) -> Key:
    """Return the key under which two spellings of a name are the same.

    Examples
    --------
    >>> name_key("S01_ne_01") == name_key("s1_ne_1"), name_key("EP01_2") == name_key("EP01_21")
    (True, False)
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", text.strip().casefold())
    return tuple(_number(part) if part[0] in "0123456789" else part for part in parts)


@lru_cache(1024)  # few subjects, asked for again and again
def subject_key(text: str) -> Key:
    """Return the key of a subject: its number, or the name where it has none.

    Examples
    --------
    >>> subject_key("sub01") == subject_key("1"), subject_key("spNO.12")
    (True, (12,))
    """
    digits = re.findall(r"[0-9]+", text)
    return (_number(digits[-1]),) if digits else (text.strip().casefold(),)


def _number(digits: str) -> int | str:
    # Python refuses to read absurdly long integers; such a name is still comparable as text.
    return int(digits) if len(digits) <= 18 else digits.lstrip("0")
