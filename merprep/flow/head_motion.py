r"""What is left of the head: a rigid motion fitted robustly to a flow field, and taken out of it.

Skin that lies at x in the onset moves by the expression, then with the head:

.. math:: x + w(x) = R(x + f(x))            \qquad (1)

with w the whole flow, f the expression and R an affine map (a similarity, unless asked otherwise). Where nothing is
expressed f is zero and w(x) = R(x) - x, which is linear in R's numbers. R minimises, over the pixels of a face,

.. math:: \sum_x k(x) \, t(x) \, |w(x) - R(x) + x|^2,  \qquad t = |g|^2 / (|g|^2 + g_0^2)      \qquad (2)

by iteratively reweighted least squares with Tukey's weights k, so that what is expressed (the minority of the face)
does not count; t trusts the flow where the onset has gradients g, since on bare skin it is carried on from elsewhere.

References
----------
A. E. Beaton, J. W. Tukey, "The fitting of power series, meaning polynomials, illustrated on band-spectroscopic
data", Technometrics 16(2), 1974.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError

HeadModel = Literal["similarity", "affine"]
Affine = NDArray[np.float64]

_NUMBERS = {"similarity": 4, "affine": 6}
# Every third pixel of every third row, or every fourth of large fields: a flow field changes slowly.
_STEP, _LARGE_STEP, _LARGE = 3, 4, 96
_ROUNDS = 20
_SETTLED = 1e-5  # px: further rounds would change less
# Weights are zero beyond this many standard deviations. Tukey's 4.685 lets in too much: expressions fade out smoothly.
_CUTOFF = 2.0
# The spread is read off the best part of the residuals, first a half, then down to this, since expressions may cover
# nearly half of a face.
_BEST_PART = 0.3
_SMALLEST_SPREAD = 2e-3  # px
_TEXTURE = 5.0  # g_0, grey levels a pixel
_FEWEST = 12  # pixels


@dataclass(frozen=True)
class HeadMotion:
    """A rigid motion from onset to apex.

    Parameters
    ----------
    matrix : (2, 3) float64
        Applied as ``matrix[:, :2] @ (x, y) + matrix[:, 2]``, px.
    spread : float
        Standard deviation of what was left where the head alone moved, px.
    share : float
        Part of the pixels that counted, 0 to 1; the rest moved otherwise.
    """

    matrix: Affine
    spread: float
    share: float

    def field(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the motion as a flow field, (2, H, W), px.

        Examples
        --------
        >>> HeadMotion(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]), 0.0, 1.0).field((4, 4))[:, 0, 0].tolist()
        [2.0, 0.0]
        """
        return moved(self.matrix, grid(shape)) - grid(shape)


def fit_head_motion(
    flow: NDArray[np.floating],
    model: HeadModel = "similarity",
    *,
    image: NDArray[np.floating] | None = None,
    region: NDArray[np.bool_] | None = None,
) -> HeadMotion:
    """Fit the motion of the head to a flow field.

    Parameters
    ----------
    flow : (2, H, W) float
        Onset to apex, px.
    model : {"similarity", "affine"}
        Turning, nearing and shifting; or any linear map, which also follows small turns out of the plane.
    image : (H, W) float, optional
        The onset in grey, 0 to 255: pixels with texture then count for more.
    region : (H, W) bool, optional
        Pixels that count, such as the face without eyes and mouth; None takes all.

    Returns
    -------
    HeadMotion

    Raises
    ------
    FlowError
        Where shapes do not fit, or too little of the face is left.

    Examples
    --------
    >>> flow = HeadMotion(np.array([[1.0, -0.01, 2.0], [0.01, 1.0, 0.5]]), 0.0, 1.0).field((64, 64))
    >>> flow[:, 20:30, 30:40] += 1.0                           # an expression
    >>> fit_head_motion(flow).matrix.round(4).tolist()
    [[1.0, -0.01, 2.0], [0.01, 1.0, 0.5]]
    """
    points, vectors, trust = _samples(flow, image, region)
    centre, scale = points.mean(axis=0), float(points.std()) + 1e-9
    design = _design((points - centre) / scale, model)
    weights, spread = trust, 0.0
    values = np.zeros(design.shape[2])
    for number in range(_ROUNDS):
        before, values = values, _least_squares(design, vectors, weights)
        if 0.5 - 0.05 * (number - 1) <= _BEST_PART and np.abs(values - before).max() < _SETTLED:
            break
        residuals = np.hypot(*(vectors - np.einsum("kci,i->kc", design, values)).T)
        spread = _spread(residuals, trust, max(0.5 - 0.05 * number, _BEST_PART))
        weights = trust * np.maximum(1 - (residuals / (_CUTOFF * spread)) ** 2, 0) ** 2
    return HeadMotion(_matrix(values, model, centre, scale), spread, float((weights > 0).mean()))


def without_head_motion(flow: NDArray[np.floating], matrix: Affine) -> NDArray[np.float32]:
    """Take a head's motion out of a flow field: f of equation 1.

    Parameters
    ----------
    flow : (2, H, W) float
    matrix : (2, 3) float64
        See `HeadMotion`.

    Returns
    -------
    (2, H, W) float32
        The flow that there would be if the head had kept still.

    Examples
    --------
    >>> head = HeadMotion(np.array([[1.0, -0.01, 2.0], [0.01, 1.0, 0.5]]), 0.0, 1.0)
    >>> float(abs(without_head_motion(head.field((16, 16)), head.matrix)).max()) < 1e-6
    True
    """
    here = grid((flow.shape[-2], flow.shape[-1]))
    return (moved(inverse(matrix), here + flow) - here).astype(np.float32)


def grid(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the positions of pixels, (2, H, W), x then y."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.stack([x, y]).astype(np.float64)


def moved(matrix: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply an affine map to positions (2, H, W)."""
    x, y = points  # written out: a product of matrices this small would only wake the threads of BLAS
    return np.stack([a * x + b * y + c for a, b, c in matrix])


def inverse(matrix: Affine) -> Affine:
    """Return the inverse of an affine map (2, 3)."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def half(matrix: Affine) -> Affine:
    """Return the affine map that, done twice, is `matrix` (near the identity), by Newton's iteration.

    Examples
    --------
    >>> half(np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]]))[:, 2].tolist()
    [1.5, 0.0]
    """
    whole = np.vstack([matrix, [0.0, 0.0, 1.0]])
    root = np.eye(3)
    for _ in range(12):  # doubles the digits each time
        root = (root + np.linalg.solve(root, whole)) / 2
    return root[:2]


def after(second: Affine, first: Affine) -> Affine:
    """Return the affine map that does `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def _samples(
    flow: NDArray[np.floating], image: NDArray[np.floating] | None, region: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return positions (K, 2), vectors (K, 2) and trust (K,) of the pixels that are looked at."""
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise FlowError("Head motion is fitted to one flow field", expected="(2, H, W)", found=str(flow.shape))
    for name, other in (("image", image), ("region", region)):
        if other is not None and other.shape != flow.shape[1:]:
            raise FlowError(f"The {name} has another size than the flow", expected=str(flow.shape[1:]),
                            found=str(other.shape))  # fmt: skip
    chosen = np.zeros(flow.shape[1:], bool)
    step = _STEP if min(chosen.shape) < _LARGE else _LARGE_STEP
    chosen[step // 2 :: step, step // 2 :: step] = True
    if region is not None:
        chosen &= region
    y, x = np.nonzero(chosen)
    if len(x) < _FEWEST:
        raise FlowError("Too little of the face is left to fit the head's motion to", found=f"{len(x)} pixels",
                        expected=f"at least {_FEWEST}", mend="use head_motion='none'")  # fmt: skip
    trust = np.ones(len(x)) if image is None else _texture(image)[chosen]
    return np.stack([x, y], axis=1).astype(np.float64), flow[:, chosen].T.astype(np.float64), trust


def _texture(image: NDArray[np.floating]) -> NDArray[np.float64]:
    by_y, by_x = np.gradient(image.astype(np.float64))
    squared = by_x**2 + by_y**2
    # A trace of trust everywhere, so that an image without any texture still has a fit.
    return np.asarray(squared / (squared + _TEXTURE**2) + 1e-6)


def _design(points: NDArray[np.float64], model: HeadModel) -> NDArray[np.float64]:
    """Return (K, 2, n): the flow at each point as a linear function of the n numbers of the model."""
    if model not in _NUMBERS:
        raise FlowError("There is no such model of head motion", expected=" or ".join(_NUMBERS), found=repr(model))
    x, y = points.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = (
        ([x, -y, one, zero], [y, x, zero, one])
        if model == "similarity"
        else ([x, y, zero, zero, one, zero], [zero, zero, x, y, zero, one])
    )
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def _least_squares(
    design: NDArray[np.float64], vectors: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    weighted = (design * weights[:, None, None]).reshape(-1, design.shape[2])
    # einsum, since BLAS would take several threads for what takes one less time.
    left = np.einsum("ki,kj->ij", weighted, design.reshape(weighted.shape))
    right = np.einsum("ki,k->i", weighted, vectors.ravel())
    return np.asarray(np.linalg.lstsq(left, right, rcond=None)[0])


def _spread(residuals: NDArray[np.float64], trust: NDArray[np.float64], part: float) -> float:
    """Return the standard deviation, in each direction, that makes `part` of the residuals as short as they are.

    Lengths of normal vectors have the distribution function ``1 - exp(-r^2 / 2 s^2)``.
    """
    order = np.argsort(residuals)
    summed = np.cumsum(trust[order])
    quantile = float(residuals[order][np.searchsorted(summed, part * summed[-1])])
    return max(quantile / float(np.sqrt(-2 * np.log(1 - part))), _SMALLEST_SPREAD)


def _matrix(values: NDArray[np.float64], model: HeadModel, centre: NDArray[np.float64], scale: float) -> Affine:
    a, b = values[0] / scale, values[1] / scale
    linear = np.array([[a, -b], [b, a]]) if model == "similarity" else values[:4].reshape(2, 2) / scale
    return np.column_stack([np.eye(2) + linear, values[-2:] - linear @ centre])
