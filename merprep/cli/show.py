"""`merprep show`: one figure of one clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output


def show(
    out: Output,
    clip: Annotated[str, typer.Argument(help="A clip's id, such as casme2/sub01/EP02_01f, or its name alone.")],
    out_file: Annotated[Path | None, typer.Option("--out", help="The PNG to write.")] = None,
    method: Annotated[str, typer.Option(help="The flow method to draw.")] = "tvl1",
) -> None:
    """Draw onset, apex, landmarks, flow, strain and the four regions of one clip.

    Example: merprep show casme2/sub01/EP02_01f --out figure.png
    """
    from merprep.report import show_clip

    path = show_clip(out.workspace, clip, method=method, path=out_file)
    out.say(f"drew {path}")
    out.document({"figure": str(path)})
