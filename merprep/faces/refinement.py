"""Taking the head's own motion out of a frame, by the skin that expressions hardly move.

Between two frames of a clip the head drifts by more than an expression moves the skin. Wanted are the rotation and
translation W that bring a frame I onto the clip's reference T by their enhanced correlation coefficient, so up to
contrast and brightness (G. Evangelidis, E. Psarakis, Parametric image alignment using enhanced correlation
coefficient maximization, IEEE TPAMI 30(10), 2008), over the nose only, since the whole face would follow the
expression. Each step solves

    min over a, b, c of sum over that skin of | I(W(x)) - a T(x) - b - c . J(x) |^2,   J = dT(x)/dp,

and sets W <- W o W(c / a)^-1 (the inverse compositional step: S. Baker, I. Matthews, Lucas-Kanade 20 years on, IJCV
56(3), 2004). Frames are read at exact positions; OpenCV's own `findTransformECC` reads them by straight lines between
pixels and was off by 0.03 to 0.05 px without any noise, where this is by less than 0.01 (`docs/faces.md`). What noise
alone would explain is not kept: a number p that the fit knows with a variance v becomes p max(0, 1 - 4 v / p^2), the
non-negative garrote (L. Breiman, Better subset regression using the nonnegative garrote, Technometrics 37(4), 1995),
so that a still clip keeps the transform it has. The result is put together with the clip's transform, so that a frame
is still warped once, from its original pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from merprep.faces.config import AlignConfig
from merprep.faces.geometry import Affine, CanonicalFace, apply, inverse
from merprep.faces.sampling import sample_cubic

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# Centre (x, y) and radii of ellipses of stable skin, in eye distances from the middle between the eyes. Only the nose
# and what is just beside it: with the temples and outer eye corners, a smile or raised brows pulled the fit twice as
# far on rendered clips; with less of it, noise turned the fit by more.
_STABLE = ((0.0, 0.2, 0.35, 0.42),)
_ROUNDS, _ENOUGH = 30, 1e-3  # px
_SIGMA = 1.5  # px, of the Gaussian that both pictures are smoothed with: noise falls, and cubic reading is exact
_DOUBT = 4.0  # variances; chance alone exceeds that once in twenty still frames, and little of it is kept then
_BLOCK = 12  # px, as far as smoothed noise is alike
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
    motion = _motion(_smooth(reference), _smooth(warped), stable_skin(config) > 0)
    if motion is None:
        return transform
    back = inverse(motion)
    return np.column_stack([back[:, :2] @ transform[:, :2], apply(back, transform[:, 2][np.newaxis])[0]])


def _motion(still: Floats, moved: Floats, skin: NDArray[np.bool_]) -> Affine | None:
    """Return where each point of the reference lies in the other picture, a rotation and translation, or None."""
    rows, columns = np.nonzero(skin)
    points = np.stack([columns, rows], axis=1).astype(np.float64)
    middle = points.mean(axis=0)  # about which a turn and a shift are told apart best
    x, y = (points - middle).T
    gradients = np.asarray(np.gradient(still.astype(np.float64)))
    down, across = gradients[0][skin], gradients[1][skin]
    radius = float(np.hypot(x, y).mean())  # so that the turn counts in px, too
    terms = np.stack([still[skin], np.ones(len(x)), across, down, (x * down - y * across) / radius], axis=1)
    if np.linalg.matrix_rank(terms) < terms.shape[1]:
        return None  # a flat picture
    solve = np.linalg.pinv(terms)
    motion = np.eye(2, 3)
    for _ in range(_ROUNDS):
        at = apply(motion, points).astype(np.float32)
        values = sample_cubic(moved, at[:, :1], at[:, 1:])[:, 0].astype(np.float64)
        gain, _, *step = found = solve @ values
        if gain < 0.2 or not np.isfinite(step).all():
            return None
        dx, dy, turn = np.array(step) / gain / (1, 1, radius)
        back = inverse(_rigid(dx, dy, turn, middle))
        motion = np.column_stack([motion[:, :2] @ back[:, :2], apply(motion, back[:, 2][np.newaxis])[0]])
        if np.linalg.norm(apply(motion, middle[np.newaxis])[0] - middle) > _FARTHEST * len(still):
            return None
        if np.hypot(dx, dy) + abs(turn) * radius < _ENOUGH:
            break
    variances = _variances(solve, values - terms @ found, points)[2:] / gain**2
    return _certain(motion, middle, variances / (1, 1, radius**2))


def _variances(solve: Doubles, residual: Doubles, points: Doubles) -> Doubles:
    """Return the variance of each fitted number, (K,), from what the fit has left over at the points.

    Noise of neighbouring pixels is alike after smoothing and warping; sums over blocks of pixels take that into
    account without a model of it (R. Liang, S. Zeger, Longitudinal data analysis using generalized linear models,
    Biometrika 73(1), 1986: the sandwich estimator).
    """
    blocks = (points // _BLOCK).astype(np.int64)
    _, numbers = np.unique(blocks[:, 0] * 4096 + blocks[:, 1], return_inverse=True)
    count = int(numbers.max()) + 1
    sums = np.stack([np.bincount(numbers, row * residual, minlength=count) for row in solve])
    return np.asarray((sums**2).sum(axis=1) * count / max(count - len(solve), 1))


def _certain(motion: Affine, middle: NDArray[np.float64], variances: Doubles) -> Affine:
    """Return the part of a motion that its noise does not explain, so that a still face is not moved at all."""
    shift = apply(motion, middle[np.newaxis])[0] - middle
    found = np.array([*shift, np.arctan2(motion[1, 0], motion[0, 0])])
    kept = np.maximum(0.0, 1 - _DOUBT * variances / np.maximum(found**2, 1e-12))
    dx, dy, turn = found * kept
    return _rigid(dx, dy, turn, middle)


def _rigid(dx: float, dy: float, turn: float, middle: NDArray[np.float64]) -> Affine:
    cos, sin = np.cos(turn), np.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, np.add(middle, (dx, dy)) - linear @ middle])


@lru_cache(maxsize=8)
def stable_skin(config: AlignConfig) -> NDArray[np.uint8]:
    """Return where the skin of an aligned face keeps its place, (S, S), 0 or 255.

    Examples
    --------
    >>> bool(0.02 < (stable_skin(AlignConfig()) > 0).mean() < 0.15)
    True
    """
    y, x = np.mgrid[: config.size, : config.size].astype(np.float64)
    mask = np.zeros((config.size, config.size), bool)
    for centre_x, centre_y, radius_x, radius_y in _STABLE:
        corners = np.array([[centre_x, centre_y], [centre_x + radius_x, centre_y + radius_y]])
        (cx, cy), (right, bottom) = CanonicalFace(np.arange(2), corners).places(config)
        mask |= ((x - cx) / (right - cx)) ** 2 + ((y - cy) / (bottom - cy)) ** 2 <= 1
    return np.where(mask, 255, 0).astype(np.uint8)


def _smooth(image: Image) -> Floats:
    import cv2

    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _SIGMA), np.float32)
