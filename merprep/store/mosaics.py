"""The mosaic: four regions side by side, as one map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merprep.errors import StoreError


def mosaic(regions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put regions 0 and 1 above regions 2 and 3.

    Parameters
    ----------
    regions : (..., 4, C, h, w) float32

    Returns
    -------
    (..., C, 2h, 2w) float32

    Raises
    ------
    StoreError
        Where there are not four regions.

    Examples
    --------
    >>> regions = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1)
    >>> mosaic(regions)[0].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    if regions.ndim < 4 or regions.shape[-4] != 4:
        raise StoreError("A mosaic is made of four regions", expected="(..., 4, C, h, w)", found=str(regions.shape))
    above = np.concatenate([regions[..., 0, :, :, :], regions[..., 1, :, :, :]], axis=-1)
    below = np.concatenate([regions[..., 2, :, :, :], regions[..., 3, :, :, :]], axis=-1)
    return np.concatenate([above, below], axis=-2)
