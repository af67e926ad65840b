"""What the GPU engine of TV-L1 costs: a database's pairs in one call, beside the CPU engine on all cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from merprep.bench.known_motion import motion_pair
from merprep.errors import UsageError
from merprep.flow import estimator
from merprep.flow.devices import device_name
from merprep.flow.tvl1 import TvL1Parameters, level_sizes
from merprep.flow.tvl1_gpu import TvL1Gpu
from merprep.progress import Progress, Silent

if TYPE_CHECKING:
    from torch import Tensor

PAIRS = 442  # the clips of the composite database of MEGC 2019
SIZE = 224
_DRAWN = 16  # pairs that are drawn; the batch repeats them


@dataclass(frozen=True)
class FlowBatch:
    """One engine on the whole batch.

    Parameters
    ----------
    engine : str
        The GPU's name, or the CPU with its number of threads.
    size, pairs : int
    first_s : float
        Seconds of the first call, which compiles.
    ms : float
        The shortest later call, from arrays in memory to arrays in memory.
    pairs_per_s : float
    times_as_fast : float
        As the CPU engine on all cores.
    distance : float
        Mean distance of its flow from the CPU engine's, px.
    """

    engine: str
    size: int
    pairs: int
    first_s: float
    ms: float
    pairs_per_s: float
    times_as_fast: float
    distance: float


@dataclass(frozen=True)
class FlowTile:
    """The batch where it lies on the device, computed with one way of dividing the images.

    Parameters
    ----------
    tile : str
        Rows by columns of a program's tile; iterations that stay on chip; warps a program.
    ms : float
        The shortest run, without sending images and fetching fields.
    gigabytes : float
        What the launches move at least, see `bytes_moved`.
    copy_gb_per_s : float
        Bytes read and written a second by a large copy on the device, in this run.
    fraction_of_floor : float
        The time in which a copy would move those bytes, divided by the time taken; 1 is the floor.
    """

    tile: str
    ms: float
    gigabytes: float
    copy_gb_per_s: float
    fraction_of_floor: float


@dataclass(frozen=True)
class FlowGpuBench:
    """Both tables."""

    batches: tuple[FlowBatch, ...]
    tiles: tuple[FlowTile, ...]

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return both tables as plain values."""
        return {"batches": [asdict(row) for row in self.batches], "tiles": [asdict(row) for row in self.tiles]}


def flow_gpu(
    pairs: int = PAIRS,
    size: int = SIZE,
    *,
    repeats: int = 10,
    torch_device: str = "cuda",
    progress: Progress | None = None,
    **parameters: Any,
) -> FlowGpuBench:
    """Measure the GPU engine on one batch, beside the CPU engine on all cores, in one run.

    Parameters
    ----------
    pairs, size : int
    repeats : int
        Runs of which the shortest counts.
    torch_device : str
        "cpu" measures Triton's interpreter, which says nothing but that everything runs.
    **parameters
        See `merprep.flow.tvl1.TvL1Parameters`.

    Raises
    ------
    DeviceError
        Where there is no CUDA device.
    UsageError
        Where nothing would be measured.
    """
    if pairs < 1 or repeats < 1:
        raise UsageError("A measurement needs at least one pair and one repetition", found=f"{pairs} and {repeats}")
    gpu = TvL1Gpu(torch_device, **parameters)
    progress = progress or Silent()
    drawn = [motion_pair(size, 0.5, seed=seed) for seed in range(min(pairs, _DRAWN))]
    onset, apex = (
        np.resize(np.stack(images), (pairs, size, size))
        for images in ([pair.onset for pair in drawn], [pair.apex for pair in drawn])
    )
    progress.start("bench flow on the GPU", 3)
    batches = _batches(gpu, onset, apex, repeats, progress)
    tiles = _tiles(gpu, onset, apex, repeats)
    progress.advance()
    progress.finish()
    return FlowGpuBench(batches, tiles)


def _batches(
    gpu: TvL1Gpu, onset: NDArray[np.uint8], apex: NDArray[np.uint8], repeats: int, progress: Progress
) -> tuple[FlowBatch, ...]:
    cpu = estimator("tvl1", **gpu.parameters.model_dump())
    floats = onset.astype(np.float32), apex.astype(np.float32)
    cpu.prepare()
    cpu_first, cpu_best, expected = _timed(lambda: cpu.fields(*floats), min(repeats, 3))
    progress.advance()
    first, best, found = _timed(lambda: gpu.fields(onset, apex), repeats)
    progress.advance()
    distance = float(np.hypot(*np.moveaxis(found - expected, 1, 0)).mean())
    count, size = len(onset), onset.shape[1]

    def row(engine: str, first: float, best: float, distance: float) -> FlowBatch:
        return FlowBatch(engine, size, count, first, 1000 * best, count / best, cpu_best / best, distance)

    return (
        row(device_name(gpu.torch_device), first, best, distance),
        row(f"cpu, {min(os.cpu_count() or 1, count)} threads", cpu_first, cpu_best, 0.0),
    )


def _tiles(gpu: TvL1Gpu, onset: NDArray[np.uint8], apex: NDArray[np.uint8], repeats: int) -> tuple[FlowTile, ...]:
    import torch

    from merprep.flow.tvl1_batch import solve
    from merprep.flow.tvl1_launch import TILES, TritonSteps

    count, height, width = onset.shape
    held = gpu.pairs_at_once(height, width, count)
    first, second = (torch.from_numpy(images[:held]).to(gpu.torch_device).float() for images in (onset, apex))
    copied = _copy_rate(first, repeats)
    rows = []
    for tile in TILES:
        steps = TritonSteps(tile)

        def run(steps: TritonSteps = steps) -> None:
            solve(first, second, gpu.parameters, steps)
            _wait(first)

        best = _timed(run, repeats)[1]
        moved = held * bytes_moved(height, width, gpu.parameters, tile.halo)
        name = f"{tile.rows} x {tile.columns}, {tile.halo} iterations, {tile.warps} warps"
        rows.append(FlowTile(name, 1000 * best, moved / 1e9, copied / 1e9, moved / copied / best))
    return tuple(rows)


def _copy_rate(images: Tensor, repeats: int) -> float:
    """Return bytes read and written a second by a copy of at least 256 MB (less in the interpreter)."""
    import torch

    count = 1 << 26 if images.is_cuda else 1 << 20
    source, target = (torch.zeros(count, device=images.device) for _ in range(2))

    def run() -> None:
        target.copy_(source)
        _wait(images)

    return 2 * 4 * count / _timed(run, repeats)[1]


def _wait(images: Tensor) -> None:
    if images.is_cuda:
        import torch

        torch.cuda.synchronize()


def _timed(run: Callable[[], Any], repeats: int) -> tuple[float, float, Any]:
    """Return the seconds of the first call, those of the shortest of `repeats` later ones, and what the last gave."""
    seconds, result = [], None
    for _ in range(repeats + 1):
        started = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - started)
    return seconds[0], min(seconds[1:]), result


def bytes_moved(height: int, width: int, settings: TvL1Parameters, halo: int) -> int:
    """Return the bytes that the launches for one pair read and write at least: every plane once a launch.

    Halos that neighbouring tiles read twice do not count, so it is a floor for this division into launches.

    Parameters
    ----------
    height, width : int
    settings : TvL1Parameters
    halo : int
        Iterations a launch.

    Examples
    --------
    >>> bytes_moved(16, 16, TvL1Parameters(scales=1, warps=1, iterations=8, median=False), 4) / (4 * 16 * 16)
    49.0
    """
    launches = -(-settings.iterations // halo)
    # Warp: 3 planes in, 2 out. Linearise: 5 in, 3 out. Iterate: 9 in, 6 out. Median: 2 in, 2 out.
    a_warp = 5 + 8 + 15 * launches + (4 if settings.median else 0)
    sizes = [int(h * w) for h, w in level_sizes(height, width, settings.scales, settings.scale_step)]
    planes = 0
    for level, pixels in enumerate(sizes):
        planes += pixels * (4 + settings.warps * a_warp)  # the duals set to zero, then the warps
        if level > 0:
            planes += 2 * (sizes[0] + pixels)  # both images shrunk from the full size
            planes += 2 * pixels + 6 * sizes[level - 1]  # the flow grown to the next finer level, and scaled there
    return 4 * (planes + 2 * sizes[-1])  # the first flow set to zero
