"""Colours for a flow field: hue says where to, saturation how far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def flow_colours(flow: NDArray[np.float32], bound: float) -> NDArray[np.float64]:
    """Paint a flow field; zero motion is white, motion of `bound` px and more fully coloured.

    Parameters
    ----------
    flow : (2, H, W) float
        u right-positive, then v down-positive, in px.
    bound : float
        The length in px that gets full saturation.

    Returns
    -------
    (H, W, 3) float64
        RGB in 0..1.

    Examples
    --------
    >>> import numpy as np
    >>> flow_colours(np.zeros((2, 1, 1), np.float32), bound=1.0).tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    u, v = flow[0].astype(np.float64), flow[1].astype(np.float64)
    hue = np.mod(np.arctan2(v, u) / (2 * np.pi), 1.0)
    saturation = np.clip(np.hypot(u, v) / max(bound, 1e-12), 0.0, 1.0)
    return hsv_to_rgb(hue, saturation)


def hsv_to_rgb(hue: NDArray[np.float64], saturation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn hue and saturation in 0..1, at full value, into (..., 3) RGB in 0..1.

    Alvy Ray Smith, Color gamut transform pairs, SIGGRAPH 1978; in the closed form with one offset a channel.
    """
    offsets = np.array([5.0, 3.0, 1.0])
    k = np.mod(offsets + hue[..., None] * 6.0, 6.0)
    return np.asarray(1.0 - saturation[..., None] * np.clip(np.minimum(k, 4.0 - k), 0.0, 1.0))


def colour_wheel(size: int) -> NDArray[np.float64]:
    """Return the legend: a (size, size, 4) RGBA disc in which each pixel has the colour of the motion towards it."""
    axis = np.linspace(-1.0, 1.0, size)
    u, v = np.meshgrid(axis, axis)
    inside = (np.hypot(u, v) <= 1.0).astype(np.float64)
    return np.dstack([flow_colours(np.stack([u, v]).astype(np.float32), bound=1.0), inside])
