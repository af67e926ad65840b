"""`merprep align`: faces are found once a clip and warped to one geometry."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from merprep.cli.cluster import Distributed, Scheduler, Shard
from merprep.cli.output import Output
from merprep.cli.planned import DryRun


class Frames(StrEnum):
    """Which frames of a clip are aligned."""

    key = "key"
    all = "all"


def align(
    out: Output,
    backend: Annotated[
        str | None,
        typer.Option(help="auto (mesh), mesh, fan, mediapipe, dlib, precomputed or none (already registered)."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    frames: Annotated[Frames | None, typer.Option(help="key (onset, apex, offset: the default), or all.")] = None,
    person: Annotated[
        str | None, typer.Option(help="Of several faces: largest, central, or a number from the left, from 0.")
    ] = None,
    reference_frames: Annotated[
        int | None, typer.Option(help="Landmarks are the median over this many frames, from the onset on; 1 by itself.")
    ] = None,
    refine: Annotated[str | None, typer.Option(help="ecc takes the head's motion out of each frame; none.")] = None,
    landmarks: Annotated[Path | None, typer.Option(help="CSV of landmarks, for --backend precomputed.")] = None,
    check_frames: Annotated[
        bool, typer.Option("--check-frames", help="Look for the face in every frame; name those that have lost it.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(help="Worker processes; all cores where not given.")] = None,
    distributed: Distributed = None,
    scheduler: Scheduler = None,
    shard: Shard = None,
    dry_run: DryRun = False,
) -> None:
    """Align the faces of every clip: one transform a clip, from its onset frame, applied to all its frames.

    Example: merprep align --frames all
    """
    from merprep import stages
    from merprep.engines import open_engine

    config = out.study.align_config(
        backend=backend,
        person=int(person) if person and person.isdigit() else person,
        reference_frames=reference_frames,
        refine=refine,
        landmarks=landmarks and str(landmarks),
    )
    how = out.study.running("align", frames=frames and frames.value, device=device, jobs=jobs)
    if dry_run:
        from merprep.planning import plan_align

        out.plan(plan_align(out.workspace, config, frames=how.frames, check=check_frames))
        return
    options: dict[str, Any] = {"frames": how.frames, "jobs": how.jobs, "device": how.device, "progress": out.progress(),
                               "check": check_frames}  # fmt: skip
    with open_engine(distributed, scheduler, jobs=how.jobs) as workers:
        if shard is None:
            report = stages.align(out.workspace, config, workers=workers, **options)
        else:
            report = stages.align_shard(out.workspace, shard, config=config, workers=workers, **options)
    out.stage(report, then="merprep flow" if shard is None else "merprep merge")
    out.document({"counts": report.counts(), "skipped": report.reasons("skipped"), "failed": report.reasons("failed"),
                  "outputs": list(report.outputs)})  # fmt: skip
