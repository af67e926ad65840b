"""`merprep bench`: what this machine measures; the tables of the documentation are made by these commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from merprep.cli.command import add_command
from merprep.cli.output import Output

app = typer.Typer(no_args_is_help=True, help="Measure accuracy and speed on this machine.")

_Csv = Annotated[Path | None, typer.Option("--out", help="Also write the rows as CSV.")]


def align(out: Output, out_file: _Csv = None) -> None:
    """Measure what alignment costs, and how still it holds a face that was shifted by a known part of a pixel.

    Example: merprep bench align
    """
    from merprep.bench.align import align_cost, align_jitter

    _show(out, "Alignment, one thread", align_cost(), out_file)
    _show(out, "Displacement when each frame is aligned by itself, px", align_jitter(), None)


def train(
    out: Output,
    folds: Annotated[int, typer.Option(min=1, help="How many folds of each preset are trained.")] = 8,
    out_file: _Csv = None,
) -> None:
    """Measure what a fold of each small network costs, with one worker and with two.

    Example: merprep bench train --folds 4
    """
    from merprep.bench.train import train_cost

    _show(out, "Folds of random maps, 442 clips", train_cost(folds=folds), out_file)


def _show(out: Output, title: str, rows: Sequence[Any], path: Path | None) -> None:
    names = [field.name for field in fields(rows[0])]
    values = [astuple(row) for row in rows]
    out.table(title, names, values)
    out.document({title: [dict(zip(names, row, strict=True)) for row in values]})
    if path is not None:
        import pandas as pd

        pd.DataFrame(values, columns=names).to_csv(path, index=False, lineterminator="\n")
        out.say(f"wrote {path}")


for _function in (align, train):
    add_command(app, _function)
