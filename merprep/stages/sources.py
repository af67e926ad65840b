"""Where flow gets its faces from: the file of aligned faces, or one that the temporal tools made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from merprep.features import FlowConfig
from merprep.progress import Progress
from merprep.records import CLIP, Clip, StageReport
from merprep.shelf import Rows, Shelf
from merprep.stages.align import align
from merprep.stages.align_clip import Frames
from merprep.stages.temporal import temporal, temporal_path
from merprep.store.aligned import open_aligned
from merprep.store.manifest import Manifest, read_manifest
from merprep.store.workspace import Workspace
from merprep.temporal.steps import TemporalConfig

if TYPE_CHECKING:
    from merprep.engines import Engine


@dataclass(frozen=True)
class FaceSource:
    """Faces to compute from.

    Parameters
    ----------
    path : Path
        A file of aligned faces, where any clip could be aligned.
    report : StageReport
        Of the stage that made it.
    manifest : Manifest
        As it was when the stage was done.
    clips : sequence of Clip
        Those of the manifest, in its order, with the key frames that the file has.
    """

    path: Path
    report: StageReport
    manifest: Manifest
    clips: Sequence[Clip]


def face_source(
    workspace: Workspace,
    settings: FlowConfig,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    workers: Engine | None = None,
) -> FaceSource:
    """Make the faces that flow is computed from, where they are not there yet."""
    if settings.temporal is None:
        frames: Frames = "all" if settings.average else "key"
        report = align(workspace, settings.align, frames=frames, jobs=jobs, progress=progress, workers=workers)
        manifest = read_manifest(workspace)
        return FaceSource(workspace.aligned_path(settings.align.config_id()), report, manifest, manifest.clips)
    config = TemporalConfig(align=settings.align, **dict(settings.temporal))
    report = temporal(workspace, config, jobs=jobs, progress=progress, workers=workers)
    manifest, path = read_manifest(workspace), temporal_path(workspace, config)
    return FaceSource(path, report, manifest, _timed(manifest, path) if report.outputs else manifest.clips)


def _timed(manifest: Manifest, path: Path) -> Sequence[Clip]:
    """Return the clips with the key frames of the new frames."""
    with open_aligned(path) as file:
        rows = Shelf((name, numbers) for name, *numbers in file.walk("id", "onset", "apex", "offset"))

    def timed(clip: Clip) -> Clip:
        if clip.id not in rows:
            return clip
        onset, apex, offset = (None if number < 0 else number for number in rows[clip.id])
        return replace(clip, onset=onset, apex=apex, offset=offset)

    return Rows(map(timed, manifest.clips), CLIP)
