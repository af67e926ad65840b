"""`merprep bench stress`, `scale` and `fuzz`: what kills, large numbers and spoilt files do."""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output
from merprep.errors import UsageError

_Csv = Annotated[Path | None, typer.Option("--out", help="Also write the rows as CSV.")]
_Folder = Annotated[
    Path | None, typer.Option(help="Where it happens: another disk, a network file system; a temporary folder else.")
]


def stress(
    out: Output,
    kills: Annotated[int, typer.Option(min=1, help="In all, shared evenly between the stages.")] = 200,
    clips: Annotated[int, typer.Option(min=8, help="Of the small database that is used.")] = 24,
    seed: Annotated[int, typer.Option(help="Of the instants.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes of the stages.")] = 1,
    folder: _Folder = None,
    out_file: _Csv = None,
) -> None:
    """Kill stages at random instants, start them again, and compare with undisturbed runs.

    Example: merprep bench stress --kills 50
    """
    from merprep.bench.stress import as_json
    from merprep.bench.stress import stress as measure

    rows = measure(kills, clips=clips, seed=seed, jobs=jobs, folder=folder, progress=out.progress())
    out.table("Stages killed and started again", [field.name for field in fields(rows[0])], [astuple(r) for r in rows])
    _write(out, as_json(rows)["stress"], out_file)
    out.document(as_json(rows))
    if any(row.differences for row in rows):
        out.exit_code = 1


def scale(
    out: Output,
    counts: Annotated[str, typer.Option(help="Numbers of clips, ascending, with commas.")] = "1000,10000",
    folder: _Folder = None,
    out_file: _Csv = None,
) -> None:
    """Measure memory and time of a clip in ingest, align and flow, for ever more clips with tiny pictures.

    Example: merprep bench scale --counts 1000,20000
    """
    from merprep.bench.scale import as_json
    from merprep.bench.scale import scale as measure

    try:
        numbers = [int(part) for part in counts.split(",")]
    except ValueError as error:
        raise UsageError("These are not numbers with commas between them", where="--counts", found=counts) from error
    rows = measure(numbers, folder=folder, progress=out.progress())
    out.table("Memory and time by number of clips", [f.name for f in fields(rows[0])], [astuple(row) for row in rows])
    _write(out, as_json(rows)["scale"], out_file)
    out.document(as_json(rows))


def fuzz(
    out: Output,
    inputs: Annotated[int, typer.Option(min=1, help="Mutated files in all, shared evenly between the kinds.")] = 2000,
    seed: Annotated[int, typer.Option(help="The first one of each kind.")] = 0,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; may be given several times.")] = None,
    out_file: _Csv = None,
) -> None:
    """Spoil whole files of every kind at random, read them, and see how that ends.

    Example: merprep bench fuzz --inputs 200
    """
    from dataclasses import asdict

    from merprep.bench.fuzz import fuzz as measure

    result = measure(inputs, seed=seed, only=kind or (), progress=out.progress())
    names = [field.name for field in fields(result.counts[0])]
    out.table("Mutated files", names, [astuple(count) for count in result.counts])
    out.say(*result.failures)
    _write(out, [asdict(count) for count in result.counts], out_file)
    out.document({"fuzz": [asdict(count) for count in result.counts], "failures": result.failures})
    if result.failures:
        out.exit_code = 1


def _write(out: Output, rows: list[dict[str, object]], path: Path | None) -> None:
    if path is None:
        return
    import pandas as pd

    pd.DataFrame(rows).to_csv(path, index=False, lineterminator="\n")
    out.say(f"wrote {path}")
