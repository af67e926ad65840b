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
    """Predict new clips with the network of a run that was fitted on everybody.

    Example: merprep predict study/runs/htnet-sanity-1a2b3c4d new/features/flow-3f9a12c4.h5 --out new.csv
    """
    from merprep import training
    from merprep.store import written_whole

    table = training.predict(run, features, device=device)
    counts = table["prediction"].value_counts()
    out.table(f"{len(table)} clips", ("class", "clips"), [(str(name), int(n)) for name, n in counts.items()])
    if out_file is not None:
        with written_whole(out_file) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
        out.say(f"wrote {out_file}")
    out.document({"predictions": table.to_dict("records")})
