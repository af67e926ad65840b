"""The part of an HDF5 file that holds texts, looked at before the library reads it.

Texts of variable length lie in collections (``GCOL``, "global heap" in the format's specification, III.E), the one
structure that carries no checksum. The library walks along the objects of a collection by their sizes; one damaged
size keeps it there for ever. So the walk is made here first, for the collections at both ends of a file, where those
that merprep writes are: attributes at the beginning, the table of clips at the end.
"""

from __future__ import annotations

import os
import struct
from functools import lru_cache
from pathlib import Path

from merprep.errors import StoreError

_SIGNATURE = b"GCOL\x01\x00\x00\x00"
_OBJECT = 16  # bytes of an object's own header
_START, _END = 1 << 20, 1 << 27  # bytes that are looked at


def check_heaps(path: Path) -> None:
    """Refuse a file with a damaged collection of texts; a file is looked at once, until it changes.

    Raises
    ------
    StoreError
        Where there is one.
    OSError
        Where the file cannot be read.
    """
    about = path.stat()
    place = _damaged(os.fspath(path), about.st_size, about.st_mtime_ns, about.st_ino)
    if place >= 0:
        raise StoreError(
            "The file is damaged where its texts are",
            where=f"{path}, byte {place}",
            mend="restore it from a copy, or remove it and make it again",
        )


@lru_cache(maxsize=256)
def _damaged(path: str, size: int, *_: int) -> int:
    """Return where the first damaged collection begins, or -1."""
    with Path(path).open("rb") as stream:
        start = stream.read(_START + _END if size <= _START + _END else _START)
        found = _first_damaged(start)
        if found >= 0 or len(start) >= size:
            return found
        stream.seek(size - _END)
        found = _first_damaged(stream.read(_END))
        return found if found < 0 else size - _END + found


def _first_damaged(data: bytes) -> int:
    place = data.find(_SIGNATURE)
    while place >= 0:
        if not _is_sound(data, place):
            return place
        place = data.find(_SIGNATURE, place + 8)
    return -1


def _is_sound(data: bytes, place: int) -> bool:
    """Whether a walk along the objects of a collection comes to its end; what the data cuts off is taken as sound."""
    if place + 16 > len(data):
        return True
    (size,) = struct.unpack_from("<Q", data, place + 8)
    at, stop = place + 16, place + size
    if size < _OBJECT:
        return False
    while at + _OBJECT <= stop and at + _OBJECT <= len(data):
        index, _, _, length = struct.unpack_from("<HHIQ", data, at)
        # The free space that object 0 is counts its own header; others are padded to eight bytes.
        step = length if index == 0 else _OBJECT + -(-length // 8) * 8
        if step < _OBJECT or at + step > stop:
            return False
        at += step
    return True
