"""Clips of a face whose motion is known: one photograph, one subject, one expression, one true field.

How a frame is made. Let ``base`` be the subject's resting face, ``P`` the pose of this clip (a fixed similarity),
``F`` the expression's field at its peak, ``a(t)`` its strength and ``R_t`` the rigid motion of the head, with
``a(onset) = 0`` and ``R_onset`` the identity. The skin that is at ``x`` in the onset frame is at
``R_t(x + a(t) F(x))`` in frame ``t``, so that

    frame_t(y) = base(P(x))   where x solves   y = R_t(x + a(t) F(x)),

which a few fixed-point steps give to a thousandth of a pixel. Every frame is read from ``base`` once, by cubic
convolution at unrounded positions. The true field from onset to apex is then, on the pixel grid of the onset frame,

    flow(x) = R_apex(x + F(x)) - x,      onset(x) = apex(x + flow(x))

up to interpolation, noise and rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError
from merprep.faces.sampling import sample_cubic, to_uint8
from merprep.synthetic.action_units import bumps_of, displacement, units_of
from merprep.synthetic.motion import envelope, head_drift
from merprep.synthetic.subjects import BaseImage, base_image

Floats = NDArray[np.float32]
Affine = NDArray[np.float64]


@dataclass(frozen=True)
class RenderedClip:
    """A rendered clip and the truth about it.

    Parameters
    ----------
    frames : (T, H, W, 3) BGR or (T, H, W) uint8
        In the order of `numbers`.
    flow : (2, H, W) float32
        The whole true field from onset to apex, px: ``onset(x) = apex(x + flow(x))``.
    motion : (2, H, W) float32
        The part of the face alone: the field if the head had kept still.
    rigid : (2, 3) float64
        The head's motion from onset to apex, as an affine map of (x, y) in pixels.
    numbers : tuple of int
        Which frames of the clip were rendered; all of them unless `only` was given.
    onset, apex, offset : int
        Frame indices in the whole clip (not in `frames`, where `only` was given).
    landmarks : (P, 2) float32
        (x, y) in the onset frame.
    landmark_names : tuple of str
    emotion : str
    action_units : tuple of str
        Numbers; ``L``/``R`` before a unit of one side (of the image).
    """

    frames: NDArray[np.uint8]
    flow: Floats
    motion: Floats
    rigid: Affine
    numbers: tuple[int, ...]
    onset: int
    apex: int
    offset: int
    landmarks: Floats
    landmark_names: tuple[str, ...]
    emotion: str
    action_units: tuple[str, ...]
    subject: int
    seed: int

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Return the frame of this index in the whole clip."""
        found: NDArray[np.uint8] = self.frames[self.numbers.index(number)]
        return found


def render_clip(
    emotion: str = "happiness",
    *,
    subject: int = 0,
    n_frames: int = 20,
    onset: int = 0,
    apex: int | None = None,
    offset: int | None = None,
    size: tuple[int, int] = (320, 240),
    amplitude: float = 1.0,
    head_drift: float = 0.3,
    noise: float = 1.0,
    seed: int = 0,
    colour: bool = True,
    only: Sequence[int] | None = None,
) -> RenderedClip:
    """Render a clip of a face with an expression of known motion.

    Parameters
    ----------
    emotion : str
        A class (``happiness``/``positive``, ``negative``, ``surprise``) or a raw emotion as coding sheets have it;
        the action units are drawn from ``manifests/synthetic/emotions.toml``.
    subject : int
        Which person; equal numbers, equal faces.
    n_frames : int
    onset, apex, offset : int, optional
        Frame indices. Default: the first frame, the middle between onset and offset, the last frame.
    size : (width, height)
        Of the frame, px; the face takes 52 to 62 % of its shorter side.
    amplitude : float
        Length of the expression's longest displacement, px of the frame, whatever its size.
    head_drift : float
        Translation of the head between onset and apex, px; its rotation moves the face's edge by up to half of it.
    noise : float
        Standard deviation of the camera's noise, grey levels.
    seed : int
        Of the clip: combination of units, their variation, pose, drift and noise.
    colour : bool
        BGR frames, or grey ones.
    only : sequence of int, optional
        Render these frames alone; each is equal to that of the whole clip.

    Returns
    -------
    RenderedClip

    Raises
    ------
    UsageError
        Where onset, apex and offset are not in order within the clip, or the frame is too small.
    UnknownNameError
        Where the emotion is not known.

    Examples
    --------
    >>> clip = render_clip("surprise", n_frames=9, size=(96, 80), amplitude=0.5)
    >>> clip.frames.shape, clip.flow.shape, clip.apex
    ((9, 80, 96, 3), (2, 80, 96), 4)
    >>> round(float(np.hypot(*clip.motion).max()), 2)
    0.5
    """
    onset, apex, offset = _timing(n_frames, onset, apex, offset)
    numbers = tuple(range(n_frames)) if only is None else tuple(only)
    if any(not 0 <= number < n_frames for number in numbers):
        raise UsageError("A frame asked for lies outside the clip", expected=f"0..{n_frames - 1}", found=str(numbers))
    rng = np.random.default_rng([seed, subject, 20263])
    units = units_of(emotion, rng)
    face, pose = _posed(base_image(subject, size, colour), size, rng)
    field = displacement(bumps_of(units, face, rng), size, amplitude)
    heads = _heads(n_frames, onset, apex, head_drift, face, rng)
    strength = envelope(n_frames, onset, apex, offset)
    base = base_image(subject, size, colour).image
    frames = [
        _noisy(_frame(base, pose, field, strength[t], heads[t]), noise, np.random.default_rng([seed, subject, t]))
        for t in numbers
    ]
    return RenderedClip(
        np.stack(frames) if frames else np.empty((0, *base.shape), np.uint8),
        _whole_field(field, heads[apex]),
        field,
        heads[apex],
        numbers,
        onset,
        apex,
        offset,
        face.points.astype(np.float32),
        face.names,
        emotion,
        units,
        subject,
        seed,
    )


def _timing(n_frames: int, onset: int, apex: int | None, offset: int | None) -> tuple[int, int, int]:
    last = n_frames - 1 if offset is None else offset
    peak = onset + (last - onset) // 2 if apex is None else apex
    if not 0 <= onset <= peak <= last < n_frames:
        raise UsageError(
            "Onset, apex and offset must follow each other within the clip",
            expected=f"0 <= onset <= apex <= offset < {n_frames}",
            found=f"{onset}, {peak}, {last}",
        )
    return onset, peak, last


def _posed(face: BaseImage, size: tuple[int, int], rng: np.random.Generator) -> tuple[BaseImage, Affine]:
    """Draw how the head is held in this clip; return its landmarks and the map from the clip's frames to the base."""
    shift = rng.uniform(-0.01, 0.01, 2) * min(size)
    angle, scale = np.deg2rad(rng.uniform(-1.5, 1.5)), rng.uniform(0.985, 1.015)
    pose = _similarity(face.points.mean(axis=0), shift, angle, scale)
    back = np.linalg.inv(pose[:, :2])
    return BaseImage(face.image, face.names, (face.points - pose[:, 2]) @ back.T), pose


def _heads(
    n_frames: int, onset: int, apex: int, amount: float, face: BaseImage, rng: np.random.Generator
) -> list[Affine]:
    radius = float(np.linalg.norm(face.point("chin") - face.point("forehead"))) / 2
    middle = face.points.mean(axis=0)
    drift = head_drift(n_frames, onset, apex, amount, radius, rng)
    return [_similarity(middle, step[:2], float(step[2]), 1.0) for step in drift]


def _similarity(centre: NDArray[np.float64], shift: NDArray[np.float64], angle: float, scale: float) -> Affine:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, centre + shift - linear @ centre])


def _grid(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the positions of the pixels, (2, H, W), x then y."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.stack([x, y]).astype(np.float64)


def _mapped(affine: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply an affine map to positions (2, H, W)."""
    x, y = points
    return np.stack([a * x + b * y + c for a, b, c in affine])


def _whole_field(field: Floats, head: Affine) -> Floats:
    grid = _grid(field.shape[1:])
    return np.asarray(_mapped(head, grid + field) - grid, dtype=np.float32)


def _frame(base: Floats, pose: Affine, field: Floats, strength: float, head: Affine) -> Floats:
    linear = np.linalg.inv(head[:, :2])
    still = _mapped(np.column_stack([linear, -linear @ head[:, 2]]), _grid(base.shape))
    at = _mapped(pose, _before(still, strength * field)).astype(np.float32)
    return sample_cubic(base, at[0], at[1])


def _before(points: NDArray[np.float64], field: NDArray[np.float32]) -> NDArray[np.float64]:
    """Solve ``points = x + field(x)`` for x by fixed-point steps; the field changes slowly, so they contract."""
    import cv2

    if not field.any():
        return points
    u, v = np.ascontiguousarray(field[0]), np.ascontiguousarray(field[1])
    x = points - field
    for _ in range(25):
        at = x.astype(np.float32)
        moved = np.stack(
            [cv2.remap(part, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in (u, v)]
        )
        step = points - moved - x
        x = x + step
        if np.abs(step).max() < 1e-3:
            break
    return np.asarray(x)


def _noisy(image: Floats, noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    if noise <= 0:
        return to_uint8(image)
    return to_uint8(image + np.float32(noise) * rng.standard_normal(image.shape, dtype=np.float32))
