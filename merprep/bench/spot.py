"""How many frames a spotted apex is off, on rendered clips whose apex is known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError
from merprep.progress import Progress, Silent
from merprep.synthetic.render import RenderedClip, render_clip
from merprep.temporal import spot_apex
from merprep.temporal.spotting import METHODS, Method

RATES = (100.0, 200.0)
NOISES = (0.0, 1.0, 2.0, 4.0)
FACE_SIZE = 112
_FRAME_SIZE = (320, 240)
_EMOTIONS = ("happiness", "surprise", "negative")
_ROOM = 1.05  # of the face's landmarks: the square that is cut out


@dataclass(frozen=True)
class SpotError:
    """How well one method finds the apex at one frame rate and noise.

    Parameters
    ----------
    method : str
    fps : float
        Frames a second; clips last 0.25 to 0.5 s.
    noise : float
        Standard deviation of the camera's noise, grey levels of the frame.
    clips : int
    mean, largest : float
        Distance from the true apex, frames.
    within : float
        Part of the clips that are off by one frame at most.
    midpoint : float
        Mean distance of the middle between onset and offset, which is taken where nothing is spotted, frames.
    confidence : float
        Mean.
    seconds : float
        Median time of a clip.
    """

    method: str
    fps: float
    noise: float
    clips: int
    mean: float
    largest: float
    within: float
    midpoint: float
    confidence: float
    seconds: float


def spot_errors(
    rates: Sequence[float] = RATES,
    noises: Sequence[float] = NOISES,
    methods: Sequence[Method] = METHODS,
    *,
    clips: int = 12,
    first_seed: int = 1000,
    progress: Progress | None = None,
) -> list[SpotError]:
    """Measure apex spotting on rendered clips, from onset to offset.

    Each clip lasts 0.25 to 0.5 s and peaks somewhere between 30 and 70 % of it, with 1 px of motion in a frame of
    320 by 240 and a head that drifts by 0.3 px until the apex (and on). The face is cut out around its known
    landmarks, so what is measured is spotting alone.

    Parameters
    ----------
    rates : sequence of float
        Frames a second.
    noises : sequence of float
        Grey levels.
    methods : sequence of str
    clips : int
        In each cell, with the seeds from `first_seed` on.

    Returns
    -------
    list of SpotError

    Raises
    ------
    UsageError
        Where nothing would be measured.
    """
    if clips < 1:
        raise UsageError("A measurement needs at least one clip", found=str(clips))
    listener = progress or Silent()
    listener.start("spot", len(methods) * len(rates) * len(noises) * clips)
    rows = []
    try:
        for method in methods:
            for fps in rates:
                for noise in noises:
                    rows.append(_cell(method, fps, noise, range(first_seed, first_seed + clips), listener))
    finally:
        listener.finish()
    return rows


def _cell(method: Method, fps: float, noise: float, seeds: range, progress: Progress) -> SpotError:
    off, middles, confidences, times = [], [], [], []
    for seed in seeds:
        frames, apex = known_clip(fps, noise, seed)
        started = time.perf_counter()
        found = spot_apex(frames, method)
        times.append(time.perf_counter() - started)
        off.append(abs(found.index - apex))
        middles.append(abs((len(frames) - 1) // 2 - apex))
        confidences.append(found.confidence)
        progress.advance()
    return SpotError(
        method,
        fps,
        noise,
        len(seeds),
        float(np.mean(off)),
        float(np.max(off)),
        float(np.mean(np.array(off) <= 1)),
        float(np.mean(middles)),
        float(np.mean(confidences)),
        float(np.median(times)),
    )


def known_clip(fps: float, noise: float, seed: int, *, size: int = FACE_SIZE) -> tuple[NDArray[np.uint8], int]:
    """Render the face of a clip from onset to offset.

    Returns
    -------
    frames : (T, size, size) uint8
    apex : int
        Index of the true one.

    Examples
    --------
    >>> frames, apex = known_clip(50, 1.0, 0, size=64)
    >>> frames.shape[1:], 0 < apex < len(frames) - 1
    ((64, 64), True)
    """
    random = np.random.default_rng([seed, int(fps)])
    length = max(5, round(random.uniform(0.25, 0.5) * fps))
    apex = max(1, round((length - 1) * random.uniform(0.3, 0.7)))
    clip = render_clip(
        _EMOTIONS[seed % len(_EMOTIONS)],
        subject=seed % 5,
        seed=seed,
        n_frames=length,
        apex=apex,
        size=_FRAME_SIZE,
        noise=noise,
        colour=False,
    )
    return _cut_out(clip, size), apex


def _cut_out(clip: RenderedClip, size: int) -> NDArray[np.uint8]:
    """Warp a square around the landmarks of the onset to `size`, the same way in all frames."""
    import cv2

    low, high = clip.landmarks.min(axis=0), clip.landmarks.max(axis=0)
    scale = size / (_ROOM * float((high - low).max()))
    middle = (low + high) / 2
    transform = np.array([[scale, 0, size / 2 - scale * middle[0]], [0, scale, size / 2 - scale * middle[1]]])
    return np.stack(
        [
            cv2.warpAffine(frame, transform, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            for frame in clip.frames
        ]
    )
