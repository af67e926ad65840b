"""`merprep train`: a network leaving one subject out, its honest score beside the optimistic one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output


class Selection(StrEnum):
    """Which epoch's predictions are printed as the chosen ones."""

    last = "last"
    inner = "inner"
    test_oracle = "test-oracle"


def train(
    out: Output,
    model: Annotated[str, typer.Option(help="htnet, ststnet, svm or majority.")] = "htnet",
    preset: Annotated[str, typer.Option(help="published (hours, or a GPU), sanity (minutes), …")] = "published",
    features: Annotated[Path | None, typer.Option(help="A feature file; the newest where not given.")] = None,
    classes: Annotated[int | None, typer.Option(help="3 (MEGC2019), 5 or 7 unified classes.")] = None,
    scheme: Annotated[str | None, typer.Option(help="A label scheme by name, instead of --classes.")] = None,
    protocol: Annotated[str, typer.Option(help="loso: leave one person out.")] = "loso",
    selection: Annotated[
        Selection,
        typer.Option(help="last epoch, or by inner validation persons; test-oracle is optimistic (much literature)."),
    ] = Selection.last,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds; scores are means over them.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    jobs: Annotated[int | None, typer.Option(help="Worker processes; all cores where not given.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Fewer or more epochs than the recipe says (recorded).")] = None,
    max_folds: Annotated[int | None, typer.Option(help="Only the first folds: a trial, marked as such.")] = None,
    final: Annotated[bool, typer.Option("--final", help="Also fit on everybody, for `merprep predict`.")] = False,
) -> None:
    """Train leaving one person out, pool the predictions, and print the honest score beside the optimistic one.

    A run that was interrupted continues with the folds that are missing.

    Example: merprep train --model htnet --preset sanity --seeds 3
    """
    from merprep import training

    result = training.train(
        features or out.workspace.latest_features(),
        model=model,
        preset=preset,
        scheme=scheme or classes or 3,
        protocol=protocol,
        selection=selection.value,
        seeds=seeds,
        device=device,
        jobs=jobs,
        epochs=epochs,
        max_folds=max_folds,
        final=final,
        runs_folder=out.workspace.runs,
        progress=out.progress(),
    )
    columns, rows = result.table()
    out.table(result.title(), columns, rows)
    for line in result.remarks():
        out.say(line)
    out.document(result.as_json())
