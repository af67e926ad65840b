"""Finding the face of an image: which one of several, and what to try where none is found at first."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from merprep.errors import FaceError
from merprep.faces.backends.base import Backend, DetectedFace, FaceBox, Image, KnownFaces
from merprep.faces.geometry import Affine, apply


@dataclass(frozen=True)
class FoundFace:
    """The face that was chosen.

    Parameters
    ----------
    face : DetectedFace
        In pixels of the image as it was given.
    faces : int
        How many there were.
    attempt : str
        What led to it: ``as it is``, or the step of the ladder.
    """

    face: DetectedFace
    faces: int
    attempt: str


@dataclass(frozen=True)
class _Attempt:
    """One way to look: borders of `pad` times the size, enlarged `zoom` times, turned by quarters, or in finer detail.

    `sides` is the range of the longer side, px, for which it is worth its time.
    """

    name: str
    pad: float = 0.0
    zoom: float = 1.0
    quarters: int = 0
    detail: int = 1
    sides: tuple[int, int] = (0, 1 << 16)


# Borders are replicated, never reflected: mirrored eyes break the mesh (of 442 real faces 273 came out
# plausible, against all 442).
_LADDER = (
    _Attempt("as it is"),
    _Attempt("with borders", pad=0.3),
    _Attempt("enlarged twice, with borders", pad=0.3, zoom=2.0, sides=(0, 1000)),
    _Attempt("with wide borders", pad=1.0),
    _Attempt("in finer detail", detail=4, sides=(640, 1 << 16)),
    _Attempt("turned by 90 degrees", quarters=1),
    _Attempt("turned by 270 degrees", quarters=3),
    _Attempt("turned by 180 degrees", quarters=2),
)


def find_face(
    image: Image,
    backend: Backend,
    *,
    person: str | int = "largest",
    name: str | None = None,
    where: str | None = None,
) -> FoundFace:
    """Find one face of an image and its landmarks.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8
    backend : Backend
    person : {"largest", "central"} or int
        Which of several: the largest, that nearest to the middle of the image, or by its number from the left,
        from 0.
    name : str, optional
        Under which a backend that knows faces by name knows this one; `where` if not given.
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
    if isinstance(backend, KnownFaces):
        return FoundFace(backend.known(name or where or ""), 1, "as it is")
    tried, most = [], 0
    for attempt in _LADDER:
        if not attempt.sides[0] <= max(image.shape[:2]) <= attempt.sides[1]:
            continue
        tried.append(attempt.name)
        found, faces = _look(image, backend, attempt, person)
        most = max(most, faces)
        if found is not None:
            return found
    raise FaceError(
        "No face was found" if most == 0 or isinstance(person, str) else f"There is no face number {person}",
        where=where,
        found=f"an image of {image.shape[1]} x {image.shape[0]} px, mean grey level {image.mean():.0f}; "
        f"{f'{most} detected; ' if most else ''}looked for {', '.join(tried)}",
        mend="look at the image; if there is a face, give landmarks of your own or crop it closer",
    )


def _look(image: Image, backend: Backend, attempt: _Attempt, person: str | int) -> tuple[FoundFace | None, int]:
    changed, back = _changed(image, attempt)
    boxes = backend.find(changed, detail=attempt.detail)
    for box in _preferred(boxes, person, back, image):
        face = backend.mark(changed, box)
        if face is not None and np.isfinite(face.landmarks).all():
            return FoundFace(_undone(face, back), len(boxes), attempt.name), len(boxes)
    return None, len(boxes)


def _preferred(boxes: list[FaceBox], person: str | int, back: Affine, image: Image) -> list[FaceBox]:
    """Return the boxes in the order in which they are tried; one only where it is asked for by number."""
    places = {box: apply(back, box.centre[np.newaxis])[0] for box in boxes}  # in the image as it was given
    if isinstance(person, int):
        return sorted(boxes, key=lambda box: float(places[box][0]))[person : person + 1]
    if person == "central":
        middle = (np.array([image.shape[1], image.shape[0]]) - 1) / 2
        return sorted(boxes, key=lambda box: float(np.linalg.norm(places[box] - middle)))
    return boxes


def _changed(image: Image, attempt: _Attempt) -> tuple[Image, Affine]:
    """Return the image as the attempt wants it, and the transform of points from it back to the image."""
    import cv2

    border = round(attempt.pad * max(image.shape[:2]))
    if border:
        image = np.asarray(cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE), np.uint8)
    if attempt.zoom != 1:
        size = (round(image.shape[1] * attempt.zoom), round(image.shape[0] * attempt.zoom))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    turned = np.ascontiguousarray(np.rot90(image, attempt.quarters))
    # Enlarging keeps the image's edges, so pixel centres move by half a pixel less than the scale says.
    shift = 0.5 / attempt.zoom - 0.5 - border
    unzoom = np.array([[1 / attempt.zoom, 0.0, shift], [0.0, 1 / attempt.zoom, shift]])
    unturn = _unturning(attempt.quarters, image.shape[1] - 1, image.shape[0] - 1)
    return turned, np.column_stack([unzoom[:, :2] @ unturn[:, :2], apply(unzoom, unturn[:, 2][np.newaxis])[0]])


def _unturning(quarters: int, right: int, bottom: int) -> Affine:
    """Return the map of points from an image turned counterclockwise by `numpy.rot90` back to the upright one."""
    maps = ([[1, 0, 0], [0, 1, 0]], [[0, -1, right], [1, 0, 0]], [[-1, 0, right], [0, -1, bottom]],
            [[0, 1, 0], [-1, 0, bottom]])  # fmt: skip
    return np.array(maps[quarters % 4], np.float64)


def _undone(face: DetectedFace, back: Affine) -> DetectedFace:
    box = face.box
    corners = apply(back, np.array([[box.x, box.y], [box.x + box.width, box.y + box.height]]))
    low, high = corners.min(axis=0), corners.max(axis=0)
    angle = box.angle + float(np.arctan2(back[1, 0], back[0, 0]))
    moved = FaceBox(low[0], low[1], high[0] - low[0], high[1] - low[1], box.score, angle)
    return replace(face, landmarks=apply(back, face.landmarks), box=moved)
