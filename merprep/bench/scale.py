"""Whether memory and time for a clip stay what they are when there are a hundred times as many clips."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from merprep.errors import MerprepError, UsageError
from merprep.progress import Progress, Silent

STAGES = ("ingest", "align", "flow", "flow again")
_SUBJECTS = 99
_SIDE = 40  # px: what is measured is what a clip costs beside its pixels
_PICTURES = 64
_ONSET, _APEX, _OFFSET = 1, 2, 3
_POINTS = ((13.0, 15.0), (27.0, 15.0), (20.0, 22.0), (14.0, 30.0), (26.0, 30.0))
_KEPT = 2048  # bytes of a failed process' last words


@dataclass(frozen=True)
class ScaleRow:
    """What a stage took, in a process of its own.

    Parameters
    ----------
    stage : str
        ``flow again`` finds everything done.
    clips : int
    seconds : float
        Wall clock, without starting Python.
    cpu_ms : float
        Processor time of a clip, so that other work on the machine hardly counts.
    peak_mb : float
        The most memory that the process held (resident), MB.
    memory_ratio, time_ratio : float
        `peak_mb` and `cpu_ms` divided by those of the smallest number of clips.
    """

    stage: str
    clips: int
    seconds: float
    cpu_ms: float
    peak_mb: float
    memory_ratio: float
    time_ratio: float


def scale(
    counts: Sequence[int] = (1000, 10_000),
    *,
    stages: Sequence[str] = STAGES,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> list[ScaleRow]:
    """Run ingest, align and flow on tiny pictures, laid out as CASME II, and measure memory and time.

    Landmarks are given, so no network runs; every stage runs in one process.

    Parameters
    ----------
    counts : sequence of int
        Numbers of clips, ascending.
    stages : sequence of str
        Of ``ingest, align, flow, flow again``, in that order; each needs those before it.
    folder : Path, optional
        Where pictures and workspaces are made (about 2 kB and four names a clip); a temporary folder where None.

    Raises
    ------
    UsageError
        Where a number of clips makes no sense.
    MerprepError
        Where a stage fails.
    """
    if not counts or min(counts) < _SUBJECTS or list(counts) != sorted(counts):
        raise UsageError(f"Numbers of clips are {_SUBJECTS} or more, ascending", found=str(list(counts)))
    progress = progress or Silent()
    progress.start("scale, stages", len(counts) * len(stages))
    rows: list[ScaleRow] = []
    try:
        for count in counts:
            with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as temporary:
                write_tiny(Path(temporary) / "raw", count)
                for stage in stages:
                    rows.append(_row(stage, count, _alone(stage, Path(temporary)), rows))
                    progress.advance()
    finally:
        progress.finish()
    return rows


def _row(stage: str, clips: int, measured: dict[str, float], before: Sequence[ScaleRow]) -> ScaleRow:
    each = 1000 * measured["cpu_seconds"] / clips
    first = next((row for row in before if row.stage == stage), None)
    ratios = (1.0, 1.0) if first is None else (measured["peak_mb"] / first.peak_mb, each / first.cpu_ms)
    return ScaleRow(stage, clips, measured["seconds"], each, measured["peak_mb"], *ratios)


def write_tiny(
    root: Path, count: int, *, side: int = _SIDE, subjects: int = _SUBJECTS, seed: int = 0, annotated: int = 1
) -> Path:
    """Lay out clips of three small pictures each, their coding sheet and their landmarks.

    Parameters
    ----------
    root : Path
    count : int
    side : int
        Of the pictures, px.
    subjects : int
    seed : int
        Of the pictures.
    annotated : int
        Every clip of this many has an apex in the sheet.

    Returns
    -------
    Path
        The file of landmarks.
    """
    frames = root / "CASME2_RAW_selected"
    frames.mkdir(parents=True)
    pictures = _pictures(root / "pictures", side, seed)
    with (
        (root / "CASME2-coding.csv").open("w", encoding="utf-8", newline="") as sheet,
        (root / "landmarks.csv").open("w", encoding="utf-8", newline="") as landmarks,
    ):
        rows, points = csv.writer(sheet), csv.writer(landmarks)
        rows.writerow(["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units",
                       "Estimated Emotion"])  # fmt: skip
        points.writerow(["clip", *(f"{axis}_{number}" for number in range(len(_POINTS)) for axis in "xy")])
        scaled = [value * side / _SIDE for point in _POINTS for value in point]
        for number in range(count):
            subject, clip = f"{1 + number % subjects:02d}", f"EP{1 + number % 19:02d}_{number:06d}"
            emotion = ("happiness", "disgust", "surprise")[number // subjects % 3]
            apex = "/" if number % annotated else _APEX
            rows.writerow([subject, clip, _ONSET, apex, _OFFSET, "12", emotion])
            points.writerow([f"casme2/sub{subject}/{clip}", *scaled])
            _link(frames / f"sub{subject}" / clip, pictures, number)
    return root / "landmarks.csv"


def _pictures(folder: Path, side: int, seed: int) -> list[Path]:
    import cv2

    folder.mkdir()
    random = np.random.default_rng(seed)
    paths = []
    coarse = np.zeros((6, 6, 3))
    for number in range(_PICTURES * _OFFSET):
        if number % _OFFSET == 0:  # three of a face, which changes little
            coarse = random.integers(60, 196, (6, 6, 3)).astype(np.float64)
        path = folder / f"{number}.jpg"
        changed = (coarse + random.uniform(-8, 8, coarse.shape)).astype(np.uint8)
        picture = cv2.resize(changed, (side, side), interpolation=cv2.INTER_CUBIC)
        path.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
        paths.append(path)
    return paths


def _link(folder: Path, pictures: list[Path], number: int) -> None:
    """Fill a clip's folder; pictures are linked, which is faster than writing them and reads the same."""
    folder.mkdir(parents=True)
    for frame in (_ONSET, _APEX, _OFFSET):
        picture = pictures[_OFFSET * (number % _PICTURES) + frame - 1]
        try:
            os.link(picture, folder / f"img{frame}.jpg")
        except OSError:  # no links on this file system, or too many of one file
            (folder / f"img{frame}.jpg").write_bytes(picture.read_bytes())


def _alone(stage: str, folder: Path) -> dict[str, float]:
    """Run a stage in a fresh process and return what it says of itself."""
    call = [sys.executable, "-m", "merprep.bench.scale", stage, str(folder)]
    ended = subprocess.run(call, capture_output=True, text=True, encoding="utf-8", check=False)
    if ended.returncode:
        raise MerprepError(f"The stage {stage} failed", where=str(folder), found=ended.stderr[-_KEPT:])
    measured: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return measured


def _measure(stage: str, folder: Path) -> dict[str, float]:
    stage = stage.removesuffix(" again")
    with tempfile.TemporaryDirectory() as warm:  # loads every library, which is not what a clip costs
        write_tiny(Path(warm) / "raw", 8)
        for each in STAGES[: STAGES.index(stage) + 1]:
            _run(each, Path(warm))
    began, used = time.perf_counter(), time.process_time()
    _run(stage, folder)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": _peak_bytes() / 1e6}


def _run(stage: str, folder: Path) -> None:
    from merprep import stages
    from merprep.store import Workspace

    workspace = Workspace(folder / "study")
    config = tiny_config(folder / "raw" / "landmarks.csv")
    run: dict[str, Any] = {
        "ingest": lambda: stages.ingest(workspace, "casme2", folder / "raw"),
        "align": lambda: stages.align(workspace, config.align, jobs=1),
        "flow": lambda: stages.flow(workspace, config, jobs=1, device="cpu"),
    }
    run[stage]()


def tiny_config(landmarks: Path, *, side: int = 32, size: int = 8) -> Any:
    """Return the settings of flow for `write_tiny`'s pictures."""
    from merprep.faces import AlignConfig
    from merprep.features import FlowConfig

    align = AlignConfig(backend="precomputed", landmarks=str(landmarks), size=side, interpolation="linear")
    return FlowConfig(align=align, method="farneback", size=size)


def _peak_bytes() -> int:
    """Return the largest resident size of this process so far."""
    import resource

    # On Linux, getrusage also counts what the process was before it started this program.
    status = Path("/proc/self/status")
    lines = status.read_text("ascii", errors="replace").splitlines() if status.is_file() else []
    said = next((line.split() for line in lines if line.startswith("VmHWM:")), None)
    if said is not None:
        return 1024 * int(said[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))  # noqa: T201 - read by the process that asked


def as_json(rows: Sequence[ScaleRow]) -> dict[str, Any]:
    """Return plain JSON values."""
    return {"scale": [asdict(row) for row in rows]}
