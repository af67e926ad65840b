"""`merprep score`: predictions or weights from anywhere, scored as merprep scores its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli import completing
from merprep.cli.checkpoints import score_folder
from merprep.cli.output import Output


def score(
    out: Output,
    predictions: Annotated[
        Path,
        typer.Argument(
            help="A CSV with truth and prediction; person, database, seed, id. Or a folder of weights, one a person."
        ),
    ],
    classes: Annotated[str | None, typer.Option(help="The declared classes, with commas between.")] = None,
    scheme: Annotated[
        str | None, typer.Option(help="A label scheme, or 3, 5 or 7, whose classes are declared.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Of a folder of weights: whose they are.", autocompletion=completing.models)
    ] = "ststnet",
    preset: Annotated[
        str, typer.Option(help="Of weights: their configuration, and what they are given.")
    ] = "published",
    features: Annotated[Path | None, typer.Option(help="For weights: features; the newest where not given.")] = None,
    device: Annotated[str, typer.Option(help="For weights: cpu or cuda.")] = "cpu",
    out_file: Annotated[
        Path | None, typer.Option("--out", help="For weights: the CSV of predictions to write.")
    ] = None,
) -> None:
    """Score a table of pooled predictions: UF1, UAR, accuracy, by class and database, with an interval over persons.

    A folder of published weights, one file a person (sub01.pth, 006.pth), is scored too: each predicts the person that
    it was trained without.

    Example: merprep score mine.csv --scheme megc2019
    """
    if predictions.is_dir():
        score_folder(
            out,
            predictions,
            model=model,
            preset=preset,
            features=features,
            scheme=scheme or "megc2019",
            device=device,
            out_file=out_file,
        )
        return
    from merprep import labels
    from merprep.evaluation import score_file

    declared = [name.strip() for name in classes.split(",")] if classes else None
    if scheme is not None:
        declared = list(labels.scheme(scheme).classes)
    found = score_file(predictions, declared)
    parts = {"all": found["full"], **found["databases"]}
    rows = [
        [name, s["n"], *(f"{s[score]:.3f}" for score in ("uf1", "uar", "accuracy")), _span(s)]
        for name, s in parts.items()
    ]
    out.table(
        f"{found['full']['n']} clips, seeds: {found['seeds']}",
        ("", "clips", "UF1", "UAR", "accuracy", "95 % of UF1"),
        rows,
    )
    by_class = [
        [name, *(f"{found['full'][score][name]:.3f}" for score in ("recall", "precision", "f1"))]
        for name in found["classes"]
    ]
    out.table("by class", ("class", "recall", "precision", "F1"), by_class)
    if declared is None:
        out.say("No classes were declared: one that nobody shows or names is not counted.")
    out.document(found)


def _span(scores: dict[str, object]) -> str:
    interval = scores["interval"]
    if not isinstance(interval, dict):
        return "–"
    low, high = interval["uf1"]
    return f"{low:.3f}–{high:.3f}"
