r"""The peak of a course: how far something has moved in each frame of a clip.

A micro-expression rises faster than it falls, so a parabola through its top lies late, and so does a smoothed
maximum. The top is fitted with a curvature of its own on each side,

.. math:: s(t) = A - a \min(t - p, 0)^2 - b \max(t - p, 0)^2, \quad a, b \ge 0                   \qquad (1)

by least squares over the frames around the smoothed maximum that reach 70 % of it; p runs over those frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEVEL = 0.7  # of the maximum; measured on rendered clips against 0.8 and 0.9, which leave too few frames to fit
_SMOOTHING = 1 / 30  # of the clip: standard deviation of the Gaussian that finds the maximum, at least a frame

Course = NDArray[np.float64]


@dataclass(frozen=True)
class Peak:
    """The top of a course.

    Parameters
    ----------
    index : int
    distinctness : float
        0 to 1: its height less what the course scatters about it, beside its height.
    """

    index: int
    distinctness: float


def rounded_peak(course: Course) -> Peak:
    """Fit the top of a smooth course that rises and falls at its own speeds; see (1).

    Parameters
    ----------
    course : (T,) float64

    Examples
    --------
    >>> t = np.arange(20.0)
    >>> rounded_peak(np.where(t < 6, 1 - ((t - 6) / 6) ** 2, 1 - ((t - 6) / 14) ** 2)).index
    6
    """
    from scipy.ndimage import gaussian_filter1d

    smooth = gaussian_filter1d(course, max(1.0, _SMOOTHING * len(course)), mode="nearest")
    top = int(smooth.argmax())
    low, high = _around(smooth, top)
    place, error = _best_top(np.arange(low, high + 1.0), course[low : high + 1], float(top))
    height = float(smooth[top] - np.minimum(smooth[0], smooth[-1]))
    return Peak(round(place), float(np.clip(1 - 2 * error / height, 0, 1)) if height > 0 else 0.0)


def _around(smooth: Course, top: int) -> tuple[int, int]:
    low = high = top
    while low > 0 and smooth[low - 1] >= _LEVEL * smooth[top]:
        low -= 1
    while high < len(smooth) - 1 and smooth[high + 1] >= _LEVEL * smooth[top]:
        high += 1
    return low, high


def _best_top(t: Course, values: Course, start: float) -> tuple[float, float]:
    """Return the place p of (1) with the least error, and that error (RMS); `start` where nothing can be fitted."""
    best, least = start, float(values.std())
    for place in t:
        bends = [-(np.minimum(t - place, 0) ** 2), -(np.maximum(t - place, 0) ** 2)]
        design = np.stack([np.ones_like(t), *bends], axis=1)
        solution = np.linalg.lstsq(design, values, rcond=None)[0]
        error = float(np.sqrt(np.mean((design @ solution - values) ** 2)))
        if (solution[1:] >= 0).all() and error < least:
            best, least = float(place), error
    return best, least


def halved_peak(course: Course) -> Peak:
    """Halve the course again and again, towards the half whose local peaks add up to more (divide and conquer).

    Parameters
    ----------
    course : (T,) float64
        Not below 0.

    Examples
    --------
    >>> halved_peak(np.array([0.0, 0.2, 0.1, 0.6, 0.9, 0.5, 0.2])).index
    4
    """
    peaks = _local_peaks(course)
    low, high = 0, len(course)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if peaks[low:middle].sum() > peaks[middle:high].sum() else (middle, high)
    height = course[low] - float(np.median(course))
    return Peak(low, float(np.clip(height / course[low], 0, 1)) if course[low] > 0 else 0.0)


def _local_peaks(course: Course) -> Course:
    """Return the course where it is not below its neighbours, 0 elsewhere."""
    before, after = np.r_[-np.inf, course[:-1]], np.r_[course[1:], -np.inf]
    return np.where((course >= before) & (course >= after), course, 0.0)
