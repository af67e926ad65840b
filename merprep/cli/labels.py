"""`merprep labels`: how many clips of each class, beside the published counts."""

from __future__ import annotations

from typing import Annotated

import typer

from merprep.cli import completing
from merprep.cli.output import Output


def labels(
    out: Output,
    classes: Annotated[int | None, typer.Option(help="3 (MEGC2019), 5 or 7 unified classes.")] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="A label scheme by name, instead of --classes.", autocompletion=completing.schemes),
    ] = None,
) -> None:
    """Count the clips of each database and class under a label scheme, beside the published counts.

    Example: merprep labels --classes 3
    """
    from merprep.labels import count_table
    from merprep.labels import scheme as label_scheme
    from merprep.store import read_manifest

    chosen = label_scheme(scheme or classes or 3)
    manifest = read_manifest(out.workspace)
    counts = count_table(manifest.clips, chosen)
    # Equal digests: the same clips, with the same key frames.
    digest = manifest.digest([clip for clip in manifest.usable if chosen.labels(clip)])
    out.table(f"{chosen.name}: clips by class", counts.columns(), counts.rows())
    for line in counts.remarks():
        out.say(line)
    out.say(f"digest of the list of these {counts.total} clips: {digest}")
    out.document({**counts.as_json(), "digest": digest})
