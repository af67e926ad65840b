r"""Small motions made visible: linear Eulerian video magnification (Wu et al. 2012).

Where a picture I shifts by a small :math:`\delta(t)`, its grey levels change by :math:`B = \delta(t) \, \nabla I`,
and

.. math:: I + \alpha B \approx I(x + (1 + \alpha) \, \delta(t))                                   \qquad (1)

a picture that has shifted 1 + alpha times as far. The change B is taken from a band of temporal frequencies
(discrete Fourier transform over the clip, everything outside of the band set to zero), on every level of a
Laplacian pyramid, since (1) holds only for wavelengths lambda that are long beside the magnified shift,

.. math:: (1 + \alpha) \, \delta < \lambda / 8                                                    \qquad (2)

With the shortest wavelength that is magnified in full, :math:`\lambda_c`, (2) fixes
:math:`\delta = \lambda_c / (8 (1 + \alpha))`, and a level of wavelength :math:`\lambda < \lambda_c` is magnified by
:math:`\lambda / (8 \delta) - 1` alone. The lowest level, brightness rather than shape, is left as it is.

This is the linear method; the phase-based one of Wadhwa et al. (2013) is not built in. Noise of the band is
magnified as much as motion: the result is for looking at, and for features that were published with it.

References
----------
H.-Y. Wu, M. Rubinstein, E. Shih, J. Guttag, F. Durand, W. Freeman, "Eulerian video magnification for revealing
subtle changes in the world", ACM Transactions on Graphics 31(4), 2012, doi:10.1145/2185520.2185561.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError
from merprep.temporal.checks import Frames, as_given, checked_frames

Floats = NDArray[np.float32]
_SMALLEST = 2  # px: a level no larger than this is not halved again


def magnify(
    frames: Frames,
    factor: float = 10.0,
    *,
    fps: float,
    low: float,
    high: float,
    wavelength: float = 16.0,
) -> Frames:
    """Magnify the small motions of a clip, by linear Eulerian magnification; see the module's equations.

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, 3), uint8 or float
    factor : float
        alpha: motions look 1 + alpha times as large; 0 returns the clip as it is.
    fps : float
        Frames a second.
    low, high : float
        The band of temporal frequencies, Hz, both ends included; a micro-expression of 0.3 s has most of its
        motion between 0.5 and 4 Hz. Constant parts (0 Hz) are never magnified.
    wavelength : float
        lambda_c, px: shorter ones are magnified less.

    Returns
    -------
    (T, ...) of the frames' type

    Raises
    ------
    ImageError
        Where these are not the frames of a clip, or fewer than 4.
    UsageError
        Where a number makes no sense, or the clip is too short for any frequency of the band.

    Examples
    --------
    >>> still = np.full((16, 32, 32), 90, np.uint8)
    >>> bool((magnify(still, fps=100, low=1, high=20) == still).all())
    True
    """
    given = checked_frames(frames, least=4)
    _check(factor, fps, low, high, wavelength)
    passed = _band(len(given), fps, low, high)
    change = [_in_band(level, passed) for level in _pyramids(given.astype(np.float32))[:-1]]
    change = [level * np.float32(_level_factor(k, factor, wavelength)) for k, level in enumerate(change)]
    return as_given(given + _collapsed(change, given), given)


def _check(factor: float, fps: float, low: float, high: float, wavelength: float) -> None:
    if not (factor >= 0 and math.isfinite(factor) and wavelength > 0):
        raise UsageError("The factor must be 0 or more, the wavelength above 0", found=f"{factor}, {wavelength}")
    if not 0 <= low < high <= fps / 2:
        raise UsageError(
            "The band of frequencies makes no sense",
            expected=f"0 <= low < high <= {fps / 2:g} Hz, half of the frame rate",
            found=f"{low:g} to {high:g} Hz at {fps:g} frames a second",
        )


def _band(count: int, fps: float, low: float, high: float) -> NDArray[np.bool_]:
    frequencies = np.fft.rfftfreq(count, 1 / fps)
    passed = (frequencies >= low) & (frequencies <= high) & (frequencies > 0)
    if not passed.any():
        raise UsageError(
            "The clip is too short for this band of frequencies",
            expected=f"a frequency among multiples of {fps / count:.3g} Hz",
            found=f"{low:g} to {high:g} Hz, {count} frames",
            mend="widen the band, or take more frames",
        )
    return np.asarray(passed)


def _in_band(values: Floats, passed: NDArray[np.bool_]) -> Floats:
    spectrum = np.fft.rfft(values, axis=0)
    spectrum[~passed] = 0
    return np.fft.irfft(spectrum, len(values), axis=0).astype(np.float32)


def _level_factor(level: int, factor: float, wavelength: float) -> float:
    """Return alpha of a level, whose typical wavelength is four of its pixels."""
    delta = wavelength / (8 * (1 + factor))
    return float(min(factor, max(0.0, 4 * 2**level / (8 * delta) - 1)))


def _pyramids(frames: Floats) -> list[Floats]:
    """Return the Laplacian pyramids of all frames, level by level, finest first; the last is what is left over."""
    import cv2

    levels = []
    while min(frames.shape[1:3]) > _SMALLEST:
        small = np.stack([cv2.pyrDown(frame, borderType=cv2.BORDER_REPLICATE) for frame in frames])
        levels.append(frames - _doubled(small, frames))
        frames = small
    return [*levels, frames]


def _doubled(small: Floats, like: Any) -> Floats:
    import cv2

    return np.stack([cv2.pyrUp(frame, dstsize=(like.shape[2], like.shape[1])) for frame in small])


def _collapsed(levels: list[Floats], frames: Frames) -> Floats:
    """Add the levels up, coarse to fine; the change of what is left over counts as none."""
    total = np.zeros((), np.float32)
    for level in reversed(levels):
        total = level + (_doubled(total, level) if total.ndim else total)
    return np.broadcast_to(total, frames.shape)
