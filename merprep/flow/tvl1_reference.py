"""TV-L1 in float64, written to be read beside its equations in `tvl1.py`: what both engines are tested against.

Whole images at a time and slow; `merprep.flow.estimate` computes the same thing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.flow.noise import adapted
from merprep.flow.tvl1 import CUBIC, LEAST_GRADIENT, TvL1Parameters, level_sizes
from merprep.flow.tvl1_pyramid import weights

Array = NDArray[np.float64]


def reference_flow(onset: ArrayLike, apex: ArrayLike, parameters: TvL1Parameters | None = None) -> Array:
    """Compute the flow of one pair, equation by equation.

    Parameters
    ----------
    onset, apex : (H, W)
        Grey, 0 to 255.
    parameters : TvL1Parameters, optional

    Returns
    -------
    (2, H, W) float64
        u right-positive, v down-positive, in pixels: onset(x) = apex(x + flow(x)).

    Examples
    --------
    >>> image = np.arange(256.0).reshape(16, 16)
    >>> bool(reference_flow(image, image).any())
    False
    """
    first, second = np.asarray(onset, np.float64), np.asarray(apex, np.float64)
    settings = parameters or TvL1Parameters()
    if settings.adapt_to_noise:
        first, second = (np.asarray(image, np.float64)
                         for image in adapted(first.astype(np.float32), second.astype(np.float32)))  # fmt: skip
    w: Array | None = None
    for height, width in level_sizes(first.shape[0], first.shape[1], settings.scales, settings.scale_step)[
        ::-1
    ].tolist():
        w = np.zeros((2, height, width)) if w is None else _grown(w, height, width)
        w = _level(_shrunk(first, height, width), _shrunk(second, height, width), w, settings)
    assert w is not None  # noqa: S101 - a pyramid has at least one level
    return w


def _level(onset: Array, apex: Array, w: Array, settings: TvL1Parameters) -> Array:
    p = np.zeros((2, 2, *onset.shape))  # of u and v, by x and by y
    for _ in range(settings.warps):
        rho, g = _linearised(onset, apex, w)
        for _ in range(settings.iterations):
            w = _primal(w, p, rho, g, settings)
            p = _dual(w, p, settings)
        if settings.median:
            w = _median(_median(w, axis=2), axis=1)
    return w


def _linearised(onset: Array, apex: Array, w: Array) -> tuple[Array, Array]:
    """Equation 2, without the term that changes with w."""
    warped, inside = _warped(apex, w)
    g = np.stack([_central(warped, 1), _central(warped, 0)]) * inside
    return (warped - onset) * inside - (g * w).sum(0), g


def _primal(w: Array, p: Array, rho: Array, g: Array, settings: TvL1Parameters) -> Array:
    """Equations 3 and 4."""
    bound = settings.attachment * settings.tightness
    d = np.clip(-(rho + (g * w).sum(0)) / np.maximum((g * g).sum(0), LEAST_GRADIENT), -bound, bound)
    divergence = np.diff(p[:, 0], axis=2, prepend=0) + np.diff(p[:, 1], axis=1, prepend=0)
    return np.asarray(w + d * g + settings.tightness * divergence)


def _dual(w: Array, p: Array, settings: TvL1Parameters) -> Array:
    """Equation 5."""
    ratio = settings.time_step / settings.tightness
    gradient = np.stack([np.diff(w, axis=2, append=w[:, :, -1:]), np.diff(w, axis=1, append=w[:, -1:])], axis=1)
    return np.asarray((p + ratio * gradient) / (1 + ratio * np.hypot(gradient[:, 0], gradient[:, 1])[:, None]))


def _central(image: Array, axis: int) -> Array:
    padded = np.pad(image, [(1, 1) if axis == k else (0, 0) for k in range(2)], mode="edge")
    size = image.shape[axis]
    return (np.take(padded, range(2, size + 2), axis) - np.take(padded, range(size), axis)) / 2


def _median(w: Array, axis: int) -> Array:
    padded = np.pad(w, [(2, 2) if axis == k else (0, 0) for k in range(3)], mode="edge")
    size = w.shape[axis]
    return np.asarray(np.median([np.take(padded, range(k, k + size), axis) for k in range(5)], axis=0))


def _warped(image: Array, w: Array) -> tuple[Array, Array]:
    height, width = image.shape
    y, x = np.mgrid[:height, :width] + w[::-1]
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    result = np.zeros(image.shape)
    for i in range(-1, 3):
        for j in range(-1, 3):
            row, column = np.floor(y) + i, np.floor(x) + j
            pixels = image[np.clip(row, 0, height - 1).astype(int), np.clip(column, 0, width - 1).astype(int)]
            result += _keys(row - y) * _keys(column - x) * pixels
    return result, inside.astype(np.float64)


def _keys(t: Array) -> Array:
    t, a = np.abs(t), CUBIC
    near, far = ((a + 2) * t - (a + 3)) * t * t + 1, a * (((t - 5) * t + 8) * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _shrunk(image: Array, height: int, width: int) -> Array:
    return np.asarray(weights("area", image.shape[0], height) @ image @ weights("area", image.shape[1], width).T)


def _grown(w: Array, height: int, width: int) -> Array:
    grown = weights("linear", w.shape[1], height) @ w @ weights("linear", w.shape[2], width).T
    return np.asarray(grown * np.array([width / w.shape[2], height / w.shape[1]])[:, None, None])
