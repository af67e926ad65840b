"""The whole line on rendered databases: what `merprep demo` runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merprep.progress import Progress, Silent
from merprep.store.workspace import Workspace

if TYPE_CHECKING:
    from merprep.training import TrainResult

# Three databases, each with its folders, sheet and image type; every person shows every class equally often.
DEMO_DATABASES = ("casme2", "samm", "smic")
SUBJECTS = 4
CLIPS_PER_CLASS = 3
FRAME_SIZE = (320, 240)


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration made.

    Attributes
    ----------
    workspace : Path
    features : Path
    training : TrainResult
    figures : tuple of Path
    report : Path or None
        The HTML page, where it was asked for.
    seconds : dict
        By step.
    """

    workspace: Path
    features: Path
    training: TrainResult
    figures: tuple[Path, ...]
    seconds: dict[str, float]
    report: Path | None = None

    @property
    def next_step(self) -> str:
        """What the user may try now."""
        look = f"open {self.report} in a browser" if self.report else f"merprep report --open -w {self.workspace}"
        return f"{look}, then merprep ingest casme2 ROOT --workspace study"

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        return {
            "workspace": str(self.workspace),
            "features": str(self.features),
            "train": self.training.as_json(),
            "figures": [str(path) for path in self.figures],
            "report": None if self.report is None else str(self.report),
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
        }


def write_demo_databases(folder: Path, *, seed: int = 0) -> dict[str, Path]:
    """Write the three rendered databases of the demonstration.

    Returns
    -------
    dict of Path
        The root of each database, by its id.
    """
    from merprep.synthetic import write_database

    roots = {}
    for name in DEMO_DATABASES:
        roots[name] = folder / name
        write_database(
            name, roots[name], subjects=SUBJECTS, clips_per_class=CLIPS_PER_CLASS, frame_size=FRAME_SIZE, seed=seed
        )
    return roots


def make_demo_features(
    folder: Path, *, seed: int = 0, progress: Progress | None = None, say: Callable[[str], None] = lambda text: None
) -> tuple[Workspace, Path, dict[str, float]]:
    """Render the databases, ingest them and make their feature file.

    Returns
    -------
    workspace : Workspace
    features : Path
    seconds : dict
        By step.
    """
    from merprep import stages

    clock = _Clock()
    roots = write_demo_databases(folder / "databases", seed=seed)
    say(f"rendered {len(roots)} databases in {clock.lap('render'):.0f} s: {folder / 'databases'}")
    workspace = Workspace(folder)
    for name, root in roots.items():
        result = stages.ingest(workspace, name, root, progress=progress)
        counts = result.report.counts()
        say(f"ingested {name}: {counts['in']} clips = {counts['done']} ok + {counts['skipped']} excluded")
    clock.lap("ingest")
    path, report = stages.flow(workspace, progress=progress)
    counts = report.counts()
    say(f"aligned {counts['done']} of {counts['in']} clips, computed flow and strain in {clock.lap('flow'):.0f} s")
    return workspace, path, clock.seconds


def run_demo(
    folder: Path,
    *,
    figures: bool = True,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> DemoResult:
    """Render three databases and run ingest, align, flow and train on them.

    Parameters
    ----------
    folder : Path
        Becomes the workspace; the rendered databases stand in its ``databases`` folder.
    figures : bool
        Whether to draw one figure a database and the confusion matrix, and to write the report.
    progress : Progress, optional
    say : callable, optional
        Told what each step did.

    Returns
    -------
    DemoResult
    """
    from merprep import training

    progress = progress or Silent()
    workspace, features, seconds = make_demo_features(folder, progress=progress, say=say)
    clock = _Clock(seconds)
    result = training.train(
        features, model="htnet", preset="sanity", scheme=3, runs_folder=workspace.runs, progress=progress
    )
    say(f"trained HTNet (sanity) leaving one person out in {clock.lap('train'):.0f} s")
    drawn = draw_demo_figures(workspace, result) if figures else ()
    clock.lap("figures")
    report = _report(workspace) if figures else None
    clock.lap("report")
    return DemoResult(workspace.folder, features, result, drawn, clock.seconds, report)


def draw_demo_figures(workspace: Workspace, result: TrainResult) -> tuple[Path, ...]:
    """Draw the first clip of each database and the confusion matrix of the run."""
    from merprep.report import draw_confusion, show_clip
    from merprep.store import read_manifest

    manifest = read_manifest(workspace)
    first = [next(clip for clip in manifest.usable if clip.database == name) for name in DEMO_DATABASES]
    drawn = [show_clip(workspace, clip.id) for clip in first]
    drawn.append(draw_confusion(result.confusion, result.classes, result.title(), workspace.figures / "confusion.png"))
    return tuple(drawn)


def _report(workspace: Workspace) -> Path:
    from merprep.report import write_report

    return write_report(workspace)


class _Clock:
    """Seconds by step."""

    def __init__(self, seconds: dict[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})
        self._last = time.perf_counter()

    def lap(self, name: str) -> float:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now
        return self.seconds[name]
