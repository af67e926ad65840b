"""Parts of a face as masks: the face, its eyes, its mouth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FaceError, UnknownNameError
from merprep.manifest_data import load_table, table_names

Mask = NDArray[np.bool_]

EYES = ("image_left_eye", "image_right_eye")
MOUTH = ("mouth",)
FACE = ("face",)
# The rims of the lids and lips end where skin that moves with them begins.
_EYE_GROWTH, _MOUTH_GROWTH = 1.6, 1.25


def outline_mask(
    landmarks: NDArray[np.floating], scheme: str, names: Sequence[str], size: int, *, growth: float = 1.0
) -> Mask:
    """Return the pixels inside the outlines of parts of a face.

    Parameters
    ----------
    landmarks : (P, 2) float
        (x, y) in pixels of the square image.
    scheme : str
        What the landmarks are.
    names : sequence of str
        ``face``, ``mouth``, ``image_left_eye``, ``image_right_eye``.
    size : int
        Side of the image, px.
    growth : float
        By how much each outline is enlarged about its middle.

    Returns
    -------
    (size, size) bool

    Raises
    ------
    UnknownNameError
        Where the scheme or a part is not known.
    FaceError
        Where there are too few landmarks for the scheme.

    Examples
    --------
    >>> landmarks = np.zeros((478, 2), np.float32)
    >>> turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    >>> landmarks[outlines("mesh478")["face"]] = 16 + 10 * np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    >>> mask = outline_mask(landmarks, "mesh478", FACE, 32)
    >>> bool(mask[16, 16]), bool(mask[0, 0])
    (True, False)
    """
    import cv2

    mask = np.zeros((size, size), np.uint8)
    for name in names:
        known = outlines(scheme)
        if name not in known:
            raise UnknownNameError.among("part of a face", name, list(known))
        if landmarks.ndim != 2 or len(landmarks) <= max(known[name]):
            raise FaceError("These are not landmarks of the scheme", expected=f"more than {max(known[name])}",
                            found=str(landmarks.shape), where=scheme)  # fmt: skip
        points = np.asarray(landmarks[known[name]], np.float64)
        middle = points.mean(axis=0)
        cv2.fillPoly(mask, [np.rint(middle + growth * (points - middle)).astype(np.int32)], 1)
    return mask.astype(bool)


def eyes_mask(landmarks: NDArray[np.floating], scheme: str, size: int) -> Mask:
    """Return the eyes with their lids, where blinks and gaze move what no skin moves; see `outline_mask`."""
    return outline_mask(landmarks, scheme, EYES, size, growth=_EYE_GROWTH)


def rigid_mask(landmarks: NDArray[np.floating], scheme: str, size: int) -> Mask:
    """Return the face without eyes and mouth: where the head's motion may be read; see `outline_mask`."""
    moving = eyes_mask(landmarks, scheme, size) | outline_mask(landmarks, scheme, MOUTH, size, growth=_MOUTH_GROWTH)
    return outline_mask(landmarks, scheme, FACE, size) & ~moving


@cache
def outlines(scheme: str) -> dict[str, list[int]]:
    """Return the outlines of a landmark scheme, from ``manifests/faces``.

    Examples
    --------
    >>> sorted(outlines("mesh478"))
    ['face', 'image_left_eye', 'image_right_eye', 'mouth']
    """
    with_outlines = [name for name in table_names("faces") if "outlines" in load_table("faces", name)]
    if scheme not in with_outlines:
        raise UnknownNameError.among("landmark scheme", scheme, with_outlines)
    found: dict[str, list[int]] = load_table("faces", scheme)["outlines"]
    return found
