"""What a second worker process is worth: the same clips on a cluster of one and of several workers, by turns."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from merprep.errors import UsageError
from merprep.progress import Progress, Silent

_CLASSES = 3
_SUBJECTS = 17


@dataclass(frozen=True)
class WorkerTime:
    """Aligning all clips and computing their flow on a cluster of this machine, which runs already.

    Parameters
    ----------
    engine : str
    workers : int
        Processes, one thread each.
    clips : int
    seconds : float
        Wall clock, the best of the rounds; gathering the file, which one process does, is part of it.
    ratio : float
        Of the throughput to that of one worker, each round's two runs compared with one another: the median.
    busy : float
        Processes that wanted to run on this machine just before a round (the load average of one minute), the mean.
        More than 0.1 or so, and the figures are of a shared machine.
    """

    engine: str
    workers: int
    clips: int
    seconds: float
    ratio: float
    busy: float


def worker_throughput(
    clips: int = 96, *, engine: str = "dask", workers: int = 2, rounds: int = 3, progress: Progress | None = None
) -> list[WorkerTime]:
    """Time align and flow on one worker and on several, by turns.

    Parameters
    ----------
    clips : int
        Rendered clips of 640 by 480, laid out as CASME II; rounded up to whole subjects.
    engine : {"dask", "ray"}
    workers : int
        The larger number.
    rounds : int
    progress : Progress, optional

    Raises
    ------
    UsageError
        Where nothing would be measured.
    MissingDependencyError
        Where the engine is not installed.
    """
    if clips < 1 or workers < 2 or rounds < 1:
        raise UsageError("One worker is compared with several", found=f"{clips} clips, {workers} workers")
    progress = progress or Silent()
    with tempfile.TemporaryDirectory() as folder:
        count = _prepared(Path(folder), clips)
        progress.start("bench workers", 2 * rounds)
        seconds: dict[int, list[float]] = {1: [], workers: []}
        busy = []
        for number in range(rounds):
            busy.append(_load())
            # Whoever goes first meets the machine as it was before; so they take turns.
            for many in (1, workers) if number % 2 == 0 else (workers, 1):
                seconds[many].append(_run(Path(folder), engine, many))
                progress.advance()
        progress.finish()
    ratios = [alone / together for alone, together in zip(seconds[1], seconds[workers], strict=True)]
    load = statistics.mean(busy)
    return [
        WorkerTime(engine, 1, count, min(seconds[1]), 1.0, load),
        WorkerTime(engine, workers, count, min(seconds[workers]), statistics.median(ratios), load),
    ]


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _prepared(folder: Path, clips: int) -> int:
    from merprep import stages
    from merprep.store import Workspace
    from merprep.synthetic import write_database

    subjects = min(_SUBJECTS, -(-clips // _CLASSES))
    each = -(-clips // (_CLASSES * subjects))
    written = write_database(
        "casme2", folder / "raw", subjects=subjects, clips_per_class=each, frame_size=(640, 480), frames="key"
    )
    stages.ingest(Workspace(folder / "study"), "casme2", folder / "raw")
    return len(written.clips)


def _run(folder: Path, engine: str, many: int) -> float:
    """Return what the second of two runs takes: in the first, workers load their libraries."""
    from merprep import stages
    from merprep.engines import open_engine
    from merprep.store import Workspace

    workspace = Workspace(folder / "study")
    with open_engine(engine, jobs=many) as workers:
        for _ in range(2):
            for file in (*(workspace.folder / "aligned").glob("*.h5"), *(workspace.folder / "features").glob("*.h5")):
                file.unlink()
            began = time.perf_counter()
            stages.flow(workspace, workers=workers)
            took = time.perf_counter() - began
    return took
