"""`merprep cite`: the BibTeX of a database."""

from __future__ import annotations

from typing import Annotated

import typer

from merprep.cli.output import Output


def cite(out: Output, name: Annotated[str, typer.Argument(help="A database.")]) -> None:
    """Print the BibTeX entry of a database.

    Example: merprep cite samm
    """
    from merprep.databases import spec

    out.say(spec(name).bibtex.strip())
    out.document({"name": spec(name).id, "bibtex": spec(name).bibtex.strip()})
