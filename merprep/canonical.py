"""One canonical text for a JSON value, and short hashes of it; the standard library alone, so that it loads at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
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


def short_hash_of(pieces: Iterable[str], digits: int = 8) -> str:
    """Return `short_hash` of pieces put together, without holding them.

    Examples
    --------
    >>> short_hash_of(["mer", "prep"]) == short_hash("merprep")
    True
    """
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece.encode())
    return hashed.hexdigest()[:digits]


def joined(texts: Iterable[str], separator: str) -> Iterator[str]:
    """Yield the pieces of `separator.join(texts)`.

    Examples
    --------
    >>> list(joined(["a", "b"], ", "))
    ['a', ', b']
    """
    for place, text in enumerate(texts):
        yield separator + text if place else text
