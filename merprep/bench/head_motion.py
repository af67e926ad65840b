"""What is left of a head's motion after it was removed: pairs like those of the known-motion suite, of a moved head.

Both images of a pair are taken by the same camera: the photograph's face is read where the skin comes from, blurred
by the lens, averaged over each pixel's area, given noise and rounded. A moved apex that were interpolated from the
still one would be less sharp than its onset, which no camera does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from merprep.bench.known_motion import FACE_COLUMNS, FACE_ROWS, MotionPair, bump_field, relative_epe
from merprep.errors import UsageError
from merprep.flow import estimator, strain
from merprep.flow.head_motion import Affine, HeadModel, grid, inverse, moved
from merprep.flow.steady import steady_fields

BLUR = 0.5  # px, standard deviation: a lens that resolves its sensor
_SUBPIXELS = 4
SIZES = (112, 224)
AMPLITUDES = (0.5, 1.0)
MOTIONS = ((0.0, 0.0), (1.0, 0.3), (3.0, 1.0))


@dataclass(frozen=True)
class HeadMotionError:
    """One cell: relative end-point error of the facial motion, and strain where there is none.

    Parameters
    ----------
    size : int
    amplitude : float
        Peak of the facial motion, px.
    shift, angle : float
        Of the head between onset and apex, px and degrees.
    pairs : int
    kept, removed : float
        Relative error where the head's motion is left in, and after it was removed.
    ratio : float
        `removed` divided by the error of the same faces whose heads keep still, nothing removed.
    rest : float
        Mean length of what removal got wrong of the head's motion itself, px.
    strain_ratio : float
        Mean strain of a clip without facial motion after removal, divided by that of a still one (which is noise).
    """

    size: int
    amplitude: float
    shift: float
    angle: float
    pairs: int
    kept: float
    removed: float
    ratio: float
    rest: float
    strain_ratio: float


def moved_pair(
    size: int,
    amplitude: float,
    *,
    shift: float = 0.0,
    angle: float = 0.0,
    seed: int = 0,
    noise: float = 1.0,
    blur: float = BLUR,
) -> tuple[MotionPair, Affine]:
    """Make a pair whose head moves by a shift (px, in a random direction) and a turn (degrees, either way).

    Returns
    -------
    pair : MotionPair
        Its flow is the facial part alone.
    head : (2, 3) float64
        The head's motion from onset to apex.

    Examples
    --------
    >>> pair, head = moved_pair(32, 0.5, shift=2.0, angle=1.0)
    >>> pair.apex.shape, bool(abs(np.linalg.det(head[:, :2]) - 1) < 1e-9)
    ((32, 32), True)
    """
    random = np.random.default_rng([seed, size])
    field = bump_field(size, amplitude, random)
    head = _head(size, shift, angle, np.random.default_rng([seed, size, 1]))
    here = grid((size, size))
    images = [_taken(size, here + field, blur), _taken(size, moved(inverse(head), here), blur)]
    onset, apex = (
        np.clip(np.rint(image + random.normal(0.0, noise, image.shape)), 0, 255).astype(np.uint8) for image in images
    )
    return MotionPair(onset, apex, field.astype(np.float32)), head


def head_motion_errors(
    sizes: Sequence[int] = SIZES,
    amplitudes: Sequence[float] = AMPLITUDES,
    motions: Sequence[tuple[float, float]] = MOTIONS,
    *,
    model: HeadModel = "similarity",
    method: str = "tvl1",
    pairs: int = 4,
    first_seed: int = 0,
) -> list[HeadMotionError]:
    """Measure the removal of head motion.

    Parameters
    ----------
    sizes, amplitudes : sequence
        px.
    motions : sequence of (float, float)
        Shift (px) and turn (degrees) of the head.
    model : {"similarity", "affine"}
    pairs : int
        Fields a cell, drawn with the seeds from `first_seed` on.

    Raises
    ------
    UsageError
        Where nothing would be measured.
    """
    if pairs < 1:
        raise UsageError("A measurement needs at least one pair", found=str(pairs))
    cells = [(size, amplitude, *motion) for size in sizes for amplitude in amplitudes for motion in motions]
    seeds = range(first_seed, first_seed + pairs)
    return [_cell(*cell, model, method, seeds) for cell in cells]


def _cell(
    size: int, amplitude: float, shift: float, angle: float, model: HeadModel, method: str, seeds: range
) -> HeadMotionError:
    still = [_measured(size, amplitude, 0.0, 0.0, None, method, seed) for seed in seeds]
    kept = [_measured(size, amplitude, shift, angle, None, method, seed) for seed in seeds]
    removed = [_measured(size, amplitude, shift, angle, model, method, seed) for seed in seeds]
    noise = np.mean([_strain(size, 0.0, 0.0, None, method, seed) for seed in seeds])
    rigid = np.mean([_strain(size, shift, angle, model, method, seed) for seed in seeds])
    error = float(np.mean([row[0] for row in removed]))
    return HeadMotionError(
        size,
        amplitude,
        shift,
        angle,
        len(seeds),
        float(np.mean([row[0] for row in kept])),
        error,
        error / float(np.mean([row[0] for row in still])),
        float(np.mean([row[1] for row in removed])),
        float(rigid / noise),
    )


def _measured(
    size: int, amplitude: float, shift: float, angle: float, model: HeadModel | None, method: str, seed: int
) -> tuple[float, float]:
    """Return the relative error of the facial motion, and that of the head's, px."""
    pair, truth = moved_pair(size, amplitude, shift=shift, angle=angle, seed=seed)
    field, head = _flow(pair, model, method)
    here = grid((size, size))
    rest = np.hypot(*(moved(head, here) - moved(truth, here))).mean()
    return relative_epe(field, pair.flow), float(rest)


def _strain(size: int, shift: float, angle: float, model: HeadModel | None, method: str, seed: int) -> float:
    pair, _ = moved_pair(size, 0.0, shift=shift, angle=angle, seed=seed)
    return float(strain(_flow(pair, model, method)[0]).mean())


def _flow(pair: MotionPair, model: HeadModel | None, method: str) -> tuple[NDArray[np.float32], Affine]:
    engine = estimator(method)
    onset, apex = pair.onset[None].astype(np.float32), pair.apex[None].astype(np.float32)
    if model is None:
        return engine.fields(onset, apex)[0], np.eye(2, 3)
    fields, heads = steady_fields(engine, onset, apex, model)
    return fields[0], heads[0]


def _head(size: int, shift: float, angle: float, random: np.random.Generator) -> Affine:
    turn = np.deg2rad(angle) * random.choice([-1, 1])
    direction = random.uniform(0, 2 * np.pi)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.full(2, (size - 1) / 2)
    translation = centre + shift * np.array([np.cos(direction), np.sin(direction)]) - linear @ centre
    return np.column_stack([linear, translation])


def _taken(size: int, positions: NDArray[np.float64], blur: float) -> NDArray[np.float64]:
    """Take a picture: the photograph at `positions` (2, size, size), px of the face's picture at `size`."""
    from scipy.ndimage import map_coordinates

    scale = (FACE_ROWS.stop - FACE_ROWS.start) / size
    scene = _scene(round(blur * scale, 6))
    total = np.zeros(positions.shape[1:])
    offsets = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5
    for dy in offsets:
        for dx in offsets:
            x = (positions[0] + dx + 0.5) * scale - 0.5 + FACE_COLUMNS.start
            y = (positions[1] + dy + 0.5) * scale - 0.5 + FACE_ROWS.start
            total += map_coordinates(scene, np.stack([y, x]), order=3, mode="nearest", prefilter=False)
    return total / _SUBPIXELS**2


@lru_cache(maxsize=4)
def _scene(sigma: float) -> NDArray[np.float64]:
    """Return the spline coefficients of the whole photograph in grey, blurred by the lens."""
    import cv2
    from scipy.ndimage import gaussian_filter, spline_filter
    from skimage import data

    grey = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY).astype(np.float64)
    return np.asarray(spline_filter(gaussian_filter(grey, sigma) if sigma else grey, order=3, mode="nearest"))
