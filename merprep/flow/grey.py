"""Grey levels from frames as OpenCV reads them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError

# ITU-R BT.601 luma, in OpenCV's channel order: blue, green, red.
_BGR_WEIGHTS = np.array([0.114, 0.587, 0.299], np.float32)


def to_grey(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return grey levels, 0 to 255, not rounded: rounding would add noise that flow then has to see through.

    Parameters
    ----------
    images : (..., H, W, 3) or (..., H, W) uint8
        Colour is blue, green, red; grey images keep their values.

    Returns
    -------
    (..., H, W) float32

    Raises
    ------
    FlowError
        Where the array holds no images.

    Examples
    --------
    >>> to_grey(np.full((2, 2, 3), 10, np.uint8)).round(3).tolist()
    [[10.0, 10.0], [10.0, 10.0]]
    """
    if images.ndim < 2 or 0 in images.shape:
        raise FlowError("These are no images", expected="(..., H, W) or (..., H, W, 3)", found=str(images.shape))
    if images.ndim > 2 and images.shape[-1] == 3:
        return np.asarray(images.astype(np.float32) @ _BGR_WEIGHTS, np.float32)
    return images.astype(np.float32)
