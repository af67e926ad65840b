"""Finding the face of an image: which one of several, and what to try where none is found at first."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from merprep.errors import FaceError
from merprep.faces.backends.base import Backend, DetectedFace, FaceBox, Image


@dataclass(frozen=True)
class FoundFace:
    """The face that was chosen.

    Parameters
    ----------
    face : DetectedFace
        In pixels of the image as it was given.
    faces : int
        How many there were; the largest is taken.
    attempt : str
        What led to it: ``as it is``, or the step of the ladder.
    """

    face: DetectedFace
    faces: int
    attempt: str


@dataclass(frozen=True)
class _Attempt:
    """One way to look again: borders of `pad` times the size, then enlarged `zoom` times."""

    name: str
    pad: float
    zoom: float


# Borders are replicated, never reflected: mirrored eyes break the mesh (of 442 real faces 273 came out
# plausible, against all 442).
_LADDER = (
    _Attempt("as it is", 0.0, 1.0),
    _Attempt("with borders", 0.3, 1.0),
    _Attempt("enlarged twice, with borders", 0.3, 2.0),
    _Attempt("with wide borders", 1.0, 1.0),
)
_ENLARGE_BELOW = 1000  # px of the longer side; above, enlarging costs much and does not help


def find_face(image: Image, backend: Backend, *, where: str | None = None) -> FoundFace:
    """Find the largest face of an image and its landmarks.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8
    backend : Backend
    where : str, optional
        The image's name, for the message.

    Returns
    -------
    FoundFace

    Raises
    ------
    FaceError
        Where there is none, after everything on the ladder was tried.
    """
    tried = []
    for attempt in _LADDER:
        if attempt.zoom > 1 and max(image.shape[:2]) > _ENLARGE_BELOW:
            continue
        tried.append(attempt.name)
        found = _look(image, backend, attempt)
        if found is not None:
            return found
    raise FaceError(
        "No face was found",
        where=where,
        found=f"an image of {image.shape[1]} x {image.shape[0]} px, mean grey level {image.mean():.0f}; "
        f"looked for {', '.join(tried)}",
        mend="look at the image; if there is a face, give landmarks of your own or crop it closer",
    )


def _look(image: Image, backend: Backend, attempt: _Attempt) -> FoundFace | None:
    changed, shift = _changed(image, attempt)
    boxes = backend.find(changed)
    for box in boxes:
        face = backend.mark(changed, box)
        if face is not None and np.isfinite(face.landmarks).all():
            return FoundFace(_undone(face, shift, attempt.zoom), len(boxes), attempt.name)
    return None


def _changed(image: Image, attempt: _Attempt) -> tuple[Image, float]:
    """Return the image with borders and enlarged, and the width of the border before enlarging."""
    import cv2

    border = round(attempt.pad * max(image.shape[:2]))
    if border:
        image = np.asarray(cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE), np.uint8)
    if attempt.zoom != 1:
        size = (round(image.shape[1] * attempt.zoom), round(image.shape[0] * attempt.zoom))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return image, float(border)


def _undone(face: DetectedFace, border: float, zoom: float) -> DetectedFace:
    box = face.box
    # Resizing keeps the image's edges, so pixel centres move by half a pixel less than the scale says.
    landmarks = (face.landmarks + 0.5) / zoom - 0.5 - border
    return replace(face, landmarks=landmarks, box=_moved(box, border, zoom))


def _moved(box: FaceBox, border: float, zoom: float) -> FaceBox:
    return replace(
        box, x=box.x / zoom - border, y=box.y / zoom - border, width=box.width / zoom, height=box.height / zoom
    )
