"""`merprep flow`: aligned faces become flow, strain and regions in a feature file."""

from __future__ import annotations

from typing import Annotated

import typer

from merprep.cli.output import Output


def flow(
    out: Output,
    method: Annotated[str, typer.Option(help="tvl1, farneback, dis or opencv-tvl1.")] = "tvl1",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    size: Annotated[int, typer.Option(help="Height and width of the stored maps, in pixels.")] = 28,
    jobs: Annotated[int | None, typer.Option(help="Worker processes; all cores where not given.")] = None,
) -> None:
    """Compute onset-to-apex flow and optical strain, cut the four regions and write the feature file.

    Faces that are not aligned yet are aligned first.

    Example: merprep flow --size 28
    """
    from merprep import stages
    from merprep.features import FlowConfig

    config = FlowConfig.read({"method": method, "size": size}, where="merprep flow")
    path, report = stages.flow(out.workspace, config, jobs=jobs, device=device, progress=out.progress())
    out.stage(report)
    out.document({"features": str(path), "counts": report.counts(), "skipped": report.reasons("skipped"),
                  "failed": report.reasons("failed")})  # fmt: skip
