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
    shear = du_dy + dv_dx
    magnitude = np.sqrt(du_dx * du_dx + dv_dy * dv_dy + 0.5 * shear * shear)
    return np.asarray(magnitude, np.float32)
