"""A process that computes flow when it is told to, and says how long it took and how much memory it ever held.

``python -m merprep.bench.flow_child SIZE`` prints ``ready``; then, for each line with a number of pairs on its input,
the seconds of the processor that they took; at the end of its input, the most memory it held, in megabytes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from merprep.flow import estimate_each

Image = NDArray[np.float32]


def peak_memory() -> float:
    """Return the most memory that this process ever held, in megabytes; not a number where it is not told.

    Examples
    --------
    >>> not peak_memory() < 1
    True
    """
    # Linux: `getrusage` would count what the parent held when it started this process.
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    if sys.platform == "win32":
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def pairs(size: int, count: int) -> Iterator[tuple[Image, Image]]:
    """Yield pairs of a texture that moves by half a pixel, no two alike.

    Examples
    --------
    >>> [apex.shape for _, apex in pairs(32, 2)]
    [(32, 32), (32, 32)]
    """
    y, x = np.mgrid[:size, :size]
    noise = np.random.default_rng(0).normal(0, 1, (2, size, size))
    onset, apex = (128 + 50 * np.sin((x - shift) / 4) * np.cos(y / 5) for shift in (0.0, 0.5))
    onset, apex = ((image + grain).astype(np.float32) for image, grain in zip((onset, apex), noise, strict=True))
    for number in range(count):
        yield np.roll(onset, number, axis=0), np.roll(apex, number, axis=0)


def main(size: int) -> None:
    """Do as the module says."""

    def compute(count: int) -> float:
        started = time.process_time()
        for _ in estimate_each(pairs(size, count), at_once=1, threads=1):
            pass
        return time.process_time() - started

    compute(1)
    print("ready", flush=True)  # noqa: T201 - its way to talk
    for line in sys.stdin:
        print(compute(int(line)), flush=True)  # noqa: T201
    print(peak_memory(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
