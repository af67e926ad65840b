"""What every temporal tool asks of a clip's frames, and how results go back to the frames' own type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ImageError

Frames = NDArray[np.number[Any]]


def checked_frames(frames: Frames, *, least: int = 1) -> Frames:
    """Return the frames of a clip where they can be used.

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, 3), uint8 or float
    least : int
        The smallest number of frames that makes sense.

    Raises
    ------
    ImageError
        Where there are too few, or they are of another shape or type, or not finite.
    """
    given = np.asarray(frames)
    shaped = given.ndim in (3, 4) and 0 not in given.shape[1:]
    if not shaped or not (given.dtype == np.uint8 or np.issubdtype(given.dtype, np.floating)):
        raise ImageError(
            "These are not the frames of a clip",
            expected="(T, H, W) or (T, H, W, 3), uint8 or float",
            found=f"{given.shape} {given.dtype}",
        )
    if len(given) < least:
        raise ImageError("The clip has too few frames", expected=f"{least} or more", found=str(len(given)))
    if given.dtype != np.uint8 and not np.isfinite(given).all():
        raise ImageError("A frame of the clip is not finite", expected="grey levels", found="NaN or infinity")
    return given


def as_given(values: NDArray[np.number[Any]], like: Frames) -> Frames:
    """Return values in the type of `like`; whole grey levels are rounded, and clipped to 0..255.

    Examples
    --------
    >>> as_given(np.array([-3.2, 0.6, 300.0]), np.zeros(1, np.uint8)).tolist()
    [0, 1, 255]
    """
    if like.dtype == np.uint8:
        return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
    return np.asarray(values, like.dtype)
