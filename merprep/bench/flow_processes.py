"""What several processes gain, and how much memory one of them holds, however many pairs it computes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from merprep.errors import FlowError, UsageError
from merprep.progress import Progress, Silent

SIZE = 224
PAIRS = 40


@dataclass(frozen=True)
class FlowProcesses:
    """The same work in each of some processes, one thread each.

    Parameters
    ----------
    size : int
    processes : int
    pairs : int
        In each process and turn.
    seconds : float
        The shortest turn, until the last process had finished.
    scaling : float
        Pairs a second, as a multiple of one process's in its own shortest turn. Where other work takes the cores, it
        says how much of them was left.
    cpu_ms : float
        Time of the processor that a pair took at the least: what processes cost each other shows here even where
        other work keeps them waiting.
    all_pairs : int
        What the busiest process had computed in the end, all turns together.
    peak_mb : float
        The most memory that a process ever held, interpreter, libraries and images included.
    """

    size: int
    processes: int
    pairs: int
    seconds: float
    scaling: float
    cpu_ms: float
    all_pairs: int
    peak_mb: float


def flow_processes(
    size: int = SIZE,
    processes: Sequence[int] = (1, 2),
    *,
    pairs: int = PAIRS,
    turns: int = 5,
    progress: Progress | None = None,
) -> list[FlowProcesses]:
    """Measure the engine in one process and in several, in turns, so that a busy machine slows all of them.

    Parameters
    ----------
    size : int
        px.
    processes : sequence of int
        The first is what the others are compared with.
    pairs, turns : int

    Raises
    ------
    UsageError
        Where nothing would be measured.
    FlowError
        Where a process did not come to its end.
    """
    if min(pairs, turns, *processes) < 1:
        raise UsageError("A measurement needs at least one pair, one turn and one process",
                         found=f"{pairs}, {turns} and {tuple(processes)}")  # fmt: skip
    progress = progress or Silent()
    progress.start("bench flow in processes", turns)
    best = dict.fromkeys(processes, (float("inf"), float("inf")))
    with ExitStack() as stack:
        stack.callback(progress.finish)
        children = [stack.enter_context(_started(size)) for _ in range(max(processes))]
        for child in children:
            _told(child)
        for _ in range(turns):
            for count in processes:
                turn = _turn(children[:count], pairs)
                best[count] = (min(best[count][0], turn[0]), min(best[count][1], turn[1]))
            progress.advance()
        peaks = [_ended(child) for child in children]
    one = best[processes[0]][0] / processes[0]
    return [
        FlowProcesses(
            size, n, pairs, wall, n * one / wall, 1000 * cpu / pairs, pairs * turns * len(processes), max(peaks)
        )
        for n, (wall, cpu) in best.items()
    ]


def _turn(children: Sequence[subprocess.Popen[str]], pairs: int) -> tuple[float, float]:
    """Return the seconds until all had finished, and those of the processor that the slowest took."""
    started = time.perf_counter()
    for child in children:
        assert child.stdin is not None  # noqa: S101 - opened below
        child.stdin.write(f"{pairs}\n")
        child.stdin.flush()
    taken = [float(_told(child)) for child in children]
    return time.perf_counter() - started, max(taken)


def _started(size: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "merprep.bench.flow_child", str(size)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")


def _told(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None  # noqa: S101 - opened above
    if line := child.stdout.readline():
        return line.strip()
    raise FlowError("A process that computes flow ended early", found=f"exit code {child.wait()}")


def _ended(child: subprocess.Popen[str]) -> float:
    assert child.stdin is not None  # noqa: S101 - opened above
    child.stdin.close()
    return float(_told(child))
