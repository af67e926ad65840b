"""The two ways in which TV-L1's pyramid changes sizes, as weights: area averages down, linear interpolation up."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Resampling = Literal["area", "linear"]


@lru_cache(maxsize=256)
def weights(kind: Resampling, old: int, new: int) -> NDArray[np.float64]:
    """Return the weight of each of `old` pixels in each of `new` pixels over the same extent, along one axis.

    Parameters
    ----------
    kind : {"area", "linear"}
        "area" weighs pixels by the part of them that a new pixel covers; "linear" interpolates between the two
        pixels whose centres lie around the new centre, and repeats the borders.

    Returns
    -------
    (new, old) float64
        Rows sum to 1. Read-only, since it is shared.

    Examples
    --------
    >>> weights("area", 3, 2).round(3).tolist()
    [[0.667, 0.333, 0.0], [0.0, 0.333, 0.667]]
    >>> weights("linear", 2, 4).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    pixels = np.arange(old)
    if kind == "area":
        edges = np.arange(new + 1) * (old / new)
        covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        table: NDArray[np.float64] = np.clip(covered, 0, None) * (new / old)
    else:
        position = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
        table = np.clip(1 - np.abs(position[:, None] - pixels), 0, None)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=256)
def taps(kind: Resampling, old: int, new: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the same weights without their zeros: which pixels, and how much of each.

    Returns
    -------
    pixels : (new, T) int32
        T is the largest number of pixels that any new one takes; the others are padded with weight 0.
    shares : (new, T) float32

    Examples
    --------
    >>> pixels, shares = taps("linear", 2, 3)
    >>> pixels.tolist(), shares.tolist()
    ([[0, 1], [0, 1], [1, 1]], [[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    """
    table = weights(kind, old, new)
    first = np.argmax(table > 0, axis=1)
    count = int((table > 0).sum(axis=1).max())
    pixels = np.minimum(first[:, None] + np.arange(count), old - 1)
    padded = np.pad(table, ((0, 0), (0, count)))
    shares = np.take_along_axis(padded, first[:, None] + np.arange(count), axis=1)
    return pixels.astype(np.int32), shares.astype(np.float32)
