"""`merprep temporal`: aligned clips of a fixed length, or with motions made larger."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from merprep.cli.cluster import Distributed, Scheduler
from merprep.cli.output import Output
from merprep.errors import UsageError


def temporal(
    out: Output,
    length: Annotated[int | None, typer.Option(min=2, help="Frames of every clip; all where not given.")] = None,
    method: Annotated[
        str, typer.Option(help="How that many frames are made: tim, linear (interpolation) or uniform (sampling).")
    ] = "tim",
    magnify: Annotated[
        float | None, typer.Option(help="Motions are made larger by this factor and one (Eulerian, linear).")
    ] = None,
    band: Annotated[str, typer.Option(help="Frequencies that are magnified, Hz, with a comma.")] = "0.5,4",
    wavelength: Annotated[float, typer.Option(help="Finer detail than this is magnified less, px.")] = 16.0,
    fps: Annotated[float | None, typer.Option(help="Frames a second, in place of the manifest's.")] = None,
    span: Annotated[str, typer.Option(help="onset-offset, onset-apex or all frames.")] = "onset-offset",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    jobs: Annotated[int | None, typer.Option(help="Worker processes; all cores where not given.")] = None,
    distributed: Distributed = None,
    scheduler: Scheduler = None,
) -> None:
    """Interpolate, sample or magnify the frames of every aligned clip, into another file of aligned faces.

    `merprep flow --temporal ID` computes flow from it; the id is printed. Faces are aligned first, as `merprep align`
    would without options, or as merprep.toml says.

    Example: merprep temporal --length 16
    """
    from merprep import stages
    from merprep.engines import open_engine
    from merprep.stages.temporal import temporal_path
    from merprep.temporal import TemporalConfig

    values: dict[str, Any] = {"align": out.study.align_config(), "span": span, "length": length, "method": method}
    if magnify is not None:
        low, high = _band(band)
        values["magnify"] = {"factor": magnify, "low": low, "high": high, "wavelength": wavelength, "fps": fps}
    config = TemporalConfig.read(values, where="merprep temporal")
    with open_engine(distributed, scheduler, jobs=jobs) as workers:
        report = stages.temporal(
            out.workspace, config, jobs=jobs, device=device, progress=out.progress(), workers=workers
        )
    out.stage(report, then=f"merprep flow --temporal {config.config_id()}")
    out.document({"id": config.config_id(), "file": str(temporal_path(out.workspace, config)),
                  "counts": report.counts(), "skipped": report.reasons("skipped"),
                  "failed": report.reasons("failed")})  # fmt: skip


def _band(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError("A band is two numbers with a comma between", where="--band", found=text) from error
    return low, high
