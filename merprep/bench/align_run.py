"""Aligning a thousand clips: how many a second, whether memory stays flat, and whether a stopped run continues."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from merprep.errors import UsageError
from merprep.progress import Progress, Silent

if TYPE_CHECKING:
    from merprep.store import Workspace

_RENDERED = (8, 4)  # subjects, clips of each class of each: 96 clips, which stand in the manifest again and again
_CLASSES = 3
_FRAME_SIZE = (640, 480)
_PAGE = 4096
_TICKS = 100  # a second, in /proc


@dataclass(frozen=True)
class AlignRun:
    """One run over all clips, stopped halfway and continued.

    Parameters
    ----------
    clips, jobs : int
    seconds : float
        Wall clock, gathering and writing the file included.
    clips_per_s : float
    cpu_ms : float
        Time of all processes on the processor, a clip; NaN where the system does not tell.
    first_mb, last_mb : float
        Resident memory of all processes together after a tenth of the clips, and after all; NaN likewise.
    load : float
        Of the machine beside, as the average over the last minute says, when the run began.
    stopped_at, kept : int
        After how many clips the run was stopped, and how many of those the second run did not do again.
    """

    clips: int
    jobs: int
    seconds: float
    clips_per_s: float
    cpu_ms: float
    first_mb: float
    last_mb: float
    load: float
    stopped_at: int
    kept: int


def align_run(
    clips: int = 1000, *, jobs: int = 2, folder: Path | None = None, progress: Progress | None = None
) -> AlignRun:
    """Render clips laid out as CASME II has them, align their key frames, stop halfway, and go on.

    At most 96 clips are rendered; more are the same files under other names, each read and aligned by itself.

    Parameters
    ----------
    clips : int
        How many, of three frames of 640 by 480 each.
    jobs : int
        Worker processes.
    folder : Path, optional
        Where frames and workspace are made; a temporary folder where None.
    progress : Progress, optional

    Raises
    ------
    UsageError
        Where nothing would be measured.
    WeightsError
        Where the landmark weights are missing and cannot be fetched.
    """
    if clips < 10 or jobs < 1:
        raise UsageError("A run needs at least 10 clips and one job", found=f"{clips} and {jobs}")
    with tempfile.TemporaryDirectory() as temporary:
        return _measured(Path(folder or temporary), clips, jobs, progress or Silent())


def _measured(folder: Path, clips: int, jobs: int, progress: Progress) -> AlignRun:
    from merprep import stages
    from merprep.stages.runner import KEPT
    from merprep.store import Workspace

    workspace, count = Workspace(folder / "study"), clips
    _write(workspace, folder / "raw", clips)
    first = _Watch(progress, count, stop_at=count // 2)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # joblib counts the clips that were under way, sooner or later
        with suppress(KeyboardInterrupt):
            stages.align(workspace, jobs=jobs, progress=first)
        second = _Watch(progress, count)
        report = stages.align(workspace, jobs=jobs, progress=second)
    seconds = time.perf_counter() - began
    kept = sum(outcome.reason.endswith(KEPT) for outcome in report.outcomes)
    return AlignRun(
        count, jobs, seconds, count / seconds, 1000 * (first.cpu_seconds + second.cpu_seconds) / count,
        first.early_mb, second.late_mb, load, first.done, kept,
    )  # fmt: skip


def _write(workspace: Workspace, raw: Path, clips: int) -> None:
    """Render clips and ingest them, then write a manifest of just as many rows as are wanted."""
    from merprep import stages
    from merprep.store import read_manifest, write_manifest
    from merprep.synthetic import write_database

    subjects = min(_RENDERED[0], -(-clips // _CLASSES))
    each = min(_RENDERED[1], -(-clips // (_CLASSES * subjects)))
    write_database("casme2", raw, subjects=subjects, clips_per_class=each, frame_size=_FRAME_SIZE, frames="key")
    stages.ingest(workspace, "casme2", raw)
    manifest = read_manifest(workspace)
    rows = [
        replace(clip, clip=f"{clip.clip}_{number}")
        for number in range(-(-clips // len(manifest.clips)))
        for clip in manifest.clips
    ]
    write_manifest(workspace, replace(manifest, clips=tuple(sorted(rows[:clips], key=lambda clip: clip.id))))


class _Watch:
    """Looks at all processes as clips are finished, and may stop the run."""

    def __init__(self, shown: Progress, count: int, *, stop_at: int | None = None) -> None:
        self._shown, self._count, self._stop_at = shown, count, stop_at
        self._began = _tree()[1]
        self.done, self.cpu_seconds = 0, 0.0
        self.early_mb = self.late_mb = float("nan")

    def start(self, description: str, total: int) -> None:
        self._shown.start(description, total)

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        self._shown.advance(amount, failed=failed)
        self.done += amount
        if self.done in (self._count // 10, self._stop_at, self._count):
            self.late_mb, cpu = _tree()
            self.cpu_seconds = cpu - self._began
        if self.done == self._count // 10:
            self.early_mb = self.late_mb
        if self.done == self._stop_at:
            raise KeyboardInterrupt

    def finish(self) -> None:
        self._shown.finish()


def _tree(root: int | None = None) -> tuple[float, float]:
    """Return resident memory (MB) and processor time (s) of this process and its children; NaN without /proc."""
    try:
        own = {int(path.name): _status(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    except OSError:
        return float("nan"), float("nan")
    found, queue = [], [root or os.getpid()]
    while queue:
        parent = queue.pop()
        found.append(parent)
        queue += [number for number, status in own.items() if status is not None and status[0] == parent]
    known = [status for number in found if (status := own.get(number)) is not None]
    return sum(status[1] for status in known) * _PAGE / 1e6, sum(status[2] for status in known) / _TICKS


def _status(path: Path) -> tuple[int, int, int] | None:
    """Return parent, resident pages and ticks of a process; None where it has ended since."""
    try:
        fields = (path / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    # Time of children that have ended counts for their parent, so that it is never lost.
    return int(fields[1]), int(fields[21]), sum(int(ticks) for ticks in fields[11:15])
