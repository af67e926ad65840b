"""Reads mutated inputs, one after the other, in a process of its own; run by `fuzz.py`.

A line of JSON says when an input is begun and what became of it, so that the process that waits knows which one it
was, should this one crash or hang. Whatever this process opens for writing, renames or removes outside the input's
own folder, whatever it starts and whatever it connects to, is told as well.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from merprep.bench.fuzz_inputs import Kind, files_of, kinds
from merprep.bench.hostile import spoil
from merprep.errors import MerprepError

_CHANGING = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"}
_OTHER = {"socket.connect", "socket.getaddrinfo", "os.system", "os.exec", "os.posix_spawn", "pickle.find_class"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class _Guard:
    """Notes what leaves the folder that an input may touch."""

    def __init__(self) -> None:
        self.folder = ""
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.folder:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING and isinstance(path, str | bytes):
                self._check(event, path)
        elif event in _CHANGING:
            two = event == "os.rename"
            folders = arguments[2:4] if two else arguments[-1:]
            for path, at in zip(arguments[: 1 + two], folders, strict=False):
                self._check(event, _itself(path, at))
        elif event in _OTHER or (event == "subprocess.Popen" and arguments[0] != sys.executable):
            self.seen.append(f"{event} {arguments[:2]!r}"[:300])

    def _check(self, event: str, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        real = os.path.realpath(os.fsdecode(path))
        known = real.startswith(self.folder) or real == os.devnull or real.endswith((".pyc", ".nbi", ".nbc"))
        if not known and "__pycache__" not in real:
            self.seen.append(f"{event} {real}"[:300])


def _itself(path: Any, at: Any) -> Any:
    """Return the whole name of what is renamed or removed; a link is meant itself, not what it leads to."""
    if not isinstance(path, str | bytes | os.PathLike):
        return path
    name = os.fsdecode(path)
    if isinstance(at, int) and at >= 0:  # a name in a folder that is open
        name = os.path.join(os.readlink(f"/proc/self/fd/{at}"), name)  # noqa: PTH118, PTH115 - strings, as audited
    return os.path.join(os.path.realpath(os.path.dirname(name) or "."), os.path.basename(name))  # noqa: PTH118, PTH119, PTH120


def _one(kind: Kind, base: Path, seed: int, guard: _Guard) -> dict[str, Any]:
    rng = random.Random(f"{kind.name}/{seed}")  # noqa: S311 - to be repeated, not to be secret
    with tempfile.TemporaryDirectory(prefix="merprep-fuzz-") as temporary:
        folder = Path(temporary).resolve() / "input"
        shutil.copytree(base, folder)
        path = rng.choice(list(files_of(folder)))
        how = spoil(path, rng, text=kind.text)
        _forget_peak()
        began, spent = time.perf_counter(), _cpu()
        guard.seen, guard.folder = [], str(folder)
        try:
            told = _outcome(kind, folder, path)
        finally:
            guard.folder = ""
        return told | {
            "seed": seed,
            "seconds": time.perf_counter() - began,
            "cpu": _cpu() - spent,
            "megabytes": _peak(),
            "outside": guard.seen,
            "file": path.name,
            "how": how,
        }


def _outcome(kind: Kind, folder: Path, path: Path) -> dict[str, Any]:
    try:
        kind.read(folder, path)
    except MerprepError as error:
        return {"outcome": "refused", "said": str(error)[:200]}
    except Exception as error:  # what must not happen, and is told
        import traceback

        frames = traceback.extract_tb(error.__traceback__)
        at = next((f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames) if "merprep" in f.filename), "")
        return {"outcome": "other exception", "said": f"{type(error).__name__}: {error}"[:300], "at": at}
    return {"outcome": "read", "said": ""}


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _forget_peak() -> None:
    """Let the kernel measure the largest size from here on (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak() -> float:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(name: str, base: Path, seeds: Mapping[str, int]) -> None:
    """Read the inputs of one kind from a first seed to before a last one, telling of each."""
    guard = _Guard()
    sys.addaudithook(guard)
    kind = kinds()[name]
    # What is loaded and compiled once belongs to no input.
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "input"
        shutil.copytree(base, folder)
        _outcome(kind, folder, next(files_of(folder)))
    for seed in range(seeds["first"], seeds["last"]):
        sys.stdout.write(json.dumps({"begun": seed}) + "\n")
        sys.stdout.flush()
        told = _one(kind, base, seed, guard)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]), {"first": int(sys.argv[3]), "last": int(sys.argv[4])})
