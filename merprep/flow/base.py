"""What every flow estimator is: a name, its parameters, and one call over a batch of checked pairs."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from merprep.config import StageConfig
from merprep.errors import UsageError

Images = NDArray[np.float32]
Fields = NDArray[np.float32]
P = TypeVar("P", bound=StageConfig)


class Estimator(ABC, Generic[P]):
    """An optical-flow method, set up and ready for pairs of images.

    A subclass names itself, gives its parameters as a `StageConfig` (`model`) and computes fields. Images reach it
    checked: grey, float32, 0 to 255, finite, of one shape.

    Parameters
    ----------
    **parameters
        Values that differ from the defaults of `model`.

    Raises
    ------
    ConfigError
        Where a parameter is unknown or out of range.
    """

    name: ClassVar[str]
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    # Whether `fields` takes 8-bit images as they are: a quarter of the bytes to send to a device.
    takes_bytes: ClassVar[bool] = False

    model: type[P]

    def __init__(self, **parameters: Any) -> None:
        self.parameters: P = self.model.read(parameters, where=f"flow method {self.name}")

    def on(self, device: str) -> Estimator[P]:
        """Return this method, with these parameters, for one of its `devices`.

        Raises
        ------
        DeviceError
            Where the device is not there.
        MissingDependencyError
            Where its engine needs a library that is not installed.
        """
        return self

    def for_small_motion(self) -> Estimator[P]:
        """Return this method for motions well below a pixel, where it is quicker for knowing that; else itself."""
        return self

    def prepare(self) -> None:
        """Do once what every worker process would otherwise do for itself (compiling); most methods have nothing."""

    @abstractmethod
    def fields(self, onset: Images, apex: Images, *, threads: int | None = None) -> Fields:
        """Compute the flow of each pair.

        Parameters
        ----------
        onset, apex : (N, H, W) float32
            Grey, 0 to 255.
        threads : int, optional
            How many pairs are worked on at once; None takes one a core.

        Returns
        -------
        (N, 2, H, W) float32
            u right-positive, v down-positive, in pixels: onset(x) = apex(x + flow(x)).
        """


def in_threads(work: Callable[[range], None], count: int, threads: int | None) -> None:
    """Split the numbers 0 to `count` into one run for each thread and work on them at once.

    Raises
    ------
    UsageError
        Where there would be no thread.

    Examples
    --------
    >>> seen = []
    >>> in_threads(lambda numbers: seen.extend(numbers), 5, threads=2)
    >>> sorted(seen)
    [0, 1, 2, 3, 4]
    """
    if threads is not None and threads < 1:
        raise UsageError("Pairs are worked on by one thread or more", found=f"threads={threads}")
    runs = max(1, min(threads or os.cpu_count() or 1, count))
    if runs == 1:
        work(range(count))
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(work, [range(first, count, runs) for first in range(runs)]))
