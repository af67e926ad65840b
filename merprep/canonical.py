"""One canonical text for a JSON value, and short hashes of it; the standard library alone, so that it loads at once."""

from __future__ import annotations

import hashlib
import json
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
