r"""A clip brought to a fixed number of frames: by straight lines, or by the curve that TIM lays through them.

The temporal interpolation model (TIM) sees a clip as a walk over a path graph with n vertices, one a frame, where
vertex i is joined with i - 1 and i + 1. The eigenvectors of the graph's Laplacian are

.. math:: y_k(i) = \sin(\pi k i / n + \pi (n - k) / (2 n)), \quad k = 1 .. n - 1, \; i = 1 .. n   \qquad (1)

and are samples of a smooth curve in n - 1 dimensions,

.. math:: F_k(t) = \sin(\pi k t + \pi (n - k) / (2 n)), \quad t \in [1/n, 1]                     \qquad (2)

that passes the vertices at t = i/n. The frames, less their mean and stacked as columns of X, are embedded by a
linear map W with W^T X = Y (the linear extension of graph embedding; exact where the frames are linearly
independent), and a new frame is the point that this map takes to F(t), plus the mean.

Since X has a mean of zero and the rows of Y span all vectors of n numbers with a mean of zero,
:math:`X = X Y^+ Y`; the inverse of W on the span of the frames is therefore :math:`X Y^+`, and

.. math:: \xi(t) = \bar x + X Y^+ F(t) = \sum_i b_i(t) \, x_i                                    \qquad (3)

The weights b depend on n and t alone, not on the frames: no eigenproblem has to be solved for a clip, linearly
dependent frames (a still clip) make no trouble, and tests hold (3) against the singular value decomposition of the
paper. Each of (1) has the squared length n/2, so :math:`Y^+ = (2/n) \, Y^T`.

References
----------
Z. Zhou, G. Zhao, M. Pietikäinen, "Towards a practical lipreading system", CVPR 2011, doi:10.1109/CVPR.2011.5995345.
T. Pfister, X. Li, G. Zhao, M. Pietikäinen, "Recognising spontaneous facial micro-expressions", ICCV 2011: TIM for
micro-expressions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UnknownNameError, UsageError
from merprep.temporal.checks import Frames, as_given, checked_frames

METHODS = ("tim", "linear")
_AT_ONCE = 1 << 22  # numbers of a block of pixels in float64: 32 MB


def tim_weights(count: int, length: int) -> NDArray[np.float64]:
    """Return by how much each frame counts in each new one, by TIM; see the module's equations (1) to (3).

    Parameters
    ----------
    count : int
        n, the frames that there are.
    length : int
        The frames wanted, at t evenly spread from 1/n to 1: the first and last frame are kept.

    Returns
    -------
    (length, count) float64
        Each row adds up to 1; some weights are below 0.

    Raises
    ------
    UsageError
        Where a number is below 1.

    Examples
    --------
    >>> tim_weights(3, 5).round(3).tolist()[1]
    [0.455, 0.667, -0.122]
    >>> bool(np.allclose(tim_weights(4, 4), np.eye(4)))
    True
    """
    _check(count, length)
    k = np.arange(1, count)[:, np.newaxis]
    phase = np.pi * (count - k) / (2 * count)
    vertices = np.sin(np.pi * k * np.arange(1, count + 1) / count + phase)  # (1)
    curve = np.sin(np.pi * k * _places(count, length) + phase)  # (2)
    weights: NDArray[np.float64] = 1 / count + 2 / count * curve.T @ (vertices - vertices.mean(axis=1, keepdims=True))
    return weights


def linear_weights(count: int, length: int) -> NDArray[np.float64]:
    """Return by how much each frame counts in each new one, on the straight line between its two neighbours.

    Returns
    -------
    (length, count) float64

    Raises
    ------
    UsageError
        Where a number is below 1.

    Examples
    --------
    >>> linear_weights(3, 5).tolist()[1]
    [0.5, 0.5, 0.0]
    """
    _check(count, length)
    at = _places(count, length) * count - 1
    away = np.abs(at[:, np.newaxis] - np.arange(count))
    return np.asarray(np.maximum(0.0, 1 - away))


def interpolate(frames: Frames, length: int, method: str = "tim") -> Frames:
    """Bring a clip to `length` frames.

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, 3), uint8 or float
    length : int
        The frames wanted; fewer or more than there are.
    method : {"tim", "linear"}

    Returns
    -------
    (length, ...) of the frames' type
        Whole grey levels are rounded.

    Raises
    ------
    UnknownNameError
        Where there is no such method.
    ImageError, UsageError
        Where these are no frames, or the length is below 1.

    Examples
    --------
    >>> clip = np.array([0.0, 10.0, 20.0])[:, None, None] * np.ones((1, 2, 2))
    >>> interpolate(clip, 5, "linear")[:, 0, 0].tolist()
    [0.0, 5.0, 10.0, 15.0, 20.0]
    """
    if method not in METHODS:
        raise UnknownNameError.among("interpolation", method, list(METHODS))
    given = checked_frames(frames)
    weights = (tim_weights if method == "tim" else linear_weights)(len(given), length)
    flat = given.reshape(len(given), -1)
    result = np.empty((length, flat.shape[1]), given.dtype)
    step = max(1, _AT_ONCE // (len(given) + length))
    for first in range(0, flat.shape[1], step):
        block = flat[:, first : first + step].astype(np.float64)
        result[:, first : first + step] = as_given(weights @ block, given)
    return result.reshape(length, *given.shape[1:])


def _places(count: int, length: int) -> NDArray[np.float64]:
    """Return t of the new frames; a single one stands in the middle."""
    if length == 1:
        return np.array([(1 + 1 / count) / 2])
    return np.linspace(1 / count, 1, length)


def _check(count: int, length: int) -> None:
    if count < 1 or length < 1:
        raise UsageError("Interpolation needs at least one frame, and one wanted", found=f"{count} to {length}")
