"""The five points that regions are cut around."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError

# Named as the image shows them, in the order of MTCNN's five landmarks.
POINT_NAMES = ("image_left_eye", "image_right_eye", "nose", "image_left_mouth", "image_right_mouth")

# Where the published HTNet cuts when its detector finds no face, (x, y) on a map of 28 by 28 pixels.
# Source: the released main_HTNet.py (wangzhifengharrison/HTNet at 91cf4bda).
FALLBACK_POINTS_28 = (
    (9.53, 11.06),
    (21.40, 10.92),
    (15.38, 17.38),
    (10.26, 22.12),
    (20.58, 22.26),
)


def fallback_points(size: int = 28) -> NDArray[np.float32]:
    """Return the published fixed points, scaled to a map of `size` pixels.

    Returns
    -------
    (5, 2) float32
        (x, y) in pixels, in the order of `POINT_NAMES`.

    Examples
    --------
    >>> fallback_points(56)[0].astype(float).round(2).tolist()
    [19.06, 22.12]
    """
    return np.asarray(np.array(FALLBACK_POINTS_28) * (size / 28), np.float32)


def five_points(named: Mapping[str, object]) -> NDArray[np.float32]:
    """Put named points in the order of `POINT_NAMES`.

    Parameters
    ----------
    named : mapping of str to (2,) array-like
        As `merprep.faces.region_points` returns them.

    Raises
    ------
    FlowError
        Where one of the five is missing.

    Examples
    --------
    >>> five_points({name: (i, 0) for i, name in enumerate(POINT_NAMES)})[:, 0].tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    missing = [name for name in POINT_NAMES if name not in named]
    if missing:
        raise FlowError(
            "The landmarks do not give all points that regions are cut around",
            expected=", ".join(POINT_NAMES),
            found="missing: " + ", ".join(missing),
        )
    return np.array([named[name] for name in POINT_NAMES], np.float32)
