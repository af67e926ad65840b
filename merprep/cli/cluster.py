"""The options of work on more than one machine, which several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Distributed = Annotated[
    str | None, typer.Option(help="Carry the clips to dask or ray: a cluster here, or the one of --scheduler.")
]
Scheduler = Annotated[
    str | None, typer.Option(help="Its address (tcp://HOST:8786), or the scheduler file of Dask.", metavar="ADDRESS")
]
Shard = Annotated[
    str | None, typer.Option(help="Only number i of n parts of the clips, for `merprep merge`.", metavar="I/N")
]
