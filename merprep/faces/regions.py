"""The named points that regions of the face are cut around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FaceError, UnknownNameError

# Points of each scheme whose mean is the named point. Eyes are the means of their corners, not the irises (468 and
# 473 of the mesh), which move with gaze. Left and right are those of the image.
_POINTS: dict[str, dict[str, tuple[int, ...]]] = {
    "mesh478": {
        "image_left_eye": (33, 133),
        "image_right_eye": (362, 263),
        "nose": (1,),
        "image_left_mouth": (61,),
        "image_right_mouth": (291,),
    },
    "ibug68": {
        "image_left_eye": (36, 39),
        "image_right_eye": (42, 45),
        "nose": (30,),
        "image_left_mouth": (48,),
        "image_right_mouth": (54,),
    },
    "five": {
        "image_left_eye": (0,),
        "image_right_eye": (1,),
        "nose": (2,),
        "image_left_mouth": (3,),
        "image_right_mouth": (4,),
    },
}


def region_points(landmarks: NDArray[np.floating], scheme: str) -> dict[str, NDArray[np.float32]]:
    """Return the five points that regions are cut around.

    Parameters
    ----------
    landmarks : (P, 2) float
        (x, y) in pixels, of any image.
    scheme : str
        What the landmarks are.

    Returns
    -------
    dict of str to (2,) float32
        ``image_left_eye``, ``image_right_eye``, ``nose``, ``image_left_mouth``, ``image_right_mouth``.

    Raises
    ------
    UnknownNameError
        Where the scheme is not known.
    FaceError
        Where there are too few landmarks for the scheme.

    Examples
    --------
    >>> points = region_points(np.arange(956.0).reshape(478, 2), "mesh478")
    >>> points["nose"].tolist(), points["image_left_eye"].tolist()
    ([2.0, 3.0], [166.0, 167.0])
    """
    if scheme not in _POINTS:
        raise UnknownNameError.among("landmark scheme", scheme, sorted(_POINTS))
    needed = 1 + max(max(indices) for indices in _POINTS[scheme].values())
    if landmarks.ndim != 2 or landmarks.shape[1] != 2 or len(landmarks) < needed:
        raise FaceError("These are not landmarks of the scheme", expected=f"({needed} or more, 2)",
                        found=str(landmarks.shape), where=scheme)  # fmt: skip
    return {
        name: np.asarray(landmarks[list(indices)].mean(axis=0), np.float32) for name, indices in _POINTS[scheme].items()
    }
