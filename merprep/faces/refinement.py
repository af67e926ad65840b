"""Taking the head's own motion out of a frame, by the skin that expressions hardly move.

Between two frames of a clip the head drifts by more than an expression moves the skin. The rotation and translation
that bring a frame onto the clip's reference are those with the largest enhanced correlation coefficient
(G. Evangelidis, E. Psarakis, Parametric image alignment using enhanced correlation coefficient maximization, IEEE
TPAMI 30(10), 2008), over the ridge of the nose, the temples and the outer corners of the eyes only: the whole face
would follow the expression. The result is put together with the clip's transform, so that a frame is still warped
once, from its original pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from merprep.faces.config import AlignConfig
from merprep.faces.geometry import Affine, CanonicalFace

Image = NDArray[np.uint8]

# Centre (x, y) and radii of ellipses of stable skin, in eye distances from the middle between the eyes.
_STABLE = ((0.0, 0.12, 0.24, 0.34), (-0.95, -0.02, 0.27, 0.30), (0.95, -0.02, 0.27, 0.30))
_ROUNDS, _ENOUGH = 60, 1e-5
_BLUR = 5  # px, the side of the Gaussian that both pictures are smoothed with
_FARTHEST = 0.15  # of the size; a larger motion than that was not found but lost


def refined_transform(reference: Image, warped: Image, transform: Affine, config: AlignConfig) -> Affine:
    """Return the transform of a frame with the head's motion since the reference taken out.

    Parameters
    ----------
    reference, warped : (S, S) or (S, S, 3) uint8
        The aligned reference frame; the frame, warped by the clip's transform.
    transform : (2, 3) float64
        The clip's.
    config : AlignConfig

    Returns
    -------
    (2, 3) float64
        `transform` itself where no motion can be found (a flat picture, or one too far away).
    """
    import cv2

    motion = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ROUNDS, _ENOUGH)
    try:
        _, motion = cv2.findTransformECC(
            _grey(reference), _grey(warped), motion, cv2.MOTION_EUCLIDEAN, criteria, stable_skin(config), _BLUR
        )
    except cv2.error:
        return transform
    # findTransformECC gives where in the frame a point of the reference lies: its inverse undoes the motion.
    linear = motion[:, :2].astype(np.float64)
    back = linear.T  # a rotation
    shift = -back @ motion[:, 2].astype(np.float64)
    middle = np.full(2, (config.size - 1) / 2)
    if np.linalg.norm(back @ middle + shift - middle) > _FARTHEST * config.size:
        return transform
    return np.column_stack([back @ transform[:, :2], back @ transform[:, 2] + shift])


@lru_cache(maxsize=8)
def stable_skin(config: AlignConfig) -> NDArray[np.uint8]:
    """Return where the skin of an aligned face keeps its place, (S, S), 0 or 255.

    Examples
    --------
    >>> bool(0.03 < (stable_skin(AlignConfig()) > 0).mean() < 0.2)
    True
    """
    y, x = np.mgrid[: config.size, : config.size].astype(np.float64)
    mask = np.zeros((config.size, config.size), bool)
    for centre_x, centre_y, radius_x, radius_y in _STABLE:
        corners = np.array([[centre_x, centre_y], [centre_x + radius_x, centre_y + radius_y]])
        (cx, cy), (right, bottom) = CanonicalFace(np.arange(2), corners).places(config)
        mask |= ((x - cx) / (right - cx)) ** 2 + ((y - cy) / (bottom - cy)) ** 2 <= 1
    return np.where(mask, 255, 0).astype(np.uint8)


def _grey(image: Image) -> Image:
    import cv2

    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
