"""Where the peak of a heat map lies, between its cells.

A network that gives one map a point marks it to a cell of several pixels; its whole-cell maximum is of no use for
motions of a tenth of a pixel. The logarithm of a Gaussian peak is a quadric, so one linear least squares fit finds
its centre, whatever its width, turn and height, and also where the map's edge cuts it off:

    min over a .. f of sum over cells (p, q) of w^2 | ln h(p, q) - (a + b p + c q + d p^2 + e q^2 + f p q) |^2

A logarithm blows up the noise of cells with little heat; they count by the height w of the peak that was fitted the
round before, not by their own (H. Guo, A simple algorithm for fitting a Gaussian function, IEEE Signal Processing
Magazine 28(5), 2011). Cells below a tenth of the maximum do not count, and a window of the peak's own width keeps
other peaks out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FaceError

_REACH = 7  # cells on each side of the maximum, enough for peaks three times as wide as networks are trained on
_SMALLEST = 5  # cells; a narrower map holds no peak that can be fitted
_NARROWEST, _WIDEST = 0.6, 3.0  # cells; the deviations of peaks that are looked for
_LEAST_HEAT = 0.1  # of the maximum
_ROUNDS = 4
_FARTHEST = 2.0  # cells from the maximum; a fit beyond that is none


def peaks(maps: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each map is hottest, at sub-cell precision.

    Parameters
    ----------
    maps : (..., H, W) float
        Heat; what lies below zero counts as none.

    Returns
    -------
    points : (..., 2) float64
        (x, y) in cells; the centre of the first cell is (0, 0). Where no peak can be fitted, the hottest cell.
    heat : (...) float64
        The largest value of each map.

    Raises
    ------
    FaceError
        Where the maps are smaller than 5 x 5 cells or not finite.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> points, _ = peaks(np.exp(-((x - 20.3) ** 2 + (y - 41.75) ** 2) / 2))
    >>> points.round(2).tolist()
    [20.3, 41.75]
    """
    height, width = maps.shape[-2:]
    if min(height, width) < _SMALLEST or not np.isfinite(maps).all():
        raise FaceError("These are no heat maps", expected="finite values, 5 x 5 cells or more", found=str(maps.shape))
    flat = maps.reshape(-1, height, width).astype(np.float64)
    row, column = np.divmod(flat.reshape(len(flat), -1).argmax(axis=1), width)
    heat = flat[np.arange(len(flat)), row, column]
    steps = np.arange(-_REACH, _REACH + 1)
    rows, columns = row[:, None] + steps, column[:, None] + steps
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    window = flat[
        np.arange(len(flat))[:, None, None],
        rows.clip(0, height - 1)[:, :, None],
        columns.clip(0, width - 1)[:, None, :],
    ]
    relative = np.where(inside, window, 0) / np.maximum(heat, 1e-12)[:, None, None]
    points = np.stack([column, row], axis=1) + _fitted(np.maximum(relative, 0), inside)
    return points.reshape(*maps.shape[:-2], 2), heat.reshape(maps.shape[:-2])


def _fitted(window: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return where the peak of each window (N, K, K) lies, (N, 2), (x, y) from its middle."""
    steps = np.arange(-_REACH, _REACH + 1, dtype=np.float64)
    x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    products = (terms[:, :, None] * terms[:, None, :]).reshape(len(terms), -1)
    heat = window.reshape(len(window), -1)
    counts = heat >= _LEAST_HEAT
    log_heat = np.log(np.where(counts, heat, 1.0))
    spread = 2 * _deviation(window, inside)[:, None] ** 2
    centre, height = np.zeros((len(window), 2)), heat
    for _ in range(_ROUNDS):
        near = np.exp(-((x - centre[:, :1]) ** 2 + (y - centre[:, 1:]) ** 2) / spread)
        weight = (near * height * counts) ** 2
        normal = (weight @ products).reshape(-1, 6, 6) + 1e-9 * np.eye(6)
        quadric = np.linalg.solve(normal, ((weight * log_heat) @ terms)[:, :, None])[:, :, 0]
        centre = _top(quadric)
        height = np.exp(np.clip(quadric @ terms.T, -20.0, 0.2))
    return centre


def _deviation(window: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Estimate the width of each peak: a Gaussian is above its half on an area of 2 pi ln(2) times its variance."""
    area = (window > 0.5).sum(axis=(1, 2)) / inside.mean(axis=(1, 2))
    return np.asarray(np.clip(np.sqrt(area / (2 * np.pi * np.log(2))), _NARROWEST, _WIDEST))


def _top(quadric: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the tops (N, 2) of quadrics a + b x + c y + d x^2 + e y^2 + f x y; the middle where there is none."""
    b, c, xx, yy, xy = quadric[:, 1], quadric[:, 2], 2 * quadric[:, 3], 2 * quadric[:, 4], quadric[:, 5]
    curvature = xx * yy - xy**2
    is_top = (curvature > 1e-9) & (xx < 0)
    safe = np.where(is_top, curvature, 1.0)
    top = np.stack([(c * xy - b * yy) / safe, (b * xy - c * xx) / safe], axis=1)
    return np.where(is_top[:, None] & (np.abs(top) < _FARTHEST).all(axis=1, keepdims=True), top, 0.0)
