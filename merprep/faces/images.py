"""What an image must be, so that a face can be looked for in it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ImageError

Image = NDArray[np.uint8]
SMALLEST_SIDE = 24  # px; a face of such an image has nothing left to align


def checked(image: Any, *, where: str | None = None) -> Image:
    """Return `image` if it is grey (H, W) or BGR (H, W, 3), uint8 and large enough.

    Raises
    ------
    ImageError
        Otherwise; the message says how to convert what was given.

    Examples
    --------
    >>> checked(np.zeros((64, 64), np.uint8)).shape
    (64, 64)
    """
    if not isinstance(image, np.ndarray):
        mend = "read the file with cv2.imread; it gives None where it cannot"
        raise ImageError("This is no image", where=where, expected="a numpy array", found=repr(type(image)), mend=mend)
    found = f"shape {image.shape}, {image.dtype}"
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ImageError(
            "The image has another shape than a face can be looked for in",
            where=where,
            expected="(H, W) grey or (H, W, 3) BGR",
            found=found,
            mend="drop an alpha channel with image[:, :, :3]",
        )
    if image.dtype != np.uint8:
        raise ImageError(
            "The image is not an 8-bit one",
            where=where,
            expected="uint8, 0 to 255",
            found=found,
            mend="for 16 bit: (image / 257).round().astype('uint8'); for 0..1: (image * 255).round().astype('uint8')",
        )
    if min(image.shape[:2]) < SMALLEST_SIDE:
        expected = f"sides of {SMALLEST_SIDE} px or more"
        raise ImageError("The image is too small to hold a face", where=where, expected=expected, found=found)
    return cast("Image", np.ascontiguousarray(image))
