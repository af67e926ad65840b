"""`merprep ingest`: a raw database becomes rows of the manifest."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from merprep.cli import completing
from merprep.cli.output import Output
from merprep.cli.planned import DryRun


class ErrataPolicy(StrEnum):
    """Which corrections apply."""

    default = "default"
    none = "none"


class MissingFrames(StrEnum):
    """What stands for a key frame that does not exist."""

    nearest = "nearest"
    keep = "keep"


class Verify(StrEnum):
    """How hard the frames are looked at."""

    none = "none"
    exists = "exists"
    decode = "decode"
    hash = "hash"


def ingest(
    out: Output,
    database: Annotated[
        str,
        typer.Argument(help="casme2, samm, smic-hs, … (see `merprep databases`).", autocompletion=completing.databases),
    ],
    root: Annotated[Path, typer.Argument(help="The folder that you unzipped the database to.")],
    annotations: Annotated[Path | None, typer.Option(help="The coding sheet, where it is not under ROOT.")] = None,
    extra: Annotated[
        Path | None, typer.Option(help="Another database's sheet that fields are taken from (SAMM's for SAMM-LV).")
    ] = None,
    variant: Annotated[str | None, typer.Option(help="A variant of the database, such as hs, vis or nir.")] = None,
    errata: Annotated[ErrataPolicy, typer.Option(help="Documented corrections: apply, or leave alone.")] = (
        ErrataPolicy.default
    ),
    missing_frames: Annotated[
        MissingFrames,
        typer.Option(help="A key frame that is not on disk: take the nearest that is, or keep the number."),
    ] = MissingFrames.nearest,
    verify: Annotated[Verify, typer.Option(help="Look at the frames: that they exist, decode, or hash.")] = Verify.none,
    dry_run: DryRun = False,
) -> None:
    """Read a raw database into the workspace's manifest: every row of the sheet and every folder is accounted for.

    Example: merprep ingest casme2 ~/data/CASME2 --workspace study
    """
    options: dict[str, Any] = {
        "variant": variant,
        "annotations": annotations,
        "extra": extra,
        "errata": errata.value,
        "missing_frames": missing_frames.value,
        "verify": verify.value,
    }
    if dry_run:
        from merprep.planning import plan_ingest

        out.plan(plan_ingest(database, root, **options))
        return
    from merprep import stages

    result = stages.ingest(out.workspace, database, root, **options, progress=out.progress())
    out.say(*result.lines())
    out.document(result.as_json())
    out.stage(result.report, then="merprep flow")
