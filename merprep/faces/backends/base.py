"""What every landmark backend gives: boxes of faces, and the landmarks within a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class FaceBox:
    """Where a face is.

    Parameters
    ----------
    x, y, width, height : float
        Pixels; (x, y) is the upper left corner.
    score : float
        0 to 1.
    angle : float
        In-plane rotation of the face, radians; positive turns from x towards y (clockwise as displayed).
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    angle: float = 0.0

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> NDArray[np.float64]:
        """(x, y)."""
        return np.array([self.x + self.width / 2, self.y + self.height / 2])


@dataclass(frozen=True)
class DetectedFace:
    """A face and its landmarks.

    Parameters
    ----------
    box : FaceBox
    landmarks : (P, 2) float64
        (x, y) in pixels of the image, at sub-pixel precision.
    scheme : str
        What the points are: ``mesh478``, ...
    score : float
        Confidence that this is a face with these landmarks, 0 to 1.
    """

    box: FaceBox
    landmarks: NDArray[np.float64]
    scheme: str
    score: float


class Backend(Protocol):
    """Finds faces and their landmarks. An instance is used by one thread."""

    name: str
    scheme: str

    def find(self, image: Image, *, detail: int = 1) -> list[FaceBox]:
        """Return the boxes of all faces, the largest first.

        Parameters
        ----------
        image : (H, W) or (H, W, 3) uint8
            Grey or BGR.
        detail : int
            How many times finer than usual to look, for faces that are small in a large image.
        """

    def mark(self, image: Image, box: FaceBox) -> DetectedFace | None:
        """Return the face within a box with its landmarks, or None where it is no face after all."""


@runtime_checkable
class KnownFaces(Protocol):
    """Knows the landmarks of an image by its name, so that nothing is looked for."""

    def known(self, name: str) -> DetectedFace:
        """Return the face of the image or clip of that name.

        Raises
        ------
        FaceError
            Where nothing is known of it.
        """


@runtime_checkable
class MarksMany(Protocol):
    """Marks many faces at once, by batches."""

    def mark_all(self, images: Sequence[Image], boxes: Sequence[FaceBox]) -> list[DetectedFace]:
        """Return the face of each image within its box."""
