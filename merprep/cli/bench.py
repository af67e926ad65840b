"""`merprep bench`: what this machine measures; the tables of the documentation are made by these commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from merprep.cli import bench_robustness
from merprep.cli.command import add_command
from merprep.cli.output import Output
from merprep.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Measure accuracy and speed on this machine.")

_Csv = Annotated[Path | None, typer.Option("--out", help="Also write the rows as CSV.")]


def flow(
    out: Output,
    pairs: Annotated[int, typer.Option(min=1, help="Known fields in each cell of the suite.")] = 4,
    seed: Annotated[int, typer.Option(help="The first field's seed.")] = 0,
    sizes: Annotated[str, typer.Option(help="Sizes of the cells, with commas, px.")] = "112,224",
    amplitudes: Annotated[str, typer.Option(help="Peaks of the true motion, with commas, px.")] = "0.25,0.5,1,2",
    noise: Annotated[str, typer.Option(help="Standard deviations of the noise, with commas, grey levels.")] = "1",
    faces: Annotated[int, typer.Option(min=1, help="Faces that the pairs show in turn.")] = 1,
    processes: Annotated[str, typer.Option(help='Numbers of processes to compare, with commas; "" for none.')] = "1,2",
    out_folder: Annotated[Path | None, typer.Option("--out", help="Also write tables and figure here.")] = None,
    device: Annotated[str, typer.Option(help="cpu; or cuda: 442 pairs in one call, beside the CPU engine.")] = "cpu",
) -> None:
    """Measure accuracy on known micro-motion and time on one thread, beside OpenCV's methods; then several processes.

    Relative EPE: mean end-point error divided by the mean length of the true field; 1 is no better than zero.

    Example: merprep bench flow --pairs 8
    """
    if device != "cpu":
        _flow_gpu(out, device, out_folder)
        return
    from merprep.bench.flow import flow as measure

    cells = {"sizes": _numbers(sizes, "--sizes", int), "amplitudes": _numbers(amplitudes, "--amplitudes", float),
             "noise": _numbers(noise, "--noise", float)}  # fmt: skip
    together = _numbers(processes, "--processes", int) if processes else []
    result = measure(**cells, pairs=pairs, faces=faces, first_seed=seed, processes=together, progress=out.progress())
    _table(out, "Relative EPE on known motion", result.accuracy)
    _table(out, "Time of one pair on one thread", result.cost)
    if result.processes:
        _table(out, "Several processes, and the memory of one", result.processes)
    if out_folder is not None:
        for path in (*result.write_csv(out_folder), result.write_figure(out_folder / "flow-accuracy.png")):
            out.say(f"wrote {path}")
    out.document(result.as_json())


def _numbers(text: str, option: str, kind: type[int] | type[float]) -> Any:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError("These are not numbers with commas between them", where=option, found=text) from error


def _flow_gpu(out: Output, device: str, folder: Path | None) -> None:
    from merprep.bench.flow_gpu import flow_gpu
    from merprep.flow.checks import resolved_device
    from merprep.flow.devices import require_cuda

    if resolved_device(device, "tvl1", ("cpu", "cuda")) == "cpu":
        require_cuda()
    result = flow_gpu(progress=out.progress())
    _table(out, "All pairs in one call", result.batches)
    _table(out, "On the device alone, by tile", result.tiles)
    if folder is not None:
        _write(out, result.batches, folder / "flow-gpu-batches.csv")
        _write(out, result.tiles, folder / "flow-gpu-tiles.csv")
    out.document(result.as_json())


def pipeline(
    out: Output,
    clips: Annotated[int, typer.Option(min=1, help="Rendered clips of 640 by 480, laid out as CASME II.")] = 255,
    preset: Annotated[str, typer.Option(help="A preset of `merprep flow`.")] = "default",
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    out_file: _Csv = None,
) -> None:
    """Measure the whole line, from raw frames to a finished feature file, by stage and by step.

    Example: merprep bench pipeline --clips 48
    """
    from merprep.bench.pipeline import pipeline as measure
    from merprep.features import flow_preset

    result = measure(clips, config=flow_preset(preset), jobs=jobs)
    _table(out, "From raw frames to features, wall clock", result.stages)
    _table(out, "One clip on one thread", result.steps)
    _write(out, result.stages, out_file)
    out.document({"stages": [asdict(row) for row in result.stages], "steps": [asdict(row) for row in result.steps]})


def head_motion(
    out: Output,
    pairs: Annotated[int, typer.Option(min=1, help="Known fields in each cell.")] = 4,
    seed: Annotated[int, typer.Option(help="The first field's seed.")] = 0,
    model: Annotated[str, typer.Option(help="similarity or affine.")] = "similarity",
    out_file: _Csv = None,
) -> None:
    """Measure what is left of a head's motion after it was removed, against heads that keep still.

    Example: merprep bench head-motion --pairs 8
    """
    from merprep.bench.head_motion import head_motion_errors

    rows = head_motion_errors(pairs=pairs, first_seed=seed, model=model)  # type: ignore[arg-type]
    _table(out, "Relative EPE of facial motion beside a moving head", rows)
    _write(out, rows, out_file)
    out.document({"head_motion": [asdict(row) for row in rows]})


def align(
    out: Output,
    clips: Annotated[
        int | None, typer.Option(min=10, help="Align that many rendered clips instead, stopped halfway and continued.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes, with --clips.")] = 2,
    out_file: _Csv = None,
) -> None:
    """Measure what alignment costs, and how still it holds a face that was shifted by a known part of a pixel.

    Example: merprep bench align --clips 100
    """
    if clips is not None:
        from merprep.bench.align_run import align_run

        run = align_run(clips, jobs=jobs, progress=out.progress())
        _table(out, "Alignment of many clips, stopped halfway and continued", [run])
        _write(out, [run], out_file)
        out.document({"run": asdict(run)})
        return
    from merprep.bench.align import align_cost, align_jitter

    cost, jitter = align_cost(), align_jitter()
    _table(out, "Alignment, one thread", cost)
    _table(out, "Displacement when each frame is aligned by itself, px", jitter)
    _write(out, cost, out_file)
    out.document({"cost": [asdict(row) for row in cost], "jitter": [asdict(row) for row in jitter]})


def spot(
    out: Output,
    clips: Annotated[int, typer.Option(min=1, help="Rendered clips in each cell.")] = 12,
    seed: Annotated[int, typer.Option(help="The first clip's seed.")] = 1000,
    out_file: _Csv = None,
) -> None:
    """Measure by how many frames a spotted apex is off, on rendered clips at 100 and 200 frames a second.

    Example: merprep bench spot --clips 4
    """
    from merprep.bench.spot import spot_errors

    rows = spot_errors(clips=clips, first_seed=seed, progress=out.progress())
    _table(out, "Distance from the true apex, frames", rows)
    _write(out, rows, out_file)
    out.document({"spot": [asdict(row) for row in rows]})


def train(
    out: Output,
    folds: Annotated[int, typer.Option(min=1, help="How many folds of each preset are trained.")] = 8,
    epochs: Annotated[int, typer.Option(min=1, help="For how many epochs.")] = 4,
    models: Annotated[
        str, typer.Option(help="Networks by name, with commas; all small ones, or HTNet on a GPU, where not given.")
    ] = "",
    preset: Annotated[str | None, typer.Option(help="Their preset: sanity by itself, published on a GPU.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes of the last column; all cores if not given.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu; or cuda: the steps of HTNet as published alone.")] = "cpu",
    out_file: _Csv = None,
) -> None:
    """Measure what training costs: folds of small networks side by side, and one network's steps, captured or not.

    Example: merprep bench train --folds 4 --models flow-cnn
    """
    from merprep.bench.train import PRESETS, train_cost
    from merprep.bench.train_steps import step_cost

    chosen = preset or ("sanity" if device == "cpu" else "published")
    presets = [(name.strip(), chosen) for name in models.split(",")] if models else []
    cost = train_cost(presets or PRESETS, folds=folds, epochs=epochs, jobs=jobs) if device == "cpu" else []
    if cost:
        _table(out, "Milliseconds a fold and epoch on random maps, 442 clips", cost)
    steps = step_cost(presets, device=device, epochs=2 * epochs)
    _table(out, "Milliseconds an epoch of one network, its steps one after the other and captured", steps)
    _write(out, cost or steps, out_file)
    out.document({"cost": [asdict(row) for row in cost], "steps": [asdict(row) for row in steps]})


def workers(
    out: Output,
    clips: Annotated[int, typer.Option(min=1, help="Rendered clips of 640 by 480, laid out as CASME II.")] = 96,
    engine: Annotated[str, typer.Option(help="dask or ray.")] = "dask",
    many: Annotated[int, typer.Option("--workers", min=2, help="Processes, compared with one.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="How often both are timed, by turns.")] = 3,
    out_file: _Csv = None,
) -> None:
    """Measure what a cluster of several workers on this machine does in the time of one worker.

    Example: merprep bench workers --clips 48
    """
    from merprep.bench.workers import worker_throughput

    rows = worker_throughput(clips, engine=engine, workers=many, rounds=rounds, progress=out.progress())
    _table(out, "Align and flow on a cluster of this machine", rows)
    _write(out, rows, out_file)
    out.document({"workers": [asdict(row) for row in rows]})


def _table(out: Output, title: str, rows: Sequence[Any]) -> None:
    out.table(title, [field.name for field in fields(rows[0])], [astuple(row) for row in rows])


def _write(out: Output, rows: Sequence[Any], path: Path | None) -> None:
    if path is None:
        return
    import pandas as pd

    pd.DataFrame([asdict(row) for row in rows]).to_csv(path, index=False, lineterminator="\n")
    out.say(f"wrote {path}")


for _function in (
    flow,
    head_motion,
    pipeline,
    align,
    spot,
    train,
    workers,
    bench_robustness.stress,
    bench_robustness.scale,
    bench_robustness.fuzz,
):
    add_command(app, _function)
