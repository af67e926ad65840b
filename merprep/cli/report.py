"""`merprep report`: one HTML page of everything that the workspace holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output


def report(
    out: Output,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    faces: Annotated[bool, typer.Option("--faces", help="Show pixels of persons too; mind the agreements.")] = False,
    features: Annotated[Path | None, typer.Option(help="The feature file; the one made last by itself.")] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The HTML file to write; report.html in the workspace by itself.")
    ] = None,
) -> None:
    """Write one self-contained page: data, alignment, motion, networks, published results, cost, how to repeat it.

    Example: merprep report --open
    """
    from merprep.report import write_report

    path = write_report(out.workspace, out_file, faces=faces, features=features)
    size = path.stat().st_size
    out.say(f"wrote {path} ({size / 1e6:.1f} MB, {'with' if faces else 'without'} faces)")
    if open_it:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    out.document({"report": str(path), "bytes": size, "faces": faces})
