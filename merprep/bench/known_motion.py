"""The known-motion suite: pairs of face images between which the true motion is known.

A photograph ``g`` of a face is warped by a smooth field ``f``, a sum of three Gaussian bumps as an action unit
moves skin. The apex is ``g``, the onset ``g(x + f(x))``, so that onset(x) = apex(x + f(x)). Noise is added to both,
which are then rounded to 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError

# Where the face is in scikit-image's astronaut (NASA, public domain).
FACE_ROWS, FACE_COLUMNS = slice(0, 230), slice(110, 340)
_BUMPS = 3


@dataclass(frozen=True)
class MotionPair:
    """Two images and the motion between them.

    Parameters
    ----------
    onset, apex : (H, W) uint8
    flow : (2, H, W) float32
        The true field in pixels, u right-positive then v down-positive: onset(x) = apex(x + flow(x)).
    """

    onset: NDArray[np.uint8]
    apex: NDArray[np.uint8]
    flow: NDArray[np.float32]


def motion_pair(size: int, amplitude: float, *, seed: int = 0, noise: float = 1.0, face: int = 0) -> MotionPair:
    """Make one pair of the suite.

    Parameters
    ----------
    size : int
        Height and width in pixels, at least 16.
    amplitude : float
        The peak of each bump, in pixels.
    seed : int
        Draws the bumps (centres in the central half, radii 5 to 12 % of the image, directions) and the noise.
    noise : float
        Standard deviation of the noise, in grey levels.
    face : int
        0 is the photograph; others are synthetic subjects made from it (geometry, light, skin, lens).

    Raises
    ------
    UsageError
        Where the size is too small or a number is negative.

    Examples
    --------
    >>> pair = motion_pair(32, 0.5, seed=1)
    >>> pair.onset.shape, pair.onset.dtype, pair.flow.shape
    ((32, 32), dtype('uint8'), (2, 32, 32))
    """
    if size < 16 or amplitude < 0 or noise < 0:
        raise UsageError(
            "The known-motion suite needs a size of at least 16 and no negative numbers",
            found=f"size {size}, amplitude {amplitude}, noise {noise}",
        )
    random = np.random.default_rng([seed, size])
    photo = face_photo(size) if face == 0 else subject_photo(size, face)
    flow = bump_field(size, amplitude, random)
    onset = warp_bicubic(photo, flow)
    noisy = [image + random.normal(0.0, noise, image.shape) for image in (onset, photo)]
    onset8, apex8 = (np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in noisy)
    return MotionPair(onset8, apex8, flow.astype(np.float32))


def bump_field(size: int, amplitude: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw a field of three Gaussian bumps.

    Returns
    -------
    (2, size, size) float64
        In pixels.

    Examples
    --------
    >>> field = bump_field(64, 0.0, np.random.default_rng(0))
    >>> float(abs(field).max())
    0.0
    """
    y, x = np.mgrid[:size, :size].astype(np.float64)
    field = np.zeros((2, size, size))
    for _ in range(_BUMPS):
        centre_x, centre_y = random.uniform(0.25, 0.75, 2) * size
        radius = random.uniform(0.05, 0.12) * size
        angle = random.uniform(0, 2 * np.pi)
        bump = amplitude * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * radius**2))
        field += np.array([np.cos(angle), np.sin(angle)])[:, None, None] * bump
    return field


@lru_cache(maxsize=8)
def face_photo(size: int) -> NDArray[np.float64]:
    """Return the photograph's face in grey, 0 to 255, at a size. Read-only, since it is shared."""
    import cv2
    from skimage import data

    photo = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)[FACE_ROWS, FACE_COLUMNS]
    grey = np.asarray(cv2.resize(photo.astype(np.float64), (size, size), interpolation=cv2.INTER_AREA), np.float64)
    grey.flags.writeable = False
    return grey


@lru_cache(maxsize=32)
def subject_photo(size: int, subject: int) -> NDArray[np.float64]:
    """Return a synthetic subject's face in grey, 0 to 255, at a size. Read-only, since it is shared."""
    import cv2

    from merprep.synthetic.subjects import base_image

    large = max(2 * size, 128)  # shrunk as a photograph is, so that the lens and not the renderer sets the sharpness
    image = base_image(subject, (large, large), False).image.astype(np.float64)
    grey = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.float64)
    grey = np.clip(grey, 0, 255)
    grey.flags.writeable = False
    return grey


def warp_bicubic(image: NDArray[np.float64], flow: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return image(x + flow(x)) by Keys' bicubic interpolation (a = -1/2), borders repeated.

    Written out, because OpenCV's `remap` rounds positions to 1/32 pixel, an eighth of the smallest motion here.

    Examples
    --------
    >>> ramp = np.tile(np.arange(16.0), (16, 1))
    >>> float(warp_bicubic(ramp, np.full((2, 16, 16), 0.25))[8, 8])
    8.25
    """
    height, width = image.shape
    rows, columns = np.mgrid[:height, :width]
    row, row_weights = _cubic_taps(rows + flow[1])
    column, column_weights = _cubic_taps(columns + flow[0])
    warped = np.zeros(image.shape)
    for i in range(4):
        for j in range(4):
            taps = image[np.clip(row + i - 1, 0, height - 1), np.clip(column + j - 1, 0, width - 1)]
            warped += row_weights[i] * column_weights[j] * taps
    return warped


def _cubic_taps(position: NDArray[np.float64]) -> tuple[NDArray[np.intp], list[NDArray[np.float64]]]:
    # R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29(6), 1981.
    first = np.floor(position)
    t = position - first
    weights = [
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ]
    return first.astype(np.intp), weights


def relative_epe(found: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Return the mean end-point error divided by the mean length of the true field.

    1.0 is no better than answering zero.

    Examples
    --------
    >>> truth = np.ones((2, 4, 4))
    >>> relative_epe(np.zeros((2, 4, 4)), truth)
    1.0
    """
    error = np.hypot(*(found.astype(np.float64) - truth))
    return float(error.mean() / np.hypot(*truth.astype(np.float64)).mean())
