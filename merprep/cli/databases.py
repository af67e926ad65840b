"""`merprep databases`: what is supported, and where to ask for it."""

from __future__ import annotations

from typing import Annotated

import typer

from merprep.cli.output import Output


def databases(
    out: Output,
    name: Annotated[str | None, typer.Argument(help="One database, in detail.")] = None,
) -> None:
    """List the databases that merprep reads: counts, where to ask for them, how to cite them.

    Example: merprep databases casme2
    """
    from merprep import databases as rooms

    if name is None:
        specs = [rooms.spec(known) for known in rooms.names()]
        out.table("Databases", ("name", "title", "agreement"), [(s.id, s.title, s.agreement_url) for s in specs])
        out.document({"databases": [s.summary() for s in specs]})
        return
    summary = rooms.spec(name).summary()
    out.table(str(summary["title"]), ("", ""), [(key, str(value)) for key, value in summary.items()])
    out.document(summary)
