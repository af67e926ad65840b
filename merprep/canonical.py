"""One canonical text for a JSON value, and short hashes of it; the standard library alone, so that it loads at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def canonical_json(value: Any) -> str:
    """Write a JSON value in one canonical form (sorted keys, no blanks, no NaN)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def short_hash(text: str, digits: int = 8) -> str:
    """Return the first `digits` hexadecimal digits of the SHA-256 of a text.

    Examples
    --------
    >>> short_hash("merprep")
    '8ab82e6e'
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:digits]


def short_hash_of_lines(lines: Iterable[str], digits: int = 8) -> str:
    r"""Return `short_hash` of lines put together, without holding them.

    Examples
    --------
    >>> short_hash_of_lines(["mer", "prep"]) == short_hash("mer\nprep")
    True
    """
    hashed = hashlib.sha256()
    for place, line in enumerate(lines):
        hashed.update((f"\n{line}" if place else line).encode())
    return hashed.hexdigest()[:digits]
