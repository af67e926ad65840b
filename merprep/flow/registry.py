"""The flow methods by name, and the one call that computes flow."""

from __future__ import annotations

import importlib
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import UnknownNameError
from merprep.flow.base import Estimator
from merprep.flow.checks import checked_pair, resolved_device

# Method -> module in this room, whose `ESTIMATOR` is the class. Modules are imported when first used.
_METHODS = {
    "tvl1": "tvl1",
    "opencv-tvl1": "opencv_tvl1",
    "farneback": "farneback",
    "dis": "dis",
    "opencv-deepflow": "opencv_deepflow",
    "opencv-rlof": "opencv_rlof",
    "raft": "raft",
}


def methods() -> list[str]:
    """Return the names of the flow methods.

    Examples
    --------
    >>> methods()
    ['tvl1', 'opencv-tvl1', 'farneback', 'dis', 'opencv-deepflow', 'opencv-rlof', 'raft']
    """
    return list(_METHODS)


def estimator(method: str, **parameters: Any) -> Estimator[Any]:
    """Set up a method with its parameters.

    Raises
    ------
    UnknownNameError
        Where there is no method of that name.
    ConfigError
        Where a parameter is unknown or out of range.
    MissingDependencyError
        Where the method needs a library that is not installed.

    Examples
    --------
    >>> estimator("tvl1", warps=2).parameters.warps
    2
    """
    if method not in _METHODS:
        raise UnknownNameError.among("flow method", method, methods())
    module = importlib.import_module(f"merprep.flow.{_METHODS[method]}")
    return cast("Estimator[Any]", module.ESTIMATOR(**parameters))


def estimate(
    onset: ArrayLike,
    apex: ArrayLike,
    method: str = "tvl1",
    device: str = "cpu",
    *,
    threads: int | None = None,
    **parameters: Any,
) -> NDArray[np.float32]:
    """Compute optical flow from onset to apex, such that onset(x) is close to apex(x + flow(x)).

    Parameters
    ----------
    onset, apex : (H, W) or (N, H, W), uint8 or float32
        Grey images, 0 to 255, at least 16 by 16 pixels.
    method : str
        One of `methods()`.
    device : {"cpu", "cuda", "auto"}
        ``auto`` takes the GPU where there is one that the method can use, and says so in the log.
    threads : int, optional
        How many pairs are worked on at once on the CPU; None takes one a core.
    **parameters
        The method's own; see its class.

    Returns
    -------
    (2, H, W) or (N, 2, H, W) float32
        u right-positive, then v down-positive, in pixels.

    Raises
    ------
    FlowError
        Where the images cannot be used; the message says why.
    UnknownNameError
        Where there is no method of that name.
    DeviceError
        Where the method cannot run on the device, it is not there, or its memory does not hold a single pair.
    MissingDependencyError
        Where the engine needs a library that is not installed.

    Examples
    --------
    A smooth pattern that moves right by one pixel (the apex shows at x + 1 what the onset shows at x):

    >>> x, y = np.meshgrid(np.arange(32.0), np.arange(32.0))
    >>> pattern = lambda x, y: 128 + 60 * np.sin(x / 3) * np.cos(y / 4)
    >>> flow = estimate(pattern(x, y), pattern(x - 1, y))
    >>> flow.shape, bool(abs(np.median(flow[0]) - 1) < 0.1), bool(abs(np.median(flow[1])) < 0.1)
    ((2, 32, 32), True, True)
    """
    chosen = estimator(method, **parameters)
    engine = chosen.on(resolved_device(device, method, chosen.devices))
    first, second = checked_pair(onset, apex, keep_bytes=engine.takes_bytes)
    fields = engine.fields(first, second, threads=threads)
    return fields[0] if np.ndim(onset) == 2 else fields
