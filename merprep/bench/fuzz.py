"""What mutated files do: each must end in a refusal or be read, soon, in little memory, and touch nothing else."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from merprep.errors import UsageError
from merprep.progress import Progress, Silent

MOST_SECONDS = 5.0
MOST_MEGABYTES = 1024.0
# Wall clock after which an input counts as hanging although it may only wait for a busy machine.
_PATIENCE = 60.0


@dataclass
class FuzzCount:
    """What became of the mutated inputs of one kind.

    Parameters
    ----------
    kind : str
    inputs, refused, read : int
        How many; refused with a `MerprepError`, or read (a change may do no harm, or end as an excluded row).
    failures : int
        Ended in another exception, a crash, a hang, more memory than 1 GB, or something outside their folder.
    slowest : float
        Seconds of processor time.
    largest : float
        MB, the process's own libraries included.
    """

    kind: str
    inputs: int = 0
    refused: int = 0
    read: int = 0
    failures: int = 0
    slowest: float = 0.0
    largest: float = 0.0


@dataclass
class FuzzResult:
    """The counts by kind, and a line for each failure, with the seed that repeats it."""

    counts: list[FuzzCount]
    failures: list[str] = field(default_factory=list)


def fuzz(
    inputs: int = 2000, *, seed: int = 0, only: Sequence[str] = (), progress: Progress | None = None
) -> FuzzResult:
    """Mutate whole files of every kind and read them in processes that are watched.

    Parameters
    ----------
    inputs : int
        In all, shared evenly between the kinds.
    seed : int
        The first one of each kind.
    only : sequence of str
        Kinds; none is all.
    progress : Progress, optional

    Raises
    ------
    UsageError
        Where there is no such kind.
    """
    from merprep.bench.fuzz_inputs import kinds

    if sys.platform == "win32":
        raise UsageError("Time and memory of a process are measured as Unix tells them", mend="run it on Linux")
    known = kinds()
    chosen = list(only) or list(known)
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise UsageError("There is no such kind of input", expected=", ".join(known), found=", ".join(unknown))
    each = max(1, -(-inputs // len(chosen)))
    progress = progress or Silent()
    result = FuzzResult([])
    progress.start("bench fuzz", each * len(chosen))
    try:
        for name in chosen:
            with tempfile.TemporaryDirectory() as folder:
                known[name].write(Path(folder))
                count = FuzzCount(name)
                result.counts.append(count)
                for told in _told(name, Path(folder), seed, seed + each):
                    problem = _judged(told, count)
                    result.failures += [f"{name}, seed {told['seed']}: {problem}"] if problem else []
                    progress.advance(failed=bool(problem))
    finally:
        progress.finish()
    return result


def _judged(told: dict[str, Any], count: FuzzCount) -> str:
    """Count one input, and say what is wrong with how it ended."""
    count.inputs += 1
    count.slowest = max(count.slowest, told["cpu"])
    count.largest = max(count.largest, told["megabytes"])
    problems = []
    if told["outcome"] == "refused":
        count.refused += 1
    elif told["outcome"] == "read":
        count.read += 1
    else:
        problems.append(f"{told['outcome']}: {told['said']} {told.get('at', '')}".strip())
        problems[-1] += f" ({told['how']} of {told['file']})" if "how" in told else ""
    if told["cpu"] > MOST_SECONDS:
        problems.append(f"{told['cpu']:.1f} s")
    if told["megabytes"] > MOST_MEGABYTES:
        problems.append(f"{told['megabytes']:.0f} MB")
    problems += told["outside"]
    count.failures += bool(problems)
    return "; ".join(problems)


def _told(name: str, folder: Path, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Yield what became of each input; a process that crashed or hung is replaced, and its input told as such."""
    at = first
    while at < last:
        command = [sys.executable, "-m", "merprep.bench.fuzz_child", name, str(folder), str(at), str(last)]
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL) as child,
        ):
            for told in _lines(child):
                if "begun" in told:
                    at = told["begun"]
                else:
                    yield told
                    at = told["seed"] + 1
            child.kill()
            code = child.wait()
            if at < last:
                errors.seek(0)
                said = errors.read()[-300:].decode("utf-8", "replace").strip().replace("\n", " ")
                how = "a hang" if code == -9 else f"a crash (exit code {code})"
                yield {"seed": at, "outcome": how, "said": said, "cpu": 0.0, "megabytes": 0.0, "outside": []}
                at += 1


def _lines(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what a process says, until it ends or says nothing for too long."""
    assert child.stdout is not None  # noqa: S101 - it was asked for
    rest, until = b"", time.monotonic() + _PATIENCE
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            block = child.stdout.read1(1 << 16)  # type: ignore[attr-defined]
            if not block:
                return
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield json.loads(line)
            until = time.monotonic() + _PATIENCE
