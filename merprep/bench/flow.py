"""How accurate the flow methods are on known motion, and what they cost, side by side in one run."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from merprep.bench.flow_processes import FlowProcesses, flow_processes
from merprep.bench.known_motion import MotionPair, motion_pair, relative_epe
from merprep.errors import FlowError, UsageError
from merprep.flow import Estimator, estimator
from merprep.progress import Progress, Silent
from merprep.store.workspace import written_whole

SIZES = (112, 224)
AMPLITUDES = (0.25, 0.5, 1.0, 2.0)
COST_SIZES = (128, 224)
# The measured methods, in the order of the table's columns; all with their defaults.
METHODS = ("tvl1", "opencv-tvl1", "farneback", "dis")


@dataclass(frozen=True)
class FlowAccuracy:
    """One cell of the known-motion suite: mean relative end-point error of each method (1.0: as good as zero).

    Parameters
    ----------
    size : int
        Height and width, px.
    amplitude : float
        Peak of the true motion, px.
    noise : float
        Standard deviation, grey levels.
    faces : int
        How many faces the pairs show in turn; the first is the photograph.
    pairs : int
        How many fields were drawn.
    tvl1, opencv_tvl1, farneback, dis : float
        Mean end-point error divided by the mean length of the true field, averaged over the pairs.
    ratio : float
        Ours divided by OpenCV's TV-L1; below 1 where ours is better.
    """

    size: int
    amplitude: float
    noise: float
    faces: int
    pairs: int
    tvl1: float
    opencv_tvl1: float
    farneback: float
    dis: float
    ratio: float


@dataclass(frozen=True)
class FlowCost:
    """What one pair costs on one thread.

    Parameters
    ----------
    size : int
        Height and width, px.
    method : str
    ms : float
        The shortest of the repeated runs.
    times_as_fast : float
        As OpenCV's TV-L1 in the same run.
    """

    size: int
    method: str
    ms: float
    times_as_fast: float


@dataclass(frozen=True)
class FlowBench:
    """All tables; what was not measured is empty.

    Examples
    --------
    >>> bench = flow(sizes=(32,), amplitudes=(1.0,), cost_sizes=(32,), pairs=1, repeats=1)
    >>> len(bench.accuracy), [row.method for row in bench.cost]
    (1, ['tvl1', 'opencv-tvl1', 'farneback', 'dis'])
    """

    accuracy: tuple[FlowAccuracy, ...]
    cost: tuple[FlowCost, ...]
    processes: tuple[FlowProcesses, ...] = ()

    def tables(self) -> dict[str, tuple[Any, ...]]:
        """Return the rows of each table by its name."""
        return {"accuracy": self.accuracy, "cost": self.cost, "processes": self.processes}

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return all tables as plain values."""
        return {name: [asdict(row) for row in rows] for name, rows in self.tables().items()}

    def write_csv(self, folder: Path) -> tuple[Path, ...]:
        """Write ``flow-accuracy.csv``, ``flow-cost.csv`` and so on, those that have rows, and return their names."""
        paths = {name: folder / f"flow-{name}.csv" for name, rows in self.tables().items() if rows}
        for name, path in paths.items():
            _write(path, self.tables()[name])
        return tuple(paths.values())

    def write_figure(self, path: Path) -> Path:
        """Draw the error of each method over the amplitude, one panel a size, and return the file's name.

        The noise is that of the first cell of each size and amplitude.
        """
        from matplotlib.figure import Figure

        sizes = list(dict.fromkeys(row.size for row in self.accuracy))
        figure = Figure(figsize=(3.2 * max(len(sizes), 1), 3.2), layout="constrained")
        for number, size in enumerate(sizes, start=1):
            axes = figure.add_subplot(1, len(sizes), number)
            rows = list({row.amplitude: row for row in reversed(self.accuracy) if row.size == size}.values())[::-1]
            for name in METHODS:
                errors = [getattr(row, name.replace("-", "_")) for row in rows]
                axes.plot([row.amplitude for row in rows], errors, "o-", label=name, markersize=3)
            axes.axhline(1.0, color="grey", linewidth=0.8, linestyle=":")
            axes.set(title=f"{size} px", xlabel="amplitude, px", ylabel="relative EPE", xscale="log", yscale="log")
        if sizes:
            figure.axes[0].legend(fontsize=7)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
        return path

    def markdown(self) -> str:
        """Return all tables as the documentation prints them."""
        return "\n\n".join(_markdown(rows) for rows in self.tables().values() if rows) + "\n"


def flow(
    sizes: Sequence[int] = SIZES,
    amplitudes: Sequence[float] = AMPLITUDES,
    *,
    cost_sizes: Sequence[int] = COST_SIZES,
    pairs: int = 4,
    first_seed: int = 0,
    noise: float | Sequence[float] = 1.0,
    faces: int = 1,
    repeats: int = 25,
    processes: Sequence[int] = (),
    progress: Progress | None = None,
) -> FlowBench:
    """Run the known-motion suite, the cost table and, where asked, the table of processes and memory.

    Parameters
    ----------
    sizes, amplitudes : sequence
        Of the suite's cells, px.
    cost_sizes : sequence of int
        Sizes at which time is measured, px.
    pairs : int
        Fields a cell, drawn with the seeds from `first_seed` on.
    noise : float or sequence of float
        Standard deviation, grey levels; a cell for each.
    faces : int
        How many faces the pairs show in turn.
    repeats : int
        How often each method is timed; the methods take turns, so that a busy machine slows all of them.
    processes : sequence of int
        Numbers of processes that are compared; see `merprep.bench.flow_processes`.

    Raises
    ------
    UsageError
        Where nothing would be measured.
    MissingDependencyError
        Where the OpenCV build lacks a method.
    """
    if min(pairs, repeats, faces) < 1:
        raise UsageError("A measurement needs at least one pair, one face and one repetition",
                         found=f"{pairs}, {faces} and {repeats}")  # fmt: skip
    noises = (noise,) if isinstance(noise, float | int) else tuple(noise)
    progress = progress or Silent()
    engines = {name: estimator(name) for name in METHODS}
    cells = [(size, amplitude, level) for size in sizes for amplitude in amplitudes for level in noises]
    progress.start("bench flow", len(cells) + len(cost_sizes))
    accuracy = []
    for size, amplitude, level in cells:
        suite = [motion_pair(size, amplitude, seed=first_seed + k, noise=level, face=k % faces) for k in range(pairs)]
        accuracy.append(_accuracy(size, amplitude, level, faces, suite, engines))
        progress.advance()
    cost: list[FlowCost] = []
    for size in cost_sizes:
        cost.extend(_cost(size, engines, repeats))
        progress.advance()
    progress.finish()
    together = flow_processes(processes=processes, turns=repeats, progress=progress) if processes else []
    return FlowBench(tuple(accuracy), tuple(cost), tuple(together))


def _accuracy(
    size: int, amplitude: float, noise: float, faces: int, suite: list[MotionPair], engines: dict[str, Estimator[Any]]
) -> FlowAccuracy:
    onset, apex = (np.stack([getattr(pair, name) for pair in suite]).astype(np.float32) for name in ("onset", "apex"))
    errors = {}
    for name, engine in engines.items():
        try:
            found = engine.fields(onset, apex)
        except FlowError:  # DIS finds no pyramid in the smallest images
            errors[name] = float("nan")
            continue
        errors[name] = float(np.mean([relative_epe(f, pair.flow) for f, pair in zip(found, suite, strict=True)]))
    return FlowAccuracy(
        size=size,
        amplitude=amplitude,
        noise=float(noise),
        faces=faces,
        pairs=len(suite),
        tvl1=errors["tvl1"],
        opencv_tvl1=errors["opencv-tvl1"],
        farneback=errors["farneback"],
        dis=errors["dis"],
        ratio=errors["tvl1"] / errors["opencv-tvl1"],
    )


def _cost(size: int, engines: dict[str, Estimator[Any]], repeats: int) -> list[FlowCost]:
    pair = motion_pair(size, 0.5)
    onset, apex = (image[None].astype(np.float32) for image in (pair.onset, pair.apex))
    best = dict.fromkeys(engines, np.inf)
    for turn in range(repeats + 1):
        for name, engine in engines.items():
            started = time.perf_counter()
            engine.fields(onset, apex, threads=1)
            if turn > 0:  # the first turn compiles and fills caches
                best[name] = min(best[name], time.perf_counter() - started)
    return [FlowCost(size, name, 1000 * best[name], best["opencv-tvl1"] / best[name]) for name in engines]


def _write(path: Path, rows: Sequence[Any]) -> None:
    if not rows:
        return
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(rows[0])])
        writer.writerows([_short(value) for value in astuple(row)] for row in rows)


def _markdown(rows: Sequence[Any]) -> str:
    names = [field.name.replace("_", " ") for field in fields(rows[0])]
    lines = [names, ["---"] * len(names), *([_short(value) for value in astuple(row)] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
