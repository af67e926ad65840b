"""Many subjects out of one photograph: geometry, light, skin tone, skin texture and camera, drawn by a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError
from merprep.faces.sampling import sample_cubic
from merprep.synthetic.photo import Photograph, photograph

Floats = NDArray[np.float32]
PointMap = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SMALLEST_FRAME = 48  # px; below, a face has some 25 px and no landmark backend finds it


@dataclass(frozen=True)
class Subject:
    """What makes one synthetic person and their recording; all drawn by `draw`.

    Parameters
    ----------
    mirrored : bool
        Whether the photograph is used as in a mirror.
    face_height : float
        From forehead to chin, as a part of the shorter side of the frame.
    centre : (2,) float
        Of the face, as a part of the frame's width and height.
    rotation : float
        In-plane, radians.
    aspect : float
        Width over height, relative to the photograph.
    warp : (3, 5) float
        Smooth displacements: amplitude x, y (photograph px), wave number x, y (1/px) and phase.
    gain, gamma, tilt : float, float, (2,) float
        Light: factor, exponent, and gradient across the face.
    tone : (3,) float
        Factors of blue, green and red.
    texture : float
        Standard deviation of the skin's fine texture, grey levels.
    blur : float
        Standard deviation of the camera's blur, px.
    """

    number: int
    mirrored: bool
    face_height: float
    centre: NDArray[np.float64]
    rotation: float
    aspect: float
    warp: NDArray[np.float64]
    gain: float
    gamma: float
    tilt: NDArray[np.float64]
    tone: NDArray[np.float64]
    texture: float
    blur: float


def draw(number: int) -> Subject:
    """Draw the subject of this number; equal numbers, equal subjects.

    Examples
    --------
    >>> draw(3).gain == draw(3).gain, draw(3).gain == draw(4).gain
    (True, False)
    """
    rng = np.random.default_rng([number, 20261])
    waves = np.concatenate(
        [rng.uniform(-2.5, 2.5, (3, 2)), rng.uniform(-1 / 120, 1 / 120, (3, 2)), rng.uniform(0, 2 * np.pi, (3, 1))],
        axis=1,
    )
    shade = rng.uniform(0.72, 1.06)
    return Subject(
        number=number,
        mirrored=bool(rng.integers(2)),
        face_height=float(rng.uniform(0.52, 0.62)),
        centre=np.array([0.5, 0.52]) + rng.uniform(-0.03, 0.03, 2),
        rotation=float(np.deg2rad(rng.uniform(-4, 4))),
        aspect=float(rng.uniform(0.92, 1.08)),
        warp=waves,
        gain=float(rng.uniform(0.85, 1.1)),
        gamma=float(rng.uniform(0.85, 1.25)),
        tilt=rng.uniform(-0.15, 0.15, 2),
        tone=shade * rng.uniform(0.93, 1.07, 3),
        texture=float(rng.uniform(2.0, 4.0)),
        blur=float(rng.uniform(0.3, 0.7)),
    )


@dataclass(frozen=True)
class BaseImage:
    """A subject's resting face in a frame of some size, without noise.

    Parameters
    ----------
    image : (H, W, 3) or (H, W) float32
        0..255.
    names, points : tuple of str, (P, 2) float64
        Landmarks, (x, y) in pixels of the frame.
    """

    image: Floats
    names: tuple[str, ...]
    points: NDArray[np.float64]

    def point(self, name: str) -> NDArray[np.float64]:
        """Return one landmark, (x, y)."""
        found: NDArray[np.float64] = self.points[self.names.index(name)]
        return found


@lru_cache(maxsize=16)
def base_image(number: int, size: tuple[int, int], colour: bool) -> BaseImage:
    """Return the resting face of a subject in a frame of `size` (width, height); the last few are kept.

    Raises
    ------
    UsageError
        Where the frame is too small to hold a face that could be found again.
    """
    if min(size) < SMALLEST_FRAME:
        raise UsageError(
            "The frame is too small to render a face", expected=f"sides of {SMALLEST_FRAME} px or more", found=str(size)
        )
    subject = draw(number)
    photo = photograph().mirrored() if subject.mirrored else photograph()
    to_photo, to_frame = _geometry(subject, photo, size)
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    at = to_photo(np.stack([x, y], axis=-1).astype(np.float64)).astype(np.float32)
    image = sample_cubic(_shrinkable(photo, subject, size), at[..., 0], at[..., 1])
    image = _camera(_textured(_lit(image, subject), subject, photo, size), subject)
    if not colour:
        image = (image @ np.array([0.114, 0.587, 0.299], np.float32)).astype(np.float32)  # BGR to luma, BT.601
    image.setflags(write=False)
    return BaseImage(image, photo.names, to_frame(photo.points))


def _scale(photo: Photograph, subject: Subject, size: tuple[int, int]) -> float:
    face = np.linalg.norm(photo.point("chin") - photo.point("forehead"))
    return float(subject.face_height * min(size) / face)


def _shrinkable(photo: Photograph, subject: Subject, size: tuple[int, int]) -> Floats:
    """Blur what a small frame cannot hold, as a lens and a sensor would (sigma as in skimage.transform.resize)."""
    import cv2

    scale = _scale(photo, subject, size)
    if scale >= 1:
        return photo.image
    return np.asarray(cv2.GaussianBlur(photo.image, (0, 0), max((1 / scale - 1) / 2, 0.1)), dtype=np.float32)


def _geometry(subject: Subject, photo: Photograph, size: tuple[int, int]) -> tuple[PointMap, PointMap]:
    """Return the maps of points from the frame to the photograph and back."""
    scale = _scale(photo, subject, size)
    cos, sin = np.cos(subject.rotation), np.sin(subject.rotation)
    linear = scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([subject.aspect, 1.0])
    inverse = np.linalg.inv(linear)
    centre = subject.centre * np.array(size)
    middle = (photo.point("chin") + photo.point("forehead")) / 2

    def bend(points: NDArray[np.float64]) -> NDArray[np.float64]:
        shift = np.zeros_like(points)
        for ax, ay, kx, ky, phase in subject.warp:
            wave = np.sin(2 * np.pi * ((points - middle) @ np.array([kx, ky])) + phase)
            shift += wave[..., np.newaxis] * np.array([ax, ay])
        return shift

    def to_photo(points: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = (points - centre) @ inverse.T + middle
        return np.asarray(flat + bend(flat))

    def to_frame(points: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = points
        for _ in range(30):  # flat + bend(flat) = points; bend changes slowly, so this contracts
            flat = points - bend(flat)
        return np.asarray((flat - middle) @ linear.T + centre)

    return to_photo, to_frame


def _lit(image: Floats, subject: Subject) -> Floats:
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[np.newaxis, :, np.newaxis]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis, np.newaxis]
    light = np.float32(subject.gain) * (1 + np.float32(subject.tilt[0]) * x + np.float32(subject.tilt[1]) * y)
    tone = subject.tone.astype(np.float32)
    lit = 255 * (np.clip(image, 0, 255) / 255) ** np.float32(subject.gamma) * tone * light
    return np.clip(lit, 0, 255).astype(np.float32)


def _textured(image: Floats, subject: Subject, photo: Photograph, size: tuple[int, int]) -> Floats:
    """Add fine texture that belongs to the skin and moves with it: the enlarged photograph alone is too smooth."""
    import cv2

    rng = np.random.default_rng([subject.number, 20262])
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32)
    fine = max(_scale(photo, subject, size) * 0.6, 0.7)  # standard deviation in px of the frame
    band = cv2.GaussianBlur(grain, (0, 0), fine) - cv2.GaussianBlur(grain, (0, 0), 3 * fine)
    band *= np.float32(subject.texture) / max(float(band.std()), 1e-6)
    return np.asarray(np.clip(image + band[:, :, np.newaxis], 0, 255), dtype=np.float32)


def _camera(image: Floats, subject: Subject) -> Floats:
    import cv2

    return np.asarray(cv2.GaussianBlur(image, (0, 0), subject.blur), dtype=np.float32)
