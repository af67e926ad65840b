"""`merprep compare`: a paired test between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output


def compare(
    out: Output,
    first: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    second: Annotated[Path, typer.Argument(help="The folder of another, on the same clips and classes.")],
    resamples: Annotated[int, typer.Option(min=100, help="Random ways of swapping, and resamples.")] = 10_000,
) -> None:
    """Test whether one run is better than another, person by person, by their honest predictions.

    Example: merprep compare runs/flow-cnn-default-1a2b3c4d runs/svm-default-5e6f7a8b
    """
    from merprep import training

    found = training.compare_runs(first, second, resamples=resamples)
    out.table(found.title(), *found.table())
    for line in found.remarks():
        out.say(line)
    out.document(found.as_json())
