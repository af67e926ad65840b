"""Named channels of a flow field: what each one is, and its unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError, UnknownNameError
from merprep.flow.strain import strain

_Channel = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _u(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    return flow[..., 0, :, :]


def _v(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    return flow[..., 1, :, :]


def _magnitude(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.hypot(_u(flow), _v(flow))


# The unit of each channel, and how it follows from the flow.
_CHANNELS: dict[str, tuple[str, _Channel]] = {
    "u": ("px", _u),
    "v": ("px", _v),
    "strain": ("px/px", strain),
    "magnitude": ("px", _magnitude),
}


def channel_names() -> list[str]:
    """Return the names of the channels that there are.

    Examples
    --------
    >>> channel_names()
    ['u', 'v', 'strain', 'magnitude']
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


def _channel(name: str) -> tuple[str, _Channel]:
    if name not in _CHANNELS:
        raise UnknownNameError.among("channel", name, channel_names())
    return _CHANNELS[name]
