"""Stages killed at random instants and started again: whether the result is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from merprep.errors import MerprepError, UsageError
from merprep.progress import Progress, Silent

STAGES = (
    "ingest", "align", "flow", "train", "import", "spot", "temporal", "shard", "merge", "export", "predict", "report",
)  # fmt: skip
_KEPT = 2048  # characters of a failed process' last words


@dataclass(frozen=True)
class StressRow:
    """What became of one stage under fire.

    Parameters
    ----------
    stage : str
    kills : int
        How often a run of it was killed (SIGKILL).
    runs : int
        How often it was started plainly afterwards.
    same : int
        How many of these ended in the result of the undisturbed run, file by file and dataset by dataset.
    torn : int
        In how many of these a finished clip's file was cut short beforehand, as a power cut may do.
    differences : tuple of str
        Of the runs that did not, what differed.
    seconds : float
        An undisturbed run.
    """

    stage: str
    kills: int
    runs: int
    same: int
    torn: int
    differences: tuple[str, ...]
    seconds: float


def stress(
    kills: int = 200,
    *,
    clips: int = 24,
    stages: Sequence[str] = STAGES,
    seed: int = 0,
    jobs: int = 1,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> list[StressRow]:
    """Kill stages at random instants, start them again, and compare with undisturbed runs.

    Each time, a stage is started on a fresh copy of what comes before it and killed after a random part of the time
    that it takes, one time in four twice in a row; then, one time in four, a file of a finished clip is cut short. It
    is then started plainly, in a new process, and has to end well.

    Parameters
    ----------
    kills : int
        In all, shared evenly between the stages.
    clips : int
        Of the small database that is used.
    stages : sequence of str
        Of `STAGES`: ``shard`` computes the flow of two shards; ``export`` writes every form there is.
    seed : int
        Of the instants.
    jobs : int
        Worker processes of those stages that have any.
    folder : Path, optional
        Where it happens; a temporary folder where None.

    Raises
    ------
    UsageError
        Where processes cannot be forked and killed (Windows), or a number makes no sense.
    MerprepError
        Where an undisturbed run fails.
    """
    if not hasattr(os, "fork"):
        raise UsageError("Processes can be forked and killed on Linux and macOS only")
    unknown = [name for name in stages if name not in STAGES]
    if unknown or kills < 1 or clips < 8:
        raise UsageError(
            "There is nothing to kill",
            found=", ".join(unknown) or f"{kills} kills, {clips} clips",
            expected=f"stages of {', '.join(STAGES)}; 1 kill or more, 8 clips or more",
        )
    progress = progress or Silent()
    progress.start("stress, kills", kills)
    try:
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as temporary:
            settings = {"kills": kills, "clips": clips, "stages": list(stages), "seed": seed, "jobs": jobs}
            return _fired_upon(Path(temporary), settings, progress)
    finally:
        progress.finish()


def _fired_upon(folder: Path, settings: dict[str, Any], progress: Progress) -> list[StressRow]:
    """Let a process of its own fork and kill: it has loaded what stages need, and has no threads."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    call = [sys.executable, "-m", "merprep.bench.stress_server", str(folder), json.dumps(settings)]
    with (folder / "errors").open("w+", encoding="utf-8") as errors:
        server = subprocess.Popen(
            call, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8", env={**os.environ, **threads}
        )
        rows = []
        with server:
            for line in server.stdout or ():
                told = json.loads(line)
                if "stage" in told:
                    rows.append(StressRow(**{**told, "differences": tuple(told["differences"])}))
                else:
                    progress.advance(told["kills"], failed=told["failed"])
        if server.returncode:
            errors.seek(0)
            raise MerprepError("A stage failed without being killed", where=str(folder), found=errors.read()[-_KEPT:])
    return rows


def as_json(rows: Sequence[StressRow]) -> dict[str, Any]:
    """Return plain JSON values."""
    return {"stress": [asdict(row) for row in rows]}
