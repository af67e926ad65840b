"""The one warp: from the original pixels to the aligned face, by a single interpolation, borders replicated."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from merprep.faces.geometry import apply, inverse, scale_of
from merprep.faces.sampling import sample_cubic, to_uint8

Affine = NDArray[np.float64]
Image = NDArray[np.uint8]


def warp(
    image: Image, transform: Affine, size: int, *, interpolation: Literal["cubic", "linear"] = "cubic"
) -> NDArray[np.uint8]:
    """Warp an image by an affine transform into a square of `size` pixels.

    A face that is made smaller is blurred first, by what the smaller picture cannot hold, so that nothing aliases
    into false motion. Positions are exact: OpenCV's own cubic warps round them to 1/32 px and read a ramp wrongly by
    up to 0.04 px (see `merprep.faces.sampling`).

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8
    transform : (2, 3) float64
        From the image to the square, (x, y) in pixels.
    size : int
        Side of the square.
    interpolation : str

    Returns
    -------
    (size, size) or (size, size, 3) uint8

    Examples
    --------
    >>> ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    >>> shifted = warp(ramp, np.array([[1.0, 0.0, -10.0], [0.0, 1.0, -10.0]]), 32)
    >>> shifted[0, :3].tolist()
    [10, 11, 12]
    """
    back = inverse(transform)
    sigma = _blur_sigma(scale_of(transform))
    part, corner = _needed_part(image, back, size, margin=4 + int(np.ceil(4 * sigma)))
    values = _blurred(part.astype(np.float32), sigma)
    y, x = np.mgrid[:size, :size].astype(np.float64)
    at_x = (back[0, 0] * x + back[0, 1] * y + (back[0, 2] - corner[0])).astype(np.float32)
    at_y = (back[1, 0] * x + back[1, 1] * y + (back[1, 2] - corner[1])).astype(np.float32)
    if interpolation == "cubic":
        return to_uint8(sample_cubic(values, at_x, at_y))
    return to_uint8(_linear(values, at_x, at_y))


def _blur_sigma(scale: float) -> float:
    # (1/scale - 1) / 2 px of the original: the rule of skimage.transform.resize.
    return max((1 / scale - 1) / 2, 0.0)


def _needed_part(image: Image, back: Affine, size: int, *, margin: int) -> tuple[Image, tuple[int, int]]:
    """Cut out what the square shows, with a margin; return it with its upper left corner, (x, y)."""
    height, width = image.shape[:2]
    corners = apply(back, np.array([[0, 0], [size - 1, 0], [0, size - 1], [size - 1, size - 1]], np.float64))
    low = np.floor(corners.min(axis=0)).astype(int) - margin
    high = np.ceil(corners.max(axis=0)).astype(int) + margin + 1
    left, right = (int(np.clip(value, low_, high_)) for value, low_, high_ in
                   ((low[0], 0, width - 1), (high[0], 1, width)))  # fmt: skip
    top, bottom = (int(np.clip(value, low_, high_)) for value, low_, high_ in
                   ((low[1], 0, height - 1), (high[1], 1, height)))  # fmt: skip
    return image[top : max(bottom, top + 1), left : max(right, left + 1)], (left, top)


def _blurred(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    import cv2

    if sigma < 0.1:
        return values
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)


def _linear(values: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
