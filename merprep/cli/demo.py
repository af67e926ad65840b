"""`merprep demo`: the whole line on rendered databases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output


def demo(
    out: Output,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the demonstration is written.")] = Path(
        "merprep-demo"
    ),
    report: Annotated[bool, typer.Option(help="Draw figures and write the report.")] = True,
) -> None:
    """Write three rendered databases and run ingest, align, flow and train on them.

    Example: merprep demo try-it
    """
    from merprep.demo import run_demo

    result = run_demo(folder, figures=report, progress=out.progress(), say=out.say)
    columns, rows = result.training.table()
    out.table(result.training.title(), columns, rows)
    for line in result.training.remarks():
        out.say(line)
    for path in result.figures:
        out.say(f"  drew {path}")
    if result.report is not None:
        out.say(f"  wrote {result.report}")
    out.next_step(result.next_step)
    out.document(result.as_json())
