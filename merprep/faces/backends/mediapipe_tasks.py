"""MediaPipe's own face landmarker, as a cross-check of the mesh backend, which runs the same network by OpenCV."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from merprep import weights
from merprep.errors import MissingDependencyError
from merprep.faces.backends.base import DetectedFace, FaceBox, Image

SCHEME = "mesh478"
_MOST_FACES = 8
_EYES = (33, 263)  # outer corners


def create(device: str = "auto") -> MediapipeBackend:
    """Load MediaPipe and its landmarker, which is fetched where it is missing.

    Raises
    ------
    MissingDependencyError
        Where mediapipe is not installed.
    WeightsError
        Where the landmarker is missing and cannot be fetched.
    """
    del device  # MediaPipe's wheels run on the CPU
    try:
        library = importlib.import_module("mediapipe")
        tasks = importlib.import_module("mediapipe.tasks.python")
    except ImportError as error:
        install = 'pip install "merprep[mediapipe]"'
        raise MissingDependencyError.of("mediapipe", "The backend 'mediapipe'", install) from error
    return MediapipeBackend(library, tasks, weights.fetch("face-landmarker"))


class MediapipeBackend:
    """MediaPipe's landmarker; it finds and marks faces in one step, so boxes carry their points until they are asked.

    Parameters
    ----------
    library, tasks : module
        mediapipe and mediapipe.tasks.python.
    model : Path
        ``face_landmarker.task``.
    """

    name = "mediapipe"
    scheme = SCHEME

    def __init__(self, library: Any, tasks: Any, model: Path) -> None:
        self._library = library
        # A buffer, since file names outside the code page cannot be opened on Windows.
        base = tasks.BaseOptions(model_asset_buffer=model.read_bytes())
        options = tasks.vision.FaceLandmarkerOptions(base_options=base, num_faces=_MOST_FACES)
        self._landmarker = tasks.vision.FaceLandmarker.create_from_options(options)
        self._last: dict[FaceBox, DetectedFace] = {}

    def find(self, image: Image, *, detail: int = 1) -> list[FaceBox]:
        """Return the extents of all faces' landmarks, the largest first."""
        del detail  # it has a detector of one size
        rgb = np.repeat(image[:, :, np.newaxis], 3, axis=2) if image.ndim == 2 else image[:, :, ::-1]
        picture = self._library.Image(image_format=self._library.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        size = np.array([image.shape[1], image.shape[0]], np.float64)
        faces = [_face(marks, size) for marks in self._landmarker.detect(picture).face_landmarks]
        self._last = {face.box: face for face in sorted(faces, key=lambda face: -face.box.area)}
        return list(self._last)

    def mark(self, image: Image, box: FaceBox) -> DetectedFace | None:
        """Return the landmarks of a box that `find` has just returned for this image."""
        if box not in self._last:
            self.find(image)
        return self._last.get(box)


def _face(marks: Any, size: Any) -> DetectedFace:
    # Normalised to the image's size; MediaPipe counts from the corner of the first pixel, not from its centre.
    points = np.array([(mark.x, mark.y) for mark in marks], np.float64) * size - 0.5
    x, y = points.min(axis=0).tolist()
    width, height = np.ptp(points, axis=0).tolist()
    across = points[_EYES[1]] - points[_EYES[0]]
    # It gives no score; what it returns has passed its own threshold (0.5).
    box = FaceBox(x, y, width, height, 1.0, float(np.arctan2(across[1], across[0])))
    return DetectedFace(box, points, SCHEME, 1.0)
