"""`merprep export`: features for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from merprep.cli import completing
from merprep.cli.output import Output


class Target(StrEnum):
    """What a feature file can be written as."""

    csv = "csv"
    npz = "npz"
    htnet_folders = "htnet-folders"


def export(
    out: Output,
    to: Annotated[Target, typer.Option(help="csv (two tables), npz (one NumPy archive) or htnet-folders.")],
    file: Annotated[Path | None, typer.Argument(help="A feature file; the one made last where not given.")] = None,
    target: Annotated[Path | None, typer.Option("--out", help="The folder or file to write.")] = None,
    classes: Annotated[int | None, typer.Option(help="3 (MEGC2019), 5 or 7 unified classes.")] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="A label scheme by name, instead of --classes.", autocompletion=completing.schemes),
    ] = None,
) -> None:
    """Write features as tables, as a NumPy archive, or as the folders that HTNet's and STSTNet's scripts read.

    Example: merprep export study/features/flow-3f9a12c4.h5 --to htnet-folders --out ~/HTNet/datasets
    """
    from merprep import stages

    features = file or out.workspace.latest_features()
    path, report = stages.export(
        features, to.value, target, scheme_name=scheme or classes or 3, workspace=out.workspace
    )
    out.stage(report)
    out.document({"out": str(path), "counts": report.counts(), "skipped": report.reasons("skipped")})
