"""`merprep predict`: a trained run on new clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output


def predict(
    out: Output,
    run: Annotated[Path, typer.Argument(help="The folder of a run that was trained with --final.")],
    features: Annotated[Path, typer.Argument(help="A feature file of the new clips.")],
    out_file: Annotated[Path | None, typer.Option("--out", help="The CSV to write.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Predict new clips with the model of a run that was fitted on everybody.

    Where the new clips are labelled, those of people whom the model has not seen are scored.

    Example: merprep predict study/runs/htnet-sanity-1a2b3c4d new/features/flow-3f9a12c4.h5 --out new.csv
    """
    from merprep import training

    table = training.predict(run, features, device=device)
    counts = table["prediction"].value_counts()
    out.table(f"{len(table)} clips", ("class", "clips"), [(str(name), int(n)) for name, n in counts.items()])
    scores = training.scores_of_new(table)
    if scores is not None:
        found = {"all": scores.full, **scores.databases}
        rows = [(name, s.n, f"{s.uf1:.3f}", f"{s.uar:.3f}", f"{s.accuracy:.3f}") for name, s in found.items()]
        out.table("of people whom the model has not seen", ("", "clips", "UF1", "UAR", "accuracy"), rows)
    if out_file is not None:
        out.say(f"wrote {training.write_predictions(table, out_file)}")
    for note in table.attrs["notes"]:
        out.say(note)
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    out.document({"predictions": records, "scores": scores and scores.as_json(), "notes": table.attrs["notes"]})
