"""Named channels of a flow field: what each one is, and its unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError, UnknownNameError
from merprep.flow.strain import (
    curl,
    divergence,
    strain,
    strain_components,
    strain_swapped_axes,
    strain_without_shear,
)

_Channel = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _u(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    return flow[..., 0, :, :]


def _v(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    return flow[..., 1, :, :]


def _magnitude(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.hypot(_u(flow), _v(flow))


def _orientation(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.arctan2(_v(flow), _u(flow))


def _component(index: int) -> _Channel:
    return lambda flow: strain_components(flow)[..., index, :, :]


# The unit of each channel, and how it follows from the flow. Strain and its kin are pixels by pixels.
_CHANNELS: dict[str, tuple[str, _Channel]] = {
    "u": ("px", _u),
    "v": ("px", _v),
    "strain": ("px/px", strain),
    "magnitude": ("px", _magnitude),
    "orientation": ("rad", _orientation),
    "strain_xx": ("px/px", _component(0)),
    "strain_yy": ("px/px", _component(1)),
    "strain_xy": ("px/px", _component(2)),
    "divergence": ("px/px", divergence),
    "curl": ("px/px", curl),
    # As two public recipes compute strain, both wrongly; see merprep.flow.strain. For comparison with them only.
    "strain-swapped-axes": ("px/px", strain_swapped_axes),
    "strain-without-shear": ("px/px", strain_without_shear),
}
# Angles cannot be averaged: they are taken from the averaged flow.
_FROM_SMALL_FLOW = ("orientation",)


def channel_names() -> list[str]:
    """Return the names of the channels that there are.

    Examples
    --------
    >>> channel_names()
    ['u', 'v', 'strain', 'magnitude', 'orientation', 'strain_xx', 'strain_yy', 'strain_xy', 'divergence', 'curl', \
'strain-swapped-axes', 'strain-without-shear']
    """
    return list(_CHANNELS)


def unit_of(name: str) -> str:
    """Return the unit of a channel; strain, a derivative of pixels by pixels, has ``px/px``.

    Raises
    ------
    UnknownNameError
        Where there is no such channel.

    Examples
    --------
    >>> unit_of("u"), unit_of("strain")
    ('px', 'px/px')
    """
    return _channel(name)[0]


def channels_of(flow: NDArray[np.float32], names: Sequence[str]) -> NDArray[np.float32]:
    """Compute channels from a flow field, at its own resolution.

    Parameters
    ----------
    flow : (..., 2, H, W) float32
        u right-positive, v down-positive, in pixels.
    names : sequence of str
        The channels wanted, in the order wanted.

    Returns
    -------
    (..., C, H, W) float32

    Raises
    ------
    UnknownNameError
        Where a channel does not exist.
    FlowError
        Where `flow` is no flow field.

    Examples
    --------
    >>> flow = np.zeros((2, 8, 8), np.float32)
    >>> flow[0], flow[1] = 3, 4
    >>> channels_of(flow, ["magnitude", "u"])[:, 0, 0].tolist()
    [5.0, 3.0]
    """
    if flow.ndim < 3 or flow.shape[-3] != 2:
        raise FlowError("This is not a flow field", expected="an array (..., 2, H, W)", found=str(flow.shape))
    maps = [_channel(name)[1](flow) for name in names]
    return np.stack(maps, axis=-3).astype(np.float32, copy=False)


def shrunk(
    flow: NDArray[np.float32], maps: NDArray[np.float32], names: Sequence[str], shrink: _Channel
) -> NDArray[np.float32]:
    """Shrink channels; angles, which have no average, are those of the shrunk flow.

    Parameters
    ----------
    flow : (2, H, W) float32
    maps : (C, H, W) float32
        The channels of `flow`, in the order of `names`.
    shrink : callable
        From maps (C, H, W) to (..., C, h, w) by averages.

    Returns
    -------
    (..., C, h, w) float32

    Examples
    --------
    >>> from merprep.features.resize import area_average
    >>> flow = np.zeros((2, 8, 8), np.float32)
    >>> flow[0], flow[1, :, :4], flow[1, :, 4:] = -1.0, 0.1, -0.1             # angles near +pi and near -pi
    >>> maps = channels_of(flow, ["orientation"])
    >>> small = shrunk(flow, maps, ["orientation"], lambda maps: area_average(maps, 1))
    >>> round(abs(float(small[0, 0, 0])), 4)
    3.1416
    """
    small = shrink(maps)
    for index, name in enumerate(names):
        if name in _FROM_SMALL_FLOW:
            small[..., index, :, :] = _channel(name)[1](shrink(flow))
    return small


def _channel(name: str) -> tuple[str, _Channel]:
    if name not in _CHANNELS:
        raise UnknownNameError.among("channel", name, channel_names())
    return _CHANNELS[name]
