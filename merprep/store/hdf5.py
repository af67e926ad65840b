"""Opens HDF5 files so that neither their size nor a full disk can do harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h5py

from merprep.store.heaps import check_heaps
from merprep.store.watched import WatchedFile

# What HDF5 may remember of a file's structure; unasked, it takes up to 32 MB, the more the more clips there are.
_STRUCTURE_CACHE = 1 << 19
# And of the values of each dataset (8 MB, unasked, since its version 2): a clip is written and read as a whole.
_VALUES_CACHE = 1 << 20


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading; what that takes of memory does not depend on how many clips are in it.

    Nothing outside the file is reached through it (see `merprep.store.watched`).
    """
    check_heaps(path)
    return _with_small_cache(WatchedFile(path, "r", rdcc_nbytes=_VALUES_CACHE))


@contextmanager
def new_hdf5(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Make a file that every HDF5 library since 1.10 reads.

    Its structure is of that version, too, whose parts carry checksums: what a damaged disk does to one of an older
    version can keep the library busy for ever.

    HDF5 ends the process (segmentation fault) when a file cannot be closed because the disk is full. So it writes
    through this, which keeps what finds no room in memory until the file is closed, and raises afterwards.

    Yields
    ------
    (h5py.File, callable)
        The file, and what is to be called now and then: it raises where something could not be written.

    Raises
    ------
    OSError
        Where something could not be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "ones.h5"
    >>> with new_hdf5(path) as (file, check):
    ...     file["ones"] = [1, 1]
    ...     check()
    >>> with open_hdf5(path) as file:
    ...     file["ones"][:].tolist()
    [1, 1]
    """
    with path.open("w+b", buffering=0) as stream:
        guarded = _Guarded(stream)
        options = {"libver": ("v110", "v110"), "rdcc_nbytes": _VALUES_CACHE}
        with _with_small_cache(h5py.File(guarded, "w", **options)) as file:
            yield file, guarded.check
    guarded.check()


def _with_small_cache(file: h5py.File) -> h5py.File:
    cache = file.id.get_mdc_config()
    cache.set_initial_size = True
    cache.initial_size = cache.min_size = cache.max_size = _STRUCTURE_CACHE
    file.id.set_mdc_config(cache)
    return file


class _Guarded:
    """A file in which writing never fails: after the first failure, what comes is kept in memory.

    Parameters
    ----------
    stream : BinaryIO
        Unbuffered, for reading and writing.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._place = 0
        self._kept: list[tuple[int, bytes]] = []
        self._error: BaseException | None = None

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self._error is not None:
            raise self._error

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence:
            end = max([self._stream.seek(0, 2), *(at + len(block) for at, block in self._kept)])
            offset += end if whence == 2 else self._place
        self._place = offset
        return offset

    def tell(self) -> int:
        return self._place

    def write(self, data: memoryview) -> int:
        block = bytes(data)
        if self._error is None:
            try:
                self._stream.seek(self._place)
                written = 0
                while written < len(block):
                    written += self._stream.write(block[written:])
            except BaseException as error:  # an interrupt, too, must not reach HDF5
                self._error = error
        if self._error is not None:
            self._kept.append((self._place, block))
        self._place += len(block)
        return len(block)

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        self.readinto(memoryview(buffer))
        return bytes(buffer)

    def readinto(self, buffer: memoryview) -> int:
        view = memoryview(buffer).cast("B")
        self._stream.seek(self._place)
        filled = 0
        while filled < len(view) and (data := self._stream.read(len(view) - filled)):
            view[filled : filled + len(data)] = data
            filled += len(data)
        view[filled:] = bytes(len(view) - filled)
        for at, block in self._kept:
            start, stop = max(at, self._place), min(at + len(block), self._place + len(view))
            if start < stop:
                view[start - self._place : stop - self._place] = block[start - at : stop - at]
        self._place += len(view)
        return len(view)

    def truncate(self, size: int) -> int:
        if self._error is None:
            try:
                self._stream.truncate(size)
            except BaseException as error:
                self._error = error
        return size

    def flush(self) -> None:
        """Do nothing: nothing is held back."""
