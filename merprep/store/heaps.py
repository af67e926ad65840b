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
from io import RawIOBase
from pathlib import Path

from merprep.errors import StoreError

_SIGNATURE = b"GCOL\x01\x00\x00\x00"
_OBJECT = 16  # bytes of an object's own header, and of a collection's
_PAGE = 4096  # bytes of a collection, unless it holds a long text
_START, _END = 1 << 20, 1 << 27  # bytes that are looked at
_BLOCK = 1 << 18  # of which as many are in memory at a time


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
    with Path(path).open("rb", buffering=0) as stream:
        if size <= _START + _END:
            return _first_damaged(_Part(stream, 0, size))
        found = _first_damaged(_Part(stream, 0, _START))
        return found if found >= 0 else _first_damaged(_Part(stream, size - _END, size))


class _Part:
    """A part of a file, of which one block at a time is in memory."""

    def __init__(self, stream: RawIOBase, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        self._stream = stream
        self._block = b""
        self._at = start

    def find(self, place: int) -> int:
        """Return where the next collection begins, at a place or behind it; -1 where none does."""
        while place < self.stop:
            self._bring(place, len(_SIGNATURE))
            if not self._block:  # the file has become shorter meanwhile
                return -1
            found = self._block.find(_SIGNATURE, place - self._at)
            if found >= 0:
                return self._at + found
            # The last bytes may be the beginning of one.
            place = max(place + 1, self._at + len(self._block) - len(_SIGNATURE) + 1)
        return -1

    def get(self, place: int, count: int) -> bytes:
        """Return some bytes, less where the part ends."""
        if place >= self.stop:
            return b""
        self._bring(place, count)
        return self._block[place - self._at : place - self._at + count]

    def _bring(self, place: int, count: int) -> None:
        """Have some bytes in the block, as far as the part has them."""
        count = min(count, self.stop - place)
        if self._at <= place and place + count <= self._at + len(self._block):
            return
        self._stream.seek(place)
        self._block, self._at = self._stream.read(min(_BLOCK, self.stop - place)) or b"", place


def _first_damaged(part: _Part) -> int:
    place = part.find(part.start)
    while place >= 0:
        if not _is_sound(part, place):
            return place
        place = part.find(place + 8)
    return -1


def _is_sound(part: _Part, place: int) -> bool:
    """Whether a walk along the objects of a collection comes to its end; what the part cuts off is taken as sound."""
    data, begin = part.get(place, _PAGE), place
    if len(data) < _OBJECT:
        return True
    (size,) = struct.unpack_from("<Q", data, 8)
    at, stop = place + _OBJECT, place + size
    if size < _OBJECT:
        return False
    while at + _OBJECT <= stop:
        if at + _OBJECT > begin + len(data):
            data, begin = part.get(at, _PAGE), at
            if len(data) < _OBJECT:
                return True
        index, _, _, length = struct.unpack_from("<HHIQ", data, at - begin)
        # The free space that object 0 is counts its own header; others are padded to eight bytes.
        step = length if index == 0 else _OBJECT + -(-length // 8) * 8
        if step < _OBJECT or at + step > stop:
            return False
        at += step
    return True
