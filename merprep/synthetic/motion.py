"""How a rendered clip moves in time: the rise and fall of an expression, and the drift of the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def envelope(n_frames: int, onset: int, apex: int, offset: int) -> NDArray[np.float64]:
    """Return the strength of the expression in each frame: raised cosine from onset to apex, then down to the offset.

    Returns
    -------
    (n_frames,) float64
        0 up to the onset, 1 at the apex, 0 from the offset on.

    Examples
    --------
    >>> envelope(5, 0, 2, 4).round(2).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    t = np.arange(n_frames, dtype=np.float64)
    rise = np.clip((t - onset) / max(apex - onset, 1), 0, 1)
    fall = np.clip((t - apex) / max(offset - apex, 1), 0, 1)
    up, down = (1 - np.cos(np.pi * rise)) / 2, (1 + np.cos(np.pi * fall)) / 2
    return np.where(t <= apex, up, down)


def head_drift(
    n_frames: int, onset: int, apex: int, amount: float, face_radius: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a smooth small rigid motion of the head, zero at the onset.

    Parameters
    ----------
    amount : float
        Length of the translation between onset and apex, px.
    face_radius : float
        Pixels; the rotation between onset and apex moves points this far from the centre by up to half of `amount`.

    Returns
    -------
    (n_frames, 3) float64
        Translation x, y (px) and rotation (radians, from x towards y).
    """
    period = rng.uniform(2.0, 4.0) * max(n_frames, 2)
    phase = rng.uniform(0, 2 * np.pi)
    direction = rng.uniform(0, 2 * np.pi)
    turn = rng.uniform(-0.5, 0.5) * amount / max(face_radius, 1.0)
    course = np.sin(2 * np.pi * np.arange(n_frames) / period + phase)
    course -= course[onset]
    reach = abs(course[apex])
    # A wave that turns between onset and apex has moved far and come back; a straight course serves then.
    course = course / reach if reach > 0.05 else (np.arange(n_frames) - onset) / max(apex - onset, 1)
    path = np.array([amount * np.cos(direction), amount * np.sin(direction), turn])
    return np.asarray(course[:, np.newaxis] * path)
