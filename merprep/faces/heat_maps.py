"""Where the peak of a heat map lies, between its cells.

A network that gives one map a point marks it to a cell of several pixels; its whole-cell maximum is of no use for
motions of a tenth of a pixel. The mean of the 5 x 5 cells around the maximum, weighted by their heat (soft-argmax),
is pulled towards the window's centre, since the window cuts the peak off unevenly: by up to 0.04 cells for peaks of
one cell's width. Here a Gaussian weight moves along with the estimate until the weighted mean rests,

    c = sum g(p - c) h(p) p / sum g(p - c) h(p),

which for a symmetric peak is at its centre, and which lets far, noisy cells count little (the mean shift:
K. Fukunaga, L. Hostetler, The estimation of the gradient of a density function, IEEE Trans. Inf. Theory 21(1), 1975).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FaceError

_REACH = 2  # cells on each side of the maximum: 5 x 5
_SIGMA = 1.0  # cells; the width of the peaks that landmark networks are trained on
_ROUNDS = 12  # each leaves half of the error or less


def peaks(maps: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each map is hottest, at sub-cell precision.

    Parameters
    ----------
    maps : (..., H, W) float
        Heat; what lies below zero counts as none.

    Returns
    -------
    points : (..., 2) float64
        (x, y) in cells; the centre of the first cell is (0, 0).
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
    if min(height, width) < 2 * _REACH + 1 or not np.isfinite(maps).all():
        raise FaceError("These are no heat maps", expected="finite values, 5 x 5 cells or more", found=str(maps.shape))
    flat = maps.reshape(-1, height, width).astype(np.float64)
    top = flat.reshape(len(flat), -1).argmax(axis=1)
    row, column = np.divmod(top, width)
    heat = flat[np.arange(len(flat)), row, column]
    steps = np.arange(-_REACH, _REACH + 1)
    rows, columns = row[:, None] + steps, column[:, None] + steps
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    window = flat[
        np.arange(len(flat))[:, None, None],
        rows.clip(0, height - 1)[:, :, None],
        columns.clip(0, width - 1)[:, None, :],
    ]
    offset = _rest(np.where(inside, np.maximum(window, 0), 0), steps.astype(np.float64))
    points = np.stack([column, row], axis=1) + offset
    return points.reshape(*maps.shape[:-2], 2), heat.reshape(maps.shape[:-2])


def _rest(window: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the weighted mean of each window (N, 5, 5) rests, (N, 2), (x, y) from its middle."""
    centre = np.zeros((len(window), 2))
    for _ in range(_ROUNDS):
        weight_x = np.exp(-((steps - centre[:, :1]) ** 2) / (2 * _SIGMA**2))
        weight_y = np.exp(-((steps - centre[:, 1:]) ** 2) / (2 * _SIGMA**2))
        weighted = window * weight_y[:, :, None] * weight_x[:, None, :]
        total = np.maximum(weighted.sum(axis=(1, 2)), 1e-12)  # a map without heat stays at its maximum
        mean_x = (weighted.sum(axis=1) @ steps) / total
        mean_y = (weighted.sum(axis=2) @ steps) / total
        centre = np.stack([mean_x, mean_y], axis=1)
    return centre
