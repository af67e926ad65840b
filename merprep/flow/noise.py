r"""How noisy a pair of images is, and what TV-L1 is given of a noisy one.

The standard deviation of the noise is read off three images, the onset, the apex and their difference divided by
:math:`\sqrt 2`, and the smallest counts: texture adds to the first two, motion to the third. For each, with N the
difference of two Laplacians, which sees neither slopes nor straight edges,

.. math:: \hat\sigma = \operatorname{median} |N * I| \;/\; (0.6745 \cdot 6), \qquad
          N = (1, -2, 1)^T (1, -2, 1)                                                           \qquad (1)

A pair of level :math:`n = \lfloor \hat\sigma + 0.3 \rfloor \ge 2` is smoothed by (1, 4, 1) / 6 along rows and columns,
rounded to multiples of n, and divided by :math:`\sqrt n`, which weighs the data term of TV-L1 less by as much. Below,
images stay as they are.

References
----------
J. Immerkær, "Fast noise variance estimation", Computer Vision and Image Understanding 64(2), 1996, for N; the median
in the place of the mean, and the difference of the pair, are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Image = NDArray[np.float32]

_PER_SIGMA = 0.6745 * 6  # the median of |N * noise| where the noise is normal with deviation 1
_ROUNDED_UP_FROM = 0.7  # of a level: where motion alone raises the estimate most, it stays below
_QUIET = 2  # the first level at which something is done
_LOUDEST = 16
_SIDE, _MIDDLE = np.float32(1 / 6), np.float32(4 / 6)


def noise_level(onset: Image, apex: Image) -> int:
    """Return the level of noise of a pair, in whole grey levels; below 2 nothing needs to be done about it.

    Parameters
    ----------
    onset, apex : (H, W) float32
        Grey, 0 to 255, at least 3 by 3.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 4, (2, 64, 64)).astype(np.float32)
    >>> noise_level(128 + noise[0], 128 + noise[1]), noise_level(noise[0], noise[0])
    (4, 0)
    """
    seen = _deviation(apex - onset) / np.sqrt(2)
    if _level(seen) >= _QUIET:
        seen = min(seen, _deviation(onset), _deviation(apex))
    return _level(seen)


def adapted(onset: Image, apex: Image) -> tuple[Image, Image]:
    """Return what TV-L1 is given of a pair: the very same images, unless they are noisy.

    Parameters
    ----------
    onset, apex : (H, W) float32

    Examples
    --------
    >>> quiet = np.zeros((32, 32), np.float32)
    >>> adapted(quiet, quiet)[0] is quiet
    True
    """
    level = noise_level(onset, apex)
    if level < _QUIET:
        return onset, apex
    first, second = (np.rint(_smoothed(image) / level) * np.float32(np.sqrt(level)) for image in (onset, apex))
    return first, second


def adapted_batch(onset: Tensor, apex: Tensor) -> tuple[Tensor, Tensor]:
    """Do as `adapted` does to each pair of a batch, on its device and without a look from the host.

    Parameters
    ----------
    onset, apex : (N, H, W) float32 tensors

    Examples
    --------
    >>> import torch
    >>> quiet = torch.zeros(2, 32, 32)
    >>> adapted_batch(quiet, quiet)[0].any().item()
    False
    """
    import torch

    seen = torch.stack([_deviations(apex - onset) / 2**0.5, _deviations(onset), _deviations(apex)]).amin(0)
    level = (seen + (1 - _ROUNDED_UP_FROM)).floor().clamp(0, _LOUDEST)[:, None, None]
    noisy, step = level >= _QUIET, level.clamp(min=1)
    first, second = (
        torch.where(noisy, (_smoothed_batch(image) / step).round() * step.sqrt(), image) for image in (onset, apex)
    )
    return first, second


def _level(deviation: float) -> int:
    return int(min(deviation + (1 - _ROUNDED_UP_FROM), _LOUDEST))


def _deviation(image: Image) -> float:
    """Equation 1, on every other row and column: a quarter of the pixels says as much."""
    down = image[:-2:2] - 2 * image[1:-1:2] + image[2::2]
    both = np.abs(down[:, :-2:2] - 2 * down[:, 1:-1:2] + down[:, 2::2]).ravel()
    middle = (both.size - 1) // 2
    return float(np.partition(both, middle)[middle]) / _PER_SIGMA


def _deviations(images: Tensor) -> Tensor:
    down = images[:, :-2:2] - 2 * images[:, 1:-1:2] + images[:, 2::2]
    both = (down[:, :, :-2:2] - 2 * down[:, :, 1:-1:2] + down[:, :, 2::2]).abs()
    return both.flatten(1).median(dim=1).values / _PER_SIGMA


def _smoothed(image: Image) -> Image:
    wide = np.pad(image, ((0, 0), (1, 1)), mode="edge")
    rows = _SIDE * (wide[:, :-2] + wide[:, 2:]) + _MIDDLE * image
    tall = np.pad(rows, ((1, 1), (0, 0)), mode="edge")
    return np.asarray(_SIDE * (tall[:-2] + tall[2:]) + _MIDDLE * rows, np.float32)


def _smoothed_batch(images: Tensor) -> Tensor:
    from torch.nn.functional import pad

    wide = pad(images[:, None], (1, 1, 0, 0), mode="replicate")[:, 0]
    rows = float(_SIDE) * (wide[:, :, :-2] + wide[:, :, 2:]) + float(_MIDDLE) * images
    tall = pad(rows[:, None], (0, 0, 1, 1), mode="replicate")[:, 0]
    return float(_SIDE) * (tall[:, :-2] + tall[:, 2:]) + float(_MIDDLE) * rows
