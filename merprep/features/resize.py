"""Shrinking a map by area averaging, with exact weights."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError


def area_average(maps: NDArray[np.floating], size: int | tuple[int, int]) -> NDArray[np.float32]:
    """Average each cell of a coarser grid over the area that it covers.

    Every input pixel weighs by the part of it that lies in the cell, so any two sizes work and the mean of the map
    is kept exactly. Where the new size is larger, pixels are repeated.

    Parameters
    ----------
    maps : (..., H, W) float
    size : int or (int, int)
        The new size, or new (height, width).

    Returns
    -------
    (..., h, w) float32
        In the unit of the input: flow stays in pixels of the size that it was computed at.

    Raises
    ------
    FlowError
        Where a size is below 1 or the map is empty.

    Examples
    --------
    >>> area_average(np.arange(16.0).reshape(4, 4), 2).tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    height, width = (size, size) if isinstance(size, int) else size
    if maps.ndim < 2 or min(maps.shape[-2:]) < 1 or min(height, width) < 1:
        raise FlowError("A map cannot be resized to or from nothing", found=f"{maps.shape} to {(height, width)}")
    if maps.shape[-2:] == (height, width):
        return np.array(maps, np.float32)
    if maps.shape[-2] % height == 0 and maps.shape[-1] % width == 0:
        return _block_means(maps, height, width)
    rows, columns = area_weights(maps.shape[-2], height), area_weights(maps.shape[-1], width)
    return np.asarray(rows @ maps.astype(np.float64) @ columns.T, np.float32)


def _block_means(maps: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
    """Average whole pixels, the usual case, without multiplying by all the weights that are zero."""
    tall, wide = maps.shape[-2] // height, maps.shape[-1] // width
    # Rows first: whole rows are added, which is quicker than small blocks.
    rows = maps.reshape(*maps.shape[:-2], height, tall, maps.shape[-1]).sum(axis=-2, dtype=np.float64)
    blocks = rows.reshape(*rows.shape[:-1], width, wide).sum(axis=-1)
    return np.asarray(blocks / (tall * wide), np.float32)


@lru_cache(maxsize=64)
def area_weights(length: int, cells: int) -> NDArray[np.float64]:
    """Return the weight of each of `length` pixels in each of `cells` equal cells over the same extent.

    Returns
    -------
    (cells, length) float64
        Each row sums to 1. Read-only, since it is shared.

    Examples
    --------
    >>> area_weights(3, 2).round(3).tolist()
    [[0.667, 0.333, 0.0], [0.0, 0.333, 0.667]]
    """
    edges = np.arange(cells + 1) * (length / cells)
    pixels = np.arange(length)
    lower = np.maximum(edges[:-1, None], pixels[None, :])
    upper = np.minimum(edges[1:, None], pixels[None, :] + 1)
    weights = np.asarray(np.clip(upper - lower, 0, None) * (cells / length), np.float64)
    weights.flags.writeable = False
    return weights
