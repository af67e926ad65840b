"""Files that are whole or not there, whatever stops the process that writes them."""

from __future__ import annotations

import errno
import itertools
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from merprep.canonical import short_hash
from merprep.errors import StoreError

_TEMPORARY = re.compile(r"\.merprep-(?P<host>[0-9a-f]{8})-(?P<process>\d+)-\d+\.tmp")
# Nobody writes one file for longer than this; only then is a temporary of another machine taken for abandoned.
_ABANDONED_AFTER = 7 * 24 * 3600.0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXTS = tuple(f"errno = {number}," for number in _FULL)
# What Windows answers while another program holds the target open for a moment (a virus scanner, a reader).
_BUSY_TRIES = 10
_numbers = itertools.count()
_own: set[str] = set()


@contextmanager
def written_whole(path: Path, *, durable: bool = True, needed: int = 0) -> Iterator[Path]:
    """Give a temporary name beside `path`, renamed into place on success and removed on failure.

    Readers never see a half-written file, and what was there before survives an error, a kill and, where `durable`, a
    power cut. The name tells which process it belongs to, so that `sweep` can remove it when that one was killed.
    It may become a folder, too, with all that is in it; it then takes the place of an empty one at most.

    Parameters
    ----------
    path : Path
        The final name; its folder is made.
    durable : bool
        Whether the bytes are on the disk before the name is given; False for files that are checked when read and
        can be made again.
    needed : int
        Bytes that will be written, where that is known: a disk with less room is refused before anything is written.

    Raises
    ------
    StoreError
        Where the file cannot be written; of a full disk it says how much was needed, and where.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with written_whole(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    temporary = path.with_name(f".merprep-{_host()}-{os.getpid()}-{next(_numbers)}.tmp")
    _own.add(temporary.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_room(path, needed)
        yield temporary
        if durable:
            _all_to_disk(temporary)
        _replace(temporary, path)
        if durable:
            _to_disk(path.parent)
    except StoreError:
        raise
    except (OSError, RuntimeError) as error:
        # HDF5 reports a full disk as a RuntimeError where it happens on closing.
        if isinstance(error, OSError) or _is_full(error):
            raise _cannot_write(path, temporary, error, needed) from error
        raise
    finally:
        _own.discard(temporary.name)
        _remove(temporary)


def append_line(path: Path, line: str) -> None:
    """Add a line to a text file; what a killed process left of its last line stays a line of its own.

    Raises
    ------
    StoreError
        Where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> journal = Path(tempfile.mkdtemp()) / "journal.jsonl"
    >>> _ = journal.write_text("{cut o")
    >>> append_line(journal, "{}")
    >>> journal.read_text().splitlines()
    ['{cut o', '{}']
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - 1, 0))
            broken = stream.read(1) not in (b"", b"\n")
            stream.write((b"\n" if broken else b"") + line.encode() + b"\n")
    except OSError as error:
        raise _cannot_write(path, path, error, 0) from error


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError:  # on Windows, where a failed writer still has it open: the next run sweeps it away
        return


def _replace(temporary: Path, path: Path) -> None:
    """Give the final name; Windows refuses while somebody has the old file open, so it is tried for some seconds."""
    if temporary.is_dir() and path.is_dir():
        path.rmdir()  # an empty one; only Linux would do that by itself
    for attempt in range(_BUSY_TRIES):
        try:
            temporary.replace(path)
        except PermissionError:
            if os.name != "nt" or attempt + 1 == _BUSY_TRIES:
                raise
            time.sleep(0.05 * 2**attempt)
        else:
            return


def _all_to_disk(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, has left the machine's memory."""
    if path.is_dir() and hasattr(os, "sync"):
        os.sync()  # one wait for thousands of files
    _to_disk(path)


def _to_disk(path: Path) -> None:
    """Wait until the bytes of a file, or the names in a folder, have left the machine's memory."""
    folder = path.is_dir()
    if folder and sys.platform == "win32":
        return  # folders cannot be opened there, and names are journalled
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not folder or error.errno in _FULL:  # network file systems may refuse it for folders
            raise
    finally:
        os.close(descriptor)


def _check_room(path: Path, needed: int) -> None:
    free = free_bytes(path.parent)
    if needed and free is not None and free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def free_bytes(folder: Path) -> int | None:
    """Return the room on the disk of a folder, or None where it cannot be told."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.free if usage.total else None  # file systems that do not count say 0 of 0


def _is_full(error: Exception) -> bool:
    text = str(error)
    return getattr(error, "errno", None) in _FULL or any(part in text for part in _FULL_TEXTS)


def _cannot_write(path: Path, temporary: Path, error: Exception, needed: int) -> StoreError:
    if not _is_full(error):
        return StoreError(
            f"The file cannot be written: {getattr(error, 'strerror', None) or error}",
            where=str(path),
            mend="see that the folder may be written to, close programs that hold the file open, or choose another "
            "--workspace",
        )
    written = _written(temporary)
    free = free_bytes(path.parent)
    more = f"{size_text(needed)} for this file" if needed > written else f"more than {size_text(written)} for this file"
    return StoreError(
        "The disk is full",
        where=str(path),
        expected=more,
        found="" if free is None else f"{size_text(free + written)} free on the disk of {path.parent}",
        mend="free room there and run the same command again: what was finished is kept, and what was there before "
        "is as it was",
    )


def _written(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    except OSError:
        return 0


def size_text(count: int) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> size_text(512), size_text(1_500_000)
    ('512 bytes', '1.5 MB')
    """
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}"
    return f"{count} bytes"


def sweep(folders: Iterable[Path]) -> int:
    """Remove the temporaries that killed processes left in some folders, and never one of a living process.

    Parameters
    ----------
    folders : iterable of Path
        Looked into without their subfolders; need not exist.

    Returns
    -------
    int
        How many were removed.

    Examples
    --------
    >>> sweep([Path("no-such-folder")])
    0
    """
    removed = 0
    for folder in folders:
        try:
            names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(".merprep-")]
        except OSError:
            continue
        for name in names:
            if is_abandoned(folder / name):
                _remove(folder / name)
                removed += 1
    return removed


def is_abandoned(path: Path) -> bool:
    """Whether a file is a temporary of `written_whole` whose process lives no more.

    Examples
    --------
    >>> is_abandoned(Path("manifest.csv"))
    False
    """
    found = _TEMPORARY.fullmatch(path.name)
    if not found or path.name in _own:
        return False
    if found["host"] == _host():
        process = int(found["process"])
        return process == os.getpid() or not is_alive(process)
    try:
        return _now(path.parent) - path.stat().st_mtime > _ABANDONED_AFTER
    except OSError:
        return False


def _now(folder: Path) -> float:
    """Return the time by the clock of a folder's file system, which may be another machine's than this one."""
    probe = folder / f".merprep-{_host()}-{os.getpid()}-{next(_numbers)}.tmp"
    _own.add(probe.name)
    try:
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime
    finally:
        _remove(probe)
        _own.discard(probe.name)


def is_alive(process: int) -> bool:
    """Whether a process of this machine lives; one that cannot be asked counts as living."""
    if sys.platform == "win32":
        return _is_alive_on_windows(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _is_zombie(process)


def _is_zombie(process: int) -> bool:
    """Whether it has ended and only waits for its parent to ask how (Linux tells)."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[:1] == ["Z"]


def _is_alive_on_windows(process: int) -> bool:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(0x1000, False, process)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return bool(kernel.GetLastError() == 5)  # access denied: it is there
    code = ctypes.c_ulong()
    known = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return not known or code.value == 259  # STILL_ACTIVE


@cache
def _host() -> str:
    return short_hash(platform.node())
