"""What alignment costs, and how still it holds a face that does not move by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError

# Frame sizes of the databases (width, height): a tight crop, SMIC and CASME II, SAMM.
FRAME_SIZES = ((224, 224), (640, 480), (960, 650), (2040, 1088))
SHIFTS = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class AlignCost:
    """What one clip costs on one thread.

    Parameters
    ----------
    width, height : int
        Of the frames.
    find_ms, mark_ms, warp_ms : float
        Median time to find the face, to mark its landmarks (two passes), and to warp one frame.
    clips_per_s : float
        Clips of three frames (onset, apex, offset), decoding and writing not counted.
    """

    width: int
    height: int
    find_ms: float
    mark_ms: float
    warp_ms: float
    clips_per_s: float


@dataclass(frozen=True)
class AlignJitter:
    """How far alignment moves a face that was shifted by a known part of a pixel.

    Parameters
    ----------
    shift : float
        px of the frame; along x, along y, and both.
    rms : float
        Root mean square displacement, over faces and the stable points, between where the two transforms put the
        same skin; px of the frame.
    """

    shift: float
    rms: float


def align_cost(sizes: Sequence[tuple[int, int]] = FRAME_SIZES, *, repeats: int = 10) -> list[AlignCost]:
    """Measure the steps of alignment on rendered grey frames, on one thread.

    Parameters
    ----------
    sizes : sequence of (width, height)
    repeats : int
        Times each step is run; the median counts.

    Returns
    -------
    list of AlignCost
        One row a frame size.

    Raises
    ------
    UsageError
        Where nothing would be measured.
    WeightsError
        Where the weights are missing and cannot be fetched.
    """
    if repeats < 1:
        raise UsageError("A measurement needs at least one repetition", found=str(repeats))
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return [_cost(size, repeats) for size in sizes]
    finally:
        cv2.setNumThreads(threads)


def _cost(size: tuple[int, int], repeats: int) -> AlignCost:
    from merprep.faces.alignment import align
    from merprep.faces.backends import backend
    from merprep.faces.warp import warp
    from merprep.synthetic.render import render_clip

    frame = render_clip(n_frames=1, size=size, colour=False).frames[0]
    mesh, face = backend("mesh"), align(frame)
    box = mesh.find(frame)[0]
    side = face.image.shape[0]
    find_ms = _median_ms(lambda: mesh.find(frame), repeats)
    mark_ms = _median_ms(lambda: mesh.mark(frame, box), repeats)
    warp_ms = _median_ms(lambda: warp(frame, face.transform, side), repeats)
    return AlignCost(*size, find_ms, mark_ms, warp_ms, 1000 / (find_ms + mark_ms + 3 * warp_ms))


def _median_ms(step: Callable[[], object], repeats: int) -> float:
    step()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1000)


def align_jitter(shifts: Sequence[float] = SHIFTS, *, faces: int = 4, noise: float = 1.0) -> list[AlignJitter]:
    """Measure how far the transforms of shifted frames differ from the truth, each frame aligned by itself.

    This is what a transform for every frame would add to a clip's motion; with one transform a clip it adds nothing.

    Parameters
    ----------
    shifts : sequence of float
        px.
    faces : int
        How many synthetic subjects.
    noise : float
        Grey levels, drawn anew for the shifted frame.

    Returns
    -------
    list of AlignJitter
    """
    from merprep.faces.alignment import align
    from merprep.synthetic.render import render_clip

    rows = []
    for shift in shifts:
        errors = []
        for subject in range(faces):
            frame = render_clip(subject=subject, n_frames=1, size=(320, 240), noise=0).frames[0]
            rng = np.random.default_rng([subject, int(1000 * shift)])
            still = align(_noisy(frame.astype(np.float64), noise, rng))
            for step in ((shift, 0.0), (0.0, shift), (shift, shift)):
                moved = align(_noisy(_shifted(frame, *step), noise, rng))
                errors.append(_apart(still.transform, moved.transform, still.landmarks, step))
        rows.append(AlignJitter(float(shift), float(np.sqrt((np.stack(errors) ** 2).mean()))))
    return rows


def _apart(
    still: NDArray[np.float64], moved: NDArray[np.float64], landmarks: NDArray[np.float32], step: tuple[float, float]
) -> NDArray[np.float64]:
    from merprep.faces.geometry import apply, canonical_face, inverse, scale_of

    skin = apply(inverse(still), landmarks[canonical_face("mesh478").indices].astype(np.float64))
    return np.asarray((apply(moved, np.add(skin, step)) - apply(still, skin)) / scale_of(still))


def _shifted(image: NDArray[np.uint8], dx: float, dy: float) -> NDArray[np.float64]:
    """Move a picture by a part of a pixel through its spectrum, which is exact for what the picture holds."""
    across = np.fft.fftfreq(image.shape[1])[np.newaxis, :, np.newaxis]
    down = np.fft.fftfreq(image.shape[0])[:, np.newaxis, np.newaxis]
    turn = np.exp(-2j * np.pi * (across * dx + down * dy))
    return np.asarray(np.fft.ifft2(np.fft.fft2(image.astype(np.float64), axes=(0, 1)) * turn, axes=(0, 1)).real)


def _noisy(image: NDArray[np.float64], noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.clip(np.rint(image + noise * rng.standard_normal(image.shape)), 0, 255).astype(np.uint8)
