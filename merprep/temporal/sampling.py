"""A fixed number of frames out of a clip, evenly spread, the same ones each time."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError
from merprep.temporal.checks import Frames, checked_frames

Places = Literal["ends", "middles"]


def uniform_indices(count: int, n: int, *, at: Places = "ends") -> NDArray[np.int64]:
    r"""Return which `n` of `count` frames are taken: no chance is involved.

    With ``ends`` the first and the last frame are among them, :math:`i_j = \lfloor j (T-1)/(n-1) + 1/2 \rfloor`;
    with ``middles`` the clip is cut into n equal pieces and the frame in the middle of each is taken,
    :math:`i_j = \lfloor (j + 1/2)\, T / n \rfloor`. Where n is larger than T, frames are repeated.

    Parameters
    ----------
    count : int
        T, the frames that there are.
    n : int
        The frames wanted.
    at : {"ends", "middles"}

    Returns
    -------
    (n,) int64
        Indices from 0, never falling.

    Raises
    ------
    UsageError
        Where a number is below 1, or `at` is unknown.

    Examples
    --------
    >>> uniform_indices(9, 5).tolist(), uniform_indices(9, 3, at="middles").tolist()
    ([0, 2, 4, 6, 8], [1, 4, 7])
    >>> uniform_indices(2, 4).tolist()
    [0, 0, 1, 1]
    """
    if count < 1 or n < 1:
        raise UsageError("Sampling needs at least one frame, and one wanted", found=f"{n} of {count}")
    j = np.arange(n)
    if at == "middles" or (at == "ends" and n == 1):
        return (2 * j + 1) * count // (2 * n)
    if at != "ends":
        raise UsageError("Frames are sampled at their 'ends' or 'middles'", found=repr(at))
    return (2 * j * (count - 1) + n - 1) // (2 * (n - 1))


def sample_uniformly(frames: Frames, n: int, *, at: Places = "ends") -> Frames:
    """Return `n` evenly spread frames of a clip; see `uniform_indices`.

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, 3), uint8 or float

    Returns
    -------
    (n, ...) of the frames' type

    Raises
    ------
    ImageError, UsageError
        Where these are no frames, or the number makes no sense.

    Examples
    --------
    >>> clip = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    >>> sample_uniformly(clip, 3)[:, 0, 0].tolist()
    [0, 3, 5]
    """
    given = checked_frames(frames)
    return given[uniform_indices(len(given), n, at=at)]
