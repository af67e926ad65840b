"""`merprep align`: faces are found once a clip and warped to one geometry."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output


class Frames(StrEnum):
    """Which frames of a clip are aligned."""

    key = "key"
    all = "all"


def align(
    out: Output,
    backend: Annotated[
        str, typer.Option(help="auto (mesh), mesh, fan, mediapipe, dlib, precomputed or none (already registered).")
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    frames: Annotated[Frames, typer.Option(help="Onset, apex and offset, or every frame.")] = Frames.key,
    person: Annotated[
        str, typer.Option(help="Of several faces: largest, central, or a number from the left, from 0.")
    ] = "largest",
    reference_frames: Annotated[
        int, typer.Option(help="Landmarks are the median over this many frames, from the onset on.")
    ] = 1,
    refine: Annotated[str, typer.Option(help="ecc takes the head's motion out of each frame; none.")] = "none",
    landmarks: Annotated[Path | None, typer.Option(help="CSV of landmarks, for --backend precomputed.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker processes; all cores where not given.")] = None,
) -> None:
    """Align the faces of every clip: one transform a clip, from its onset frame, applied to all its frames.

    Example: merprep align --frames all
    """
    from merprep import stages
    from merprep.faces import AlignConfig

    settings = {"backend": backend, "person": int(person) if person.isdigit() else person, "refine": refine,
                "reference_frames": reference_frames, "landmarks": str(landmarks or "")}  # fmt: skip
    config = AlignConfig.read(settings, where="merprep align")
    report = stages.align(out.workspace, config, frames=frames.value, jobs=jobs, device=device, progress=out.progress())
    out.stage(report)
    out.document({"counts": report.counts(), "skipped": report.reasons("skipped"), "failed": report.reasons("failed"),
                  "outputs": list(report.outputs)})  # fmt: skip
