"""`merprep merge`: the files of shards become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from merprep.cli.output import Output


def merge(
    out: Output,
    shards: Annotated[
        list[Path] | None, typer.Argument(help="Folders of shards; those of the workspace where none is named.")
    ] = None,
) -> None:
    """Make of all shards the files that one run over all clips would have made.

    Shards are what `--shard i/n` of align and flow leaves, in the workspace's folder `shards`.

    Example: merprep merge
    """
    from merprep import stages

    result = stages.merge(out.workspace, shards or (), progress=out.progress())
    out.stage(result.report, then="merprep train --preset sanity")
    out.document({"files": [str(path) for path in result.files], "shards": [str(path) for path in result.shards],
                  "counts": result.report.counts()})  # fmt: skip
