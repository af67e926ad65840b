"""`merprep weights`: the published weights that backends need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.command import add_command
from merprep.cli.output import Output

app = typer.Typer(no_args_is_help=True, help="List, fetch or place the published weights that backends need.")


def list_(out: Output) -> None:
    """List the weights: what they are for, their licence, and whether they are here.

    Example: merprep weights list
    """
    from merprep import weights

    rows = weights.table()
    out.table(
        "Weights", ("name", "file", "bytes", "licence", "here"),
        [(row.name, row.file, row.bytes or "–", row.licence, str(row.path or "–")) for row in rows],
    )  # fmt: skip
    out.document({"weights": [row.as_json() for row in rows]})


def fetch(
    out: Output,
    name: Annotated[
        str | None, typer.Argument(help="One of `weights list`; all of the default backend's if none.")
    ] = None,
) -> None:
    """Fetch weights into the cache and check their SHA-256.

    Example: merprep weights fetch
    """
    from merprep import weights

    names = [name] if name else [row.name for row in weights.table() if row.default]
    paths = {each: str(weights.fetch(each, progress=out.progress())) for each in names}
    for each, path in paths.items():
        out.say(f"{each}: {path}")
    out.document(paths)


def add(out: Output, file: Annotated[Path, typer.Argument(help="A file that you downloaded yourself.")]) -> None:
    """Put a file that was downloaded by hand where merprep finds it, once its SHA-256 is checked.

    Example: merprep weights add ~/Downloads/face_landmarker.task
    """
    from merprep import weights

    placed = weights.add(file)
    out.say(f"placed {placed}")
    out.document({"placed": str(placed)})


for _function in (list_, fetch, add):
    add_command(app, _function)
