"""`merprep show`: one clip as a figure, by two methods, or as it moves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output
from merprep.errors import UsageError


def show(
    out: Output,
    clip: Annotated[str, typer.Argument(help="A clip's id, such as casme2/sub01/EP02_01f, or its name alone.")],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The PNG, PDF or SVG to write; .gif, .webp or .mp4 with --animate.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="The flow method to draw; as in the feature file made last by itself.")
    ] = None,
    compare: Annotated[
        tuple[str, str] | None, typer.Option("--compare", metavar="METHOD METHOD", help="Two methods, on one scale.")
    ] = None,
    animate: Annotated[bool, typer.Option("--animate", help="The whole clip, from onset to offset.")] = False,
    rate: Annotated[float, typer.Option(help="Frames a second of the animation.")] = 8.0,
) -> None:
    """Draw onset, apex, landmarks, flow, strain and the four regions of one clip.

    Example: merprep show casme2/sub01/EP02_01f --compare tvl1 farneback --out figure.png
    """
    from merprep.report import animate_clip, compare_methods, show_clip

    if compare and (animate or method):
        raise UsageError("--compare goes with neither --animate nor --method", mend="ask for one of them")
    told: dict[str, object] = {}
    if compare:
        path, apart = compare_methods(out.workspace, clip, compare, path=out_file)
        out.say(f"mean distance between {compare[0]} and {compare[1]}: {apart:.3f} px")
        told = {"methods": list(compare), "mean_distance_px": apart}
    elif animate:
        path = animate_clip(out.workspace, clip, method=method, path=out_file, rate=rate)
    else:
        path = show_clip(out.workspace, clip, method=method, path=out_file)
    out.say(f"drew {path}")
    out.document({"figure": str(path), **told})
