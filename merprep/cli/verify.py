"""`merprep verify`: whether the raw files are still those that were ingested."""

from __future__ import annotations

from typing import Annotated

import typer

from merprep.cli.output import Output


def verify(
    out: Output,
    database: Annotated[
        list[str] | None, typer.Argument(help="Databases of the manifest; all where none is named.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Threads that read files; all cores where not given.")] = None,
) -> None:
    """Compare the raw files, the coding sheets and the list of clips with what was ingested.

    Files are compared by the hashes of `merprep ingest --verify hash`; without them, only by being there.

    Example: merprep verify casme2 --strict
    """
    from merprep import stages

    result = stages.verify(out.workspace, databases=database or None, jobs=jobs, progress=out.progress())
    out.say(*result.lines())
    out.document(result.as_json())
    out.stage(result.report)
    if not result.intact:
        out.failed()
