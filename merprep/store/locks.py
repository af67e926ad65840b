"""One writer at a time: a lock that ends with its process, on disks of this machine and on network file systems.

Two locks are held together. The operating system's own (`flock`, `LockFileEx`) ends with the process, however that
ends, and is shared between machines by most network file systems. Some keep it to one machine without saying so, and
some have none: so a lease lies beside it, a small file that names machine and process and is touched every ten seconds.
A lease whose process is gone from this machine is taken over at once; one of another machine after thirty seconds
without a sign of life, by the clock of the one who waits, so that clocks need not agree. Both are removed at the end.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from merprep.errors import StoreError
from merprep.ordinary import json_of
from merprep.store.whole import is_alive

if TYPE_CHECKING:
    from filelock import BaseFileLock, FileLock, SoftFileLease

LOCK_NAME = ".merprep.lock"
LEASE_NAME = ".merprep.lease"
LEASE_SECONDS = 30.0
# A lock that is being given back may look taken for a moment.
_PATIENCE = 0.3
# A name is written at once; another machine may see it a little later.
_NAMELESS_SECONDS = 2.0
_POLL = 0.05
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, getattr(errno, "ENOTSUP", errno.EOPNOTSUPP)}

Say = Callable[[str], None]
_wait: ContextVar[Say | None] = ContextVar("merprep_wait", default=None)
# By folder: the process and the thread that hold it, so that a stage may call another one.
_held: dict[str, tuple[int, int]] = {}


@dataclass(frozen=True)
class Holder:
    """Who writes: which command, as which process of which machine, since when (seconds since 1970)."""

    what: str
    process: int
    host: str
    since: float

    def describe(self) -> str:
        """Say it in words.

        Examples
        --------
        >>> Holder("flow", 4711, "node7", 0.0).describe().partition(", since")[0]
        '`merprep flow`, process 4711 on node7'
        """
        told = f"`merprep {self.what}`, process {self.process} on {self.host}"
        try:
            since = datetime.fromtimestamp(self.since).astimezone().isoformat(sep=" ", timespec="seconds")
        except (OverflowError, ValueError, OSError):  # of a clock that is no clock, or a damaged file
            return told
        return f"{told}, since {since}"


@contextmanager
def waiting_for_others(say: Say = lambda _: None) -> Iterator[None]:
    """Let what is called inside wait for another writer instead of refusing; `say` is told whom it waits for."""
    token = _wait.set(say)
    try:
        yield
    finally:
        _wait.reset(token)


@contextmanager
def writing(folder: str | Path, what: str) -> Iterator[bool]:
    """Be the only one who writes to a folder; readers are not kept out.

    Parameters
    ----------
    folder : path-like
        Made where it is missing.
    what : str
        The command, for others who want to write.

    Yields
    ------
    bool
        True; False where this thread holds the folder already, further out.

    Raises
    ------
    StoreError
        Where another process (or thread) writes there, unless inside `waiting_for_others`; or where the folder
        cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(folder, "flow") as outermost:
    ...         outermost, holder_of(folder).what, sorted(os.listdir(folder))
    ...     os.listdir(folder)
    (True, 'flow', ['.merprep.lease', '.merprep.lock'])
    []
    """
    path = Path(folder)
    key = os.path.realpath(path)
    if _held.get(key) == (os.getpid(), threading.get_ident()):
        yield False
        return
    made = _made(path)
    try:
        with _locked(path, what) as whole:
            _held[key] = (os.getpid(), threading.get_ident())
            try:
                if whole:
                    _remove_broken_leases(path)
                yield True
            finally:
                del _held[key]
    finally:
        if made:
            with suppress(OSError):  # nothing was written after all
                path.rmdir()


def holder_of(folder: str | Path) -> Holder | None:
    """Return who wrote to a folder last without having finished; None where nobody is known.

    Examples
    --------
    >>> holder_of("no-such-folder") is None
    True
    """
    try:
        values = json_of(Path(folder) / LOCK_NAME)
        return Holder(str(values["what"]), int(values["process"]), str(values["host"]), float(values["since"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return _lessee(Path(folder))  # Windows lets nobody read a locked file


def _lessee(folder: Path) -> Holder | None:
    from filelock import SoftFileLease

    owner = SoftFileLease(folder / LEASE_NAME).owner
    with suppress(OSError):
        if owner is not None:
            return Holder("…", owner.pid, owner.hostname, (folder / LEASE_NAME).stat().st_ctime)
    return None


def _made(path: Path) -> bool:
    if path.is_dir():
        return False
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from error
    return True


@contextmanager
def _locked(folder: Path, what: str) -> Iterator[bool]:
    """Hold both locks; yields whether the operating system's own is among them."""
    from filelock import FileLock, SoftFileLease

    record = json.dumps({"what": what, "process": os.getpid(), "host": platform.node(), "since": time.time()})
    lock = FileLock(
        folder / LOCK_NAME,
        fallback_to_soft=False,
        preserve_lock_file=sys.platform != "win32",
        on_acquired=lambda descriptor: _write_record(descriptor, record, folder / LOCK_NAME),
        thread_local=False,
    )
    lease = SoftFileLease(folder / LEASE_NAME, lease_duration=LEASE_SECONDS, thread_local=False)
    whole = _acquired_lock(lock, folder)
    try:
        _break_of_the_dead(lease)
        try:
            _acquire(lease, folder, cancel=_Watch(lease), seconds=2 * LEASE_SECONDS)
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            yield whole
        finally:
            lost = lease.compromise
            lease.release()
    finally:
        _give_back(lock, folder)
    if lost is not None and lost.reason in ("owner-changed", "evicted"):
        raise StoreError(
            "Another merprep took over while this one gave no sign of life",
            where=str(folder),
            found="" if (holder := holder_of(folder)) is None else holder.describe(),
            mend="run the same command again when the other one is done",
        )


def _break_of_the_dead(lease: SoftFileLease) -> None:
    """Break a lease that filelock would wait for although its process has ended.

    That is one whose process was not yet taken note of, which filelock counts as living, and one whose process was
    killed before it wrote its name, which filelock never breaks.
    """
    owner = lease.owner
    waited = 0.0
    while owner is None and Path(lease.lock_file).exists():
        if waited > _NAMELESS_SECONDS:
            lease.force_break()
            return
        time.sleep(_POLL)
        waited += _POLL
        owner = lease.owner
    if owner is not None and owner.hostname == platform.node() and not is_alive(owner.pid):
        lease.force_break()


def _write_record(descriptor: int, record: str, path: Path) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, record.encode())
    except OSError:
        if sys.platform != "win32":  # filelock gives the lock back, but lets its file lie
            path.unlink(missing_ok=True)
        raise


def _acquired_lock(lock: FileLock, folder: Path) -> bool:
    """Take the operating system's lock; False where the file system has none, so that only the lease counts."""
    try:
        _acquire(lock, folder, cancel=None, seconds=_PATIENCE)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise _unusable(folder, error) from error
    return True


def _acquire(lock: BaseFileLock, folder: Path, *, cancel: Callable[[], bool] | None, seconds: float) -> None:
    from filelock import Timeout

    say = _wait.get()
    try:
        lock.acquire(timeout=seconds, cancel_check=cancel)
    except Timeout:
        if say is None:
            raise _taken(folder) from None
        holder = holder_of(folder)
        say(f"waiting for {holder.describe() if holder else 'another merprep'}")
        lock.acquire(timeout=-1, poll_interval=1.0)


class _Watch:
    """Tells when waiting for a lease is vain: its process lives on this machine, or it was touched meanwhile."""

    def __init__(self, lease: SoftFileLease) -> None:
        self._lease = lease
        self._seen: tuple[float, ...] = ()
        self._asked = 0

    def __call__(self) -> bool:
        self._asked += 1
        owner = self._lease.owner
        try:
            found = Path(self._lease.lock_file).stat()
        except OSError:
            return False
        if owner is None:
            return False
        if owner.hostname == platform.node():
            return self._asked * _POLL > _PATIENCE
        now = (found.st_mtime, found.st_ino)
        self._seen = self._seen or now
        return now != self._seen


def _give_back(lock: FileLock, folder: Path) -> None:
    # Removed while it is held: who opened it meanwhile finds it without a name, and opens the next one.
    if sys.platform != "win32":
        (folder / LOCK_NAME).unlink(missing_ok=True)
    lock.release()  # does nothing where it was never taken, on a file system without locks


def _remove_broken_leases(folder: Path) -> None:
    """Remove what is left of taking over a lease, where that was killed; nobody else does so now."""
    for path in folder.glob(f"{LEASE_NAME}.*"):
        path.unlink(missing_ok=True)


def _taken(folder: Path) -> StoreError:
    holder = holder_of(folder)
    return StoreError(
        "Another merprep writes here",
        where=str(folder),
        found="it gave no name" if holder is None else holder.describe(),
        mend="wait until it is done, add --wait to wait here, or choose another --workspace",
    )


def _unusable(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The folder cannot be written to: {error.strerror or error}",
        where=str(folder),
        mend="make it writable, free room on its disk, or choose another --workspace",
    )
