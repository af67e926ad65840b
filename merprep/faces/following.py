"""In which frames of a clip the aligned face is not seen any more: behind a hand, turned away, out of the picture.

A clip has one transform, so nothing is moved for that; such frames are only named. A face is looked for where it was
in the frame before, so that of several people it stays the same one.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from merprep.faces.backends.base import Backend, DetectedFace, FaceBox, Image
from merprep.faces.quality import LOWEST_SCORE

_FARTHEST = 0.5  # of the box, between two frames; what is farther away is somebody else
_LARGEST_CHANGE = 1.6  # of the box's side, to the reference frame's


def lost_frames(frames: Iterable[tuple[int, Image]], finder: Backend, face: DetectedFace) -> tuple[int, ...]:
    """Return the frames that do not show the face.

    Parameters
    ----------
    frames : iterable of (int, image)
        File numbers and frames, in the order of time.
    finder : Backend
    face : DetectedFace
        The face of the reference frame.

    Returns
    -------
    tuple of int
        File numbers, ascending.
    """
    lost = []
    middle = face.landmarks.mean(axis=0)
    box = face.box
    for number, image in frames:
        seen = _seen(image, finder, box, face.box)
        if seen is None:
            lost.append(number)
            continue
        dx, dy = seen.landmarks.mean(axis=0) - middle
        box = FaceBox(face.box.x + dx, face.box.y + dy, face.box.width, face.box.height, seen.score, face.box.angle)
    return tuple(lost)


def _seen(image: Image, finder: Backend, box: FaceBox, reference: FaceBox) -> DetectedFace | None:
    """Return the face near a box, or None; it is looked for anew where the box does not hold it."""
    face = finder.mark(image, box)
    if face is not None and _same(face, box, reference):
        return face
    for found in sorted(finder.find(image), key=lambda each: float(np.linalg.norm(each.centre - box.centre))):
        face = finder.mark(image, found)
        if face is not None and _same(face, box, reference):
            return face
    return None


def _same(face: DetectedFace, box: FaceBox, reference: FaceBox) -> bool:
    if face.score < LOWEST_SCORE or not np.isfinite(face.landmarks).all():
        return False
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    side = max(reference.width, reference.height)
    near = np.linalg.norm((low + high) / 2 - box.centre) < _FARTHEST * side
    alike = 1 / _LARGEST_CHANGE < float((high - low).max()) / side < _LARGEST_CHANGE
    return bool(near and alike)


def frames_in_words(numbers: Iterable[int], present: Iterable[int]) -> str:
    """Say which frames, by ranges over the frames that there are.

    Examples
    --------
    >>> frames_in_words([11, 12, 20], range(10, 21))
    '3 of 11 frames (11-12, 20)'
    """
    order = {number: place for place, number in enumerate(present)}
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and order[number] == order[runs[-1][-1]] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"{sum(map(len, runs))} of {len(order)} frames ({', '.join(texts)})"
