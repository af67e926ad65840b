"""`merprep flow`: aligned faces become flow, strain and regions in a feature file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from merprep.cli import completing
from merprep.cli.cluster import Distributed, Scheduler, Shard
from merprep.cli.output import Output
from merprep.cli.planned import DryRun


def flow(
    out: Output,
    preset: Annotated[
        str | None,
        typer.Option(
            help="default, still, steady, fast, opencv, ststnet or htnet-casme3; the options below go first.",
            autocompletion=completing.flow_presets,
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="tvl1, farneback, dis, opencv-tvl1, opencv-deepflow, opencv-rlof or raft.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Height and width of the stored maps, in pixels; 28 by itself.")
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="Channels in order, with commas: u,v,strain,magnitude,orientation,divergence,curl..."),
    ] = None,
    pair: Annotated[str | None, typer.Option(help="onset-apex or apex-offset.")] = None,
    average: Annotated[int | None, typer.Option(help="Frames averaged on each side of both, against noise.")] = None,
    head_motion: Annotated[
        str | None, typer.Option(help="none, similarity (by itself) or affine: the motion of the head that is removed.")
    ] = None,
    mask_eyes: Annotated[
        bool | None, typer.Option("--mask-eyes/--no-mask-eyes", help="No flow on eyes and lids.")
    ] = None,
    regions: Annotated[
        str | None,
        typer.Option(help="Further region sets, with commas: five-with-nose, whole-face, face-parts, action-units..."),
    ] = None,
    region_edges: Annotated[
        str | None, typer.Option(help="Edges of regions: exact (parts of a pixel; by itself) or snapped.")
    ] = None,
    temporal: Annotated[
        str | None, typer.Option(help="Frames made by `merprep temporal`: the id that it printed, or its file.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker processes; all cores where not given.")] = None,
    distributed: Distributed = None,
    scheduler: Scheduler = None,
    shard: Shard = None,
    dry_run: DryRun = False,
) -> None:
    """Compute onset-to-apex flow and optical strain, cut the four regions and write the feature file.

    Faces that are not aligned yet are aligned first.

    Example: merprep flow --size 56 --channels u,v,strain,magnitude
    """
    from merprep import stages
    from merprep.engines import open_engine

    given: dict[str, Any] = {
        "method": method,
        "size": size,
        "channels": channels and tuple(name.strip() for name in channels.split(",")),
        "pair": pair,
        "average": average,
        "head_motion": head_motion,
        "mask_eyes": mask_eyes,
        "regions": regions,
        "region_edges": region_edges,
    }
    if temporal is not None:
        made = stages.read_temporal_config(out.workspace, temporal)
        given |= {"align": made.align, "temporal": made.steps()}
    config = out.study.flow_config(preset=preset, **given)
    how = out.study.running("flow", device=device, jobs=jobs)
    if dry_run:
        from merprep.planning import plan_flow

        out.plan(*plan_flow(out.workspace, config))
        return
    options: dict[str, Any] = {"jobs": how.jobs, "device": how.device, "progress": out.progress()}
    with open_engine(distributed, scheduler, jobs=how.jobs) as workers:
        if shard is None:
            _, report = stages.flow(out.workspace, config, workers=workers, **options)
        else:
            report = stages.flow_shard(out.workspace, shard, config=config, workers=workers, **options)
    out.stage(report, then="merprep train --preset sanity" if shard is None else "merprep merge")
    out.document({"features": next(iter(report.outputs), None), "counts": report.counts(),
                  "skipped": report.reasons("skipped"), "failed": report.reasons("failed")})  # fmt: skip
