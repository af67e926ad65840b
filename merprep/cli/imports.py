"""`merprep import`: features that others published become a feature file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.command import add_command
from merprep.cli.output import Output

app = typer.Typer(no_args_is_help=True, help="Read published features into a feature file.")


def htnet_features(
    out: Output,
    folder: Annotated[Path, typer.Argument(help="The folder with the 28×28 PNG maps and their CSV.", metavar="DIR")],
) -> None:
    """Read the released 28×28 maps of the MEGC2019 composite (442 clips) and their CSV.

    Example: merprep import htnet-features ~/HTNet/datasets
    """
    from merprep import stages

    path, report = stages.import_htnet_features(out.workspace, folder, progress=out.progress())
    out.stage(report)
    out.document({"features": str(path), "counts": report.counts(), "failed": report.reasons("failed")})


add_command(app, htnet_features)
