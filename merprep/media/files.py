"""Reads a file that may be anything: a device, a pipe, a link out of its folder, larger than the memory."""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from pathlib import Path

from merprep.errors import ImageError

# Bytes. An uncompressed picture of the most pixels allowed is smaller.
LARGEST_FILE = 1 << 28


def read_whole(path: Path, *, root: Path | None = None, largest: int = LARGEST_FILE) -> bytes:
    """Return the bytes of an ordinary file of reasonable size.

    Parameters
    ----------
    path : Path
    root : Path, optional
        The folder that links may not lead out of.
    largest : int
        Bytes.

    Raises
    ------
    ImageError
        Where it is missing, no ordinary file (a pipe would be waited for, for ever), too large, or elsewhere.
    """
    if root is not None:
        check_inside(path, root)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise ImageError("This is no file", where=str(path), found="a folder, pipe or device")
        if about.st_size > largest:
            raise ImageError(
                "The file is far larger than any frame",
                where=str(path),
                expected=f"at most {largest:,} bytes",
                found=f"{about.st_size:,}",
            )
        with path.open("rb") as stream:
            return stream.read(largest + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise ImageError(
            f"The image cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path)
        ) from error


def check_inside(path: Path, root: Path) -> None:
    """Refuse a path that leads out of a folder, links followed.

    Raises
    ------
    ImageError
        Where it does.

    Examples
    --------
    >>> check_inside(Path("study/frames/img1.jpg"), Path("study"))
    """
    real, inside = os.path.realpath(path), _real(str(root))
    if real != inside and not real.startswith(inside.rstrip(os.sep) + os.sep):
        raise ImageError(
            "A link leads out of the database's folder",
            where=str(path),
            expected=f"a file below {root}",
            found=real,
            mend="put the file itself there; links out of a database are never followed",
        )


@lru_cache(maxsize=64)
def _real(root: str) -> str:
    return os.path.realpath(root)
