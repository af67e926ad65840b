"""What makes an aligned clip doubtful: it is kept, and its flags say why to look at it.

Thresholds are in units of the aligned face, so they hold for any size of picture. They were set on rendered faces and
on scikit-image's astronaut (see `docs/faces.md`), and mark what is far from those, not what is merely worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

LOWEST_SCORE = 0.5
LARGEST_TURN = 8.0  # degrees
LARGEST_RESIDUAL = 0.06  # of the face's size; a head turned by 45 degrees has about this
BLURRED = 0.32  # sharp rendered faces have 0.36 to 0.55, blurred by sigma 3 px 0.29 to 0.31
_LEAST_SIDE = 56  # px that a jump is looked for in
FARTHEST_JUMP = 0.06  # of the face's size between two frames: 13 px of 224, a sixth of the eye distance


def flags(
    *, score: float, turn: float, residual: float, image: Image, frames: Sequence[Image], numbers: Sequence[int]
) -> tuple[str, ...]:
    """Return what is doubtful about an aligned clip, in words; nothing where all is well.

    Parameters
    ----------
    score : float
        Confidence of the landmarks, 0 to 1.
    turn : float
        Degrees by which the aligned eyes are not level.
    residual : float
        RMS distance of the stable points from their places, px of the aligned face.
    image : (S, S) or (S, S, 3) uint8
        The aligned reference frame.
    frames : sequence of (S, S) or (S, S, 3) uint8
        All aligned frames.
    numbers : sequence of int
        Their file numbers.
    """
    size = image.shape[0]
    found = []
    if score < LOWEST_SCORE:
        found.append(f"landmarks are uncertain (score {score:.2f})")
    if abs(turn) > LARGEST_TURN:
        found.append(f"the eyes are {abs(turn):.0f} degrees off level after alignment")
    if residual > LARGEST_RESIDUAL * size:
        found.append(f"landmarks do not fit a frontal face (residual {residual:.1f} px)")
    detail = sharpness(image)
    if detail < BLURRED:
        found.append(f"the face is blurred or was enlarged (sharpness {detail:.2f})")
    jumped = largest_jump(frames, numbers)
    if jumped is not None and jumped[0] > FARTHEST_JUMP * size:
        found.append(f"the face jumps by {jumped[0]:.0f} px before frame {jumped[1]}")
    return tuple(found)


def turn_of(left_eye: NDArray[np.floating], right_eye: NDArray[np.floating]) -> float:
    """Return the degrees by which the line between two eyes (x, y) is not level; positive is clockwise.

    Examples
    --------
    >>> round(turn_of(np.array([0.0, 0.0]), np.array([1.0, 1.0])), 3)
    45.0
    """
    across = np.asarray(right_eye, np.float64) - np.asarray(left_eye, np.float64)
    return float(np.degrees(np.arctan2(across[1], across[0])))


def sharpness(image: Image) -> float:
    """Return how much fine detail a picture has, relative to its coarser detail.

    The ratio of the root mean squares of two bands, that between 1 and 2 px (by Gaussian blurs of sigma 0.7 and 1.4)
    and that between 2 and 4 px. It does not depend on brightness or contrast. Noise counts as detail: a noisy blurred
    picture is not noticed.

    Parameters
    ----------
    image : (S, S) or (S, S, 3) uint8

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> fine, coarse = ((128 + 100 * np.sin(x / width)).astype(np.uint8) for width in (1.0, 4.0))
    >>> sharpness(fine) > 1 > sharpness(coarse)
    True
    """
    import cv2

    grey = (image if image.ndim == 2 else image.mean(axis=2)).astype(np.float32)
    blurred = [cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (0.7, 1.4, 2.8)]
    fine, coarse = (float(np.sqrt(((a - b) ** 2).mean())) for a, b in pairwise(blurred))
    return fine / coarse if coarse > 1e-3 else 0.0


def largest_jump(frames: Sequence[Image], numbers: Sequence[int]) -> tuple[float, int] | None:
    """Return the largest motion of a whole picture between two frames that follow each other, and before which.

    Parameters
    ----------
    frames : sequence of (S, S) or (S, S, 3) uint8
    numbers : sequence of int
        Their file numbers.

    Returns
    -------
    tuple of float and int, or None
        Pixels, and the number of the later frame; None for fewer than two frames.
    """
    import cv2

    # A quarter of the usual size is enough to notice a jump of several pixels; with less, phases say nothing.
    side = min(frames[0].shape[0], max(frames[0].shape[0] // 4, _LEAST_SIDE)) if len(frames) else 0
    window = cv2.createHanningWindow((side, side), cv2.CV_32F) if side else None
    scale = frames[0].shape[0] / side if side else 1.0
    before, largest = None, None
    for frame, number in zip(frames, numbers, strict=True):
        grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        if before is not None:
            shift, _ = cv2.phaseCorrelate(before, small, window)
            moved = float(np.hypot(*shift) * scale)
            largest = max(largest or (0.0, number), (moved, number), key=lambda each: each[0])
        before = small
    return largest
