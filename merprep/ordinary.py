"""Opens files that somebody else may have made: a pipe would be waited for, for ever, and a device has no end."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

# Bytes of a text that is read as a whole: JSON takes some ten times as much memory.
MOST = 1 << 26


def open_ordinary(path: str | os.PathLike[str], *, most: int | None = None) -> BinaryIO:
    """Open a file for reading, if it is one.

    Parameters
    ----------
    path : path-like
    most : int, optional
        Bytes that it may have.

    Raises
    ------
    OSError
        Where it is missing, something else than an ordinary file, or larger; its `strerror` says which.

    Examples
    --------
    >>> open_ordinary("/")
    Traceback (most recent call last):
    ...
    OSError: [Errno 22] it is no ordinary file, but a folder, pipe or device: '/'
    """
    try:
        # A pipe without a writer is opened at once in this way, and then looked at.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a name with a null character
        raise OSError(errno.EINVAL, str(error), os.fspath(path)) from error
    except OSError as error:
        # Windows opens no folder, and nobody opens a socket.
        if error.errno == errno.ENXIO or (error.errno == errno.EACCES and Path(path).is_dir()):
            raise _no_file(path) from None
        raise
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise _no_file(path)
        if most is not None and about.st_size > most:
            told = f"it has {about.st_size:,} bytes, and at most {most:,} are expected"
            raise OSError(errno.EFBIG, told, os.fspath(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _no_file(path: str | os.PathLike[str]) -> OSError:
    return OSError(errno.EINVAL, "it is no ordinary file, but a folder, pipe or device", os.fspath(path))


def lines_of(stream: TextIO, longest: int) -> Iterator[str]:
    r"""Yield the lines of a text, none of which may be longer than so many characters.

    Raises
    ------
    ValueError
        Where one is.

    Examples
    --------
    >>> list(lines_of(io.StringIO("a\nbc"), 3))
    ['a\n', 'bc']
    """
    while line := stream.readline(longest):
        if len(line) == longest:
            raise ValueError(f"a line of it has more than {longest:,} characters")
        yield line


def bytes_of(path: str | os.PathLike[str], *, most: int | None = None) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    OSError
        As `open_ordinary` does.
    """
    with open_ordinary(path, most=most) as stream:
        return stream.read()


def text_of(path: str | os.PathLike[str], *, most: int = MOST, encoding: str = "utf-8") -> str:
    """Return the text of a file that has at most so many bytes.

    Raises
    ------
    OSError
        As `open_ordinary` does.
    UnicodeDecodeError
        Where it is none in that encoding.
    """
    with open_ordinary(path, most=most) as stream:
        return stream.read(most + 1).decode(encoding)


def json_of(path: str | os.PathLike[str], *, most: int = MOST) -> Any:
    """Return the values of a JSON document.

    Raises
    ------
    OSError
        As `open_ordinary` does.
    ValueError
        Where it is none, or nested too deeply to be read.
    """
    try:
        return json.loads(text_of(path, most=most))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, as hexadecimal digits.

    Raises
    ------
    OSError
        As `open_ordinary` does.
    """
    digest = hashlib.sha256()
    with open_ordinary(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def open_text(
    path: str | os.PathLike[str], *, encoding: str = "utf-8", newline: str | None = None, errors: str = "strict"
) -> TextIO:
    """Open a file of any length for reading as text, if it is one.

    Raises
    ------
    OSError
        As `open_ordinary` does.
    """
    return io.TextIOWrapper(open_ordinary(path), encoding=encoding, newline=newline, errors=errors)
