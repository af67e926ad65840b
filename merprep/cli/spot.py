"""`merprep spot`: an apex for clips that were annotated without one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.cluster import Distributed, Scheduler
from merprep.cli.output import Output


class Method(StrEnum):
    """How the apex is found."""

    flow = "flow"
    dnc_rois = "dnc-rois"


def spot(
    out: Output,
    database: Annotated[
        list[str] | None, typer.Argument(help="Databases of the manifest; all where none is named.")
    ] = None,
    method: Annotated[Method, typer.Option(help="Optical flow; or D&C-RoIs-like, by texture.")] = Method.flow,
    backend: Annotated[str, typer.Option(help="Landmark backend; auto is mesh.")] = "auto",
    landmarks: Annotated[Path | None, typer.Option(help="CSV of landmarks, for --backend precomputed.")] = None,
    least_confidence: Annotated[float, typer.Option(min=0, max=1, help="Below it the midpoint is kept.")] = 0.5,
    mask_eyes: Annotated[bool, typer.Option(help="Leave the eyes out, so that a blink is no apex.")] = True,
    jobs: Annotated[int | None, typer.Option(help="Worker processes; all cores where not given.")] = None,
    distributed: Distributed = None,
    scheduler: Scheduler = None,
) -> None:
    """Find the apex of clips that have only a midpoint, and write it into the manifest as `spotted`.

    Annotated apices stay as they are. `merprep ingest` brings the midpoints back.

    Example: merprep spot smic
    """
    from merprep import stages
    from merprep.engines import open_engine
    from merprep.temporal import SpotConfig

    align = {"backend": backend, "landmarks": str(landmarks or ""), "size": SpotConfig().align.size}
    values = {"align": align, "method": method.value, "least_confidence": least_confidence, "mask_eyes": mask_eyes}
    config = SpotConfig.read(values, where="merprep spot")
    with open_engine(distributed, scheduler, jobs=jobs) as workers:
        report = stages.spot(
            out.workspace, config, databases=database or None, jobs=jobs, progress=out.progress(), workers=workers
        )
    out.stage(report, then="merprep flow")
    out.document({"counts": report.counts(), "skipped": report.reasons("skipped"), "failed": report.reasons("failed"),
                  "outputs": list(report.outputs)})  # fmt: skip
