"""The default backend: YuNet's box, FaceMesh-V2's 478 points, both run by OpenCV.

The region that the mesh network sees follows MediaPipe: a square of 1.5 times the face's extent, turned so that the
eyes are level, taken from the detector's box in a first pass and from the first pass's landmarks in a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep import weights
from merprep.faces.backends.base import DetectedFace, FaceBox, Image

SCHEME = "mesh478"
_LONG_SIDE = 320  # YuNet was trained for faces of 10 to 300 px; at this size its cost does not depend on the image's
_MIN_SCORE, _NMS_OVERLAP, _TOP_K = 0.6, 0.3, 5000  # as in the detector's own example
_NET_SIDE = 256
_ROI_FACTOR = 1.5
_MOST_PASSES = 4
_MIN_PRESENCE = 0.99  # faces have logits of 12 to 24 (measured); an upside-down one that was taken for upright had 3.7
_LEVEL = np.deg2rad(8.0)  # the mesh is exact for faces turned less than this
_LEFT_EYE, _RIGHT_EYE = 33, 263  # outer corners, image-left and image-right in an upright face


def create(device: str = "auto") -> MeshBackend:
    """Fetch the weights where they are missing, and load them."""
    return MeshBackend(weights.fetch("yunet"), weights.fetch("facemesh-v2"))


class MeshBackend:
    """YuNet and FaceMesh-V2 through `cv2.dnn`.

    Parameters
    ----------
    detector, mesh : Path
        The two files of weights.
    """

    name = "mesh"
    scheme = SCHEME

    def __init__(self, detector: Path, mesh: Path) -> None:
        import cv2

        # OpenCV 5 warns about its own default target each time that a detector is made.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        # Buffers, since OpenCV cannot open every file name on Windows.
        self._detector = cv2.FaceDetectorYN.create(
            "onnx", _buffer(detector), _buffer(None), (_LONG_SIDE, _LONG_SIDE), _MIN_SCORE, _NMS_OVERLAP, _TOP_K
        )
        self._mesh, self._has_score = _read_tflite(mesh)

    def find(self, image: Image, *, detail: int = 1) -> list[FaceBox]:
        """Return the boxes of all faces, the largest first; `detail` makes small ones larger for the detector."""
        import cv2

        scale = _LONG_SIDE * detail / max(image.shape[:2])
        size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
        small = cv2.resize(_bgr(image), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        self._detector.setInputSize(size)
        _, rows = self._detector.detect(small)
        unscale = np.array([image.shape[1] / size[0], image.shape[0] / size[1]])
        boxes = [_box(row.astype(np.float64), unscale) for row in (() if rows is None else rows)]
        return sorted(boxes, key=lambda box: -box.area)

    def mark(self, image: Image, box: FaceBox) -> DetectedFace | None:
        """Return the landmarks within a box, or None where the mesh sees no face.

        Two passes, or more where a pass finds the face turned further than its region of interest was.
        """
        colour = _bgr(image)
        seen = box.angle
        points, logit = self._pass(colour, box.centre, _ROI_FACTOR * max(box.width, box.height), box.angle)
        for number in range(_MOST_PASSES):
            centre, side, angle = _roi_of(points)
            if number and abs(_turn(angle - seen)) < _LEVEL:
                break
            points, logit = self._pass(colour, centre, side, angle)
            seen = angle
        score = float(1 / (1 + np.exp(-logit)))
        if score < _MIN_PRESENCE:
            return None
        return DetectedFace(box, points, SCHEME, score if self._has_score else box.score)

    def _pass(
        self, image: Image, centre: NDArray[np.float64], side: float, angle: float
    ) -> tuple[NDArray[np.float64], float]:
        import cv2

        to_net = _net_transform(centre, side, angle)
        crop = cv2.warpAffine(
            image, to_net, (_NET_SIDE, _NET_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        self._mesh.setInput(cv2.dnn.blobFromImage(crop, 1 / 255, (_NET_SIDE, _NET_SIDE), swapRB=True))
        if self._has_score:
            # By name: the order of outputs differs between engines. Identity_1 is the logit of a face's presence.
            raw, logit = self._mesh.forward(["Identity", "Identity_1"])
        else:
            raw, logit = self._mesh.forward("Identity"), np.inf
        in_net = raw.reshape(-1, 3)[:, :2].astype(np.float64)
        return (in_net - to_net[:, 2]) @ np.linalg.inv(to_net[:, :2]).T, float(np.ravel(logit)[0])


def _buffer(path: Path | None) -> NDArray[np.uint8]:
    return np.empty(0, np.uint8) if path is None else np.fromfile(path, dtype=np.uint8)


def _read_tflite(path: Path) -> tuple[Any, bool]:
    """Read the mesh network; also say whether its presence score can be read beside the points."""
    import cv2

    # OpenCV 5 has several engines; the classic one is that of 4.x, with the same numbers.
    engine = getattr(cv2.dnn, "ENGINE_CLASSIC", None)
    arguments = () if engine is None else (engine,)
    try:
        return cv2.dnn.readNetFromTFLite(str(path), *arguments), True
    except cv2.error:
        # A file name that OpenCV cannot open (Windows, outside the code page). From a buffer OpenCV 5.0 takes its new
        # engine whatever is asked for, and that one gives the first output only.
        return cv2.dnn.readNetFromTFLite(_buffer(path), *arguments), engine is None


def _bgr(image: Image) -> Image:
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8) if image.ndim == 2 else image


def _box(row: NDArray[np.float64], unscale: NDArray[np.float64]) -> FaceBox:
    # A row of YuNet: x, y, width, height, five points (eyes first, image-left before image-right), score.
    x, y, width, height = row[:4] * np.tile(unscale, 2)
    across = (row[6:8] - row[4:6]) * unscale
    angle = float(np.arctan2(across[1], across[0]))
    return FaceBox(float(x), float(y), float(width), float(height), float(row[14]), angle)


def _turn(angle: float) -> float:
    """Return the same angle between -pi and pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _roi_of(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float]:
    """Return centre, side and angle of the square that the next pass looks at."""
    across = points[_RIGHT_EYE] - points[_LEFT_EYE]
    angle = float(np.arctan2(across[1], across[0]))
    cos, sin = np.cos(angle), np.sin(angle)
    upright = points @ np.array([[cos, -sin], [sin, cos]])
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = np.array([[cos, -sin], [sin, cos]]) @ ((low + high) / 2)
    return centre, float(_ROI_FACTOR * (high - low).max()), angle


def _net_transform(centre: NDArray[np.float64], side: float, angle: float) -> NDArray[np.float64]:
    """Return the similarity (2, 3) that brings a turned square upright into the network's input."""
    scale = _NET_SIDE / side
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, sin], [-sin, cos]])
    middle = (_NET_SIDE - 1) / 2
    return np.column_stack([linear, middle - linear @ centre])
