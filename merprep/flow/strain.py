"""Optical strain: how much the skin is stretched and sheared, whatever the head does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError


def strain(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    r"""Return the magnitude of the infinitesimal strain tensor of a flow field.

    With :math:`\varepsilon = \tfrac12 (\nabla w + \nabla w^T)` of the field :math:`w = (u, v)`, its Frobenius norm is

    .. math:: \sqrt{(\partial_x u)^2 + (\partial_y v)^2 + \tfrac12 (\partial_y u + \partial_x v)^2}

    It is zero for every translation and, to first order, for every rotation. Derivatives are central differences
    inside and one-sided differences at the borders.

    Parameters
    ----------
    flow : (..., 2, H, W) float
        u right-positive, v down-positive, in pixels; at least 2 by 2 pixels.

    Returns
    -------
    (..., H, W) float32
        Without unit (pixels per pixel).

    Raises
    ------
    FlowError
        Where the array is no flow field or is smaller than 2 by 2.

    References
    ----------
    M. Shreve, S. Godavarthy, D. Goldgof, S. Sarkar, "Macro- and micro-expression spotting in long videos using
    spatio-temporal strain", FG 2011.

    Examples
    --------
    A field that stretches x by 2 %:

    >>> stretch = np.zeros((2, 16, 16), np.float32)
    >>> stretch[0] = 0.02 * np.arange(16)
    >>> round(float(strain(stretch).mean()), 6)
    0.02
    """
    du_dx, du_dy, dv_dx, dv_dy = gradients(flow)
    shear = du_dy + dv_dx
    return _float32(np.sqrt(du_dx * du_dx + dv_dy * dv_dy + 0.5 * shear * shear))


def strain_components(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    r"""Return the three numbers of the strain tensor: normal strain along x and along y, and shear.

    .. math:: \varepsilon_{xx} = \partial_x u, \quad \varepsilon_{yy} = \partial_y v, \quad
              \varepsilon_{xy} = \tfrac12 (\partial_y u + \partial_x v)

    Parameters
    ----------
    flow : (..., 2, H, W) float

    Returns
    -------
    (..., 3, H, W) float32
        xx, yy, xy; `strain` is ``sqrt(xx^2 + yy^2 + 2 xy^2)``.

    Examples
    --------
    >>> shear = np.zeros((2, 8, 8))
    >>> shear[0] = 0.02 * np.arange(8)[:, None]
    >>> strain_components(shear)[:, 4, 4].round(4).tolist()
    [0.0, 0.0, 0.009999999776482582]
    """
    du_dx, du_dy, dv_dx, dv_dy = gradients(flow)
    return np.stack([_float32(part) for part in (du_dx, dv_dy, 0.5 * (du_dy + dv_dx))], axis=-3)


def divergence(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``du_dx + dv_dy``: how much an area grows; positive where skin is stretched.

    Examples
    --------
    >>> y, x = np.mgrid[:8, :8] * 0.01
    >>> round(float(divergence(np.stack([x, y]))[4, 4]), 6)
    0.02
    """
    du_dx, _, _, dv_dy = gradients(flow)
    return _float32(du_dx + dv_dy)


def curl(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``dv_dx - du_dy``: twice the turn, positive from x towards y (clockwise as the image is seen).

    Examples
    --------
    >>> y, x = np.mgrid[:8, :8] * 0.01
    >>> round(float(curl(np.stack([-y, x]))[4, 4]), 6)
    0.02
    """
    _, du_dy, dv_dx, _ = gradients(flow)
    return _float32(dv_dx - du_dy)


def strain_swapped_axes(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    r"""Return what a common public recipe calls strain: rows and columns exchanged. For comparison with it only.

    It unpacks ``numpy.gradient``, which gives the derivative along rows (by y) first, as ``ux, uy``. So it computes
    :math:`\sqrt{(\partial_y u)^2 + (\partial_x v)^2 + \tfrac12 (\partial_x u + \partial_y v)^2}`, which turns a turn
    of the head into strain and is blind to part of a stretch. Wrong; see `strain`.

    Examples
    --------
    >>> y, x = np.mgrid[:8, :8] * 0.02
    >>> turn = np.stack([-y, x])
    >>> round(float(strain_swapped_axes(turn)[4, 4]), 4), round(float(strain(turn)[4, 4]), 4)
    (0.0283, 0.0)
    """
    du_dx, du_dy, dv_dx, dv_dy = gradients(flow)
    cross = du_dx + dv_dy
    return _float32(np.sqrt(du_dy * du_dy + dv_dx * dv_dx + 0.5 * cross * cross))


def strain_without_shear(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    r"""Return what another public recipe calls strain: the cross term left out. For comparison with it only.

    :math:`\sqrt{(\partial_x u)^2 + (\partial_y v)^2}` is blind to shear and changes when the face is turned. Wrong; see
    `strain`.

    Examples
    --------
    >>> shear = np.zeros((2, 8, 8))
    >>> shear[0] = 0.02 * np.arange(8)[:, None]
    >>> float(strain_without_shear(shear).max()), round(float(strain(shear)[4, 4]), 4)
    (0.0, 0.0141)
    """
    du_dx, _, _, dv_dy = gradients(flow)
    return _float32(np.sqrt(du_dx * du_dx + dv_dy * dv_dy))


def gradients(flow: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """Return ``du_dx, du_dy, dv_dx, dv_dy`` of a flow field, (..., H, W) each.

    Central differences inside, one-sided at the borders.

    Raises
    ------
    FlowError
        Where the array is no flow field or is smaller than 2 by 2.
    """
    field = np.asarray(flow)
    if field.ndim < 3 or field.shape[-3] != 2 or min(field.shape[-2:]) < 2:
        raise FlowError(
            "Strain needs a flow field of at least 2 by 2 pixels",
            expected="an array (..., 2, H, W)",
            found=str(field.shape),
        )
    u, v = field[..., 0, :, :], field[..., 1, :, :]
    # The derivative by y runs along rows (axis -2), by x along columns (axis -1): the pair that public snippets swap.
    du_dy, du_dx = np.gradient(u, axis=(-2, -1))
    dv_dy, dv_dx = np.gradient(v, axis=(-2, -1))
    return du_dx, du_dy, dv_dx, dv_dy


def _float32(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)
