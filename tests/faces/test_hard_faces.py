"""One photograph, made small and large, turned, grey, cropped, with glasses: its landmarks stay where they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from merprep.errors import FaceError
from merprep.faces import AlignedFace, align
from merprep.faces.geometry import Affine, apply, inverse, scale_of
from merprep.synthetic.photo import photograph

pytestmark = pytest.mark.usefixtures("mesh_weights")
EYES = 43.0  # px between the eyes of the photograph
HEIGHT = 112.0  # px, of the detector's box


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return photograph().image.astype(np.uint8)


@pytest.fixture(scope="module")
def points(astronaut: np.ndarray, mesh_weights: object) -> np.ndarray:
    return original(align(astronaut))


def original(face: AlignedFace) -> np.ndarray:
    return apply(inverse(face.transform), face.landmarks.astype(np.float64))


def apart(face: AlignedFace, points: np.ndarray, moved: Affine) -> float:
    """RMS distance of the landmarks from where they were put, in eye distances."""
    distance = original(face) - apply(moved, points)
    return float(np.sqrt((distance**2).mean()) / scale_of(moved) / EYES)


@pytest.mark.parametrize("height", [40, 60, 200, 600, 1500])
def test_faces_of_40_to_1500_pixels_get_the_same_landmarks(
    astronaut: np.ndarray, points: np.ndarray, height: int
) -> None:
    s = height / HEIGHT
    how = cv2.INTER_AREA if s < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(astronaut[:260, 90:360], None, fx=s, fy=s, interpolation=how)
    # Resizing keeps the picture's edges; the centre of its first pixel is half a pixel inside.
    moved = np.array([[s, 0, s * (0.5 - 90) - 0.5], [0, s, s * 0.5 - 0.5]])
    assert apart(align(picture), points, moved) < 0.03


@pytest.mark.parametrize("degrees", [-90, -75, -60, -45, -30, -15, 15, 30, 45, 60, 75, 90])
def test_faces_turned_by_up_to_90_degrees_are_set_upright(
    astronaut: np.ndarray, points: np.ndarray, degrees: int
) -> None:
    turn = cv2.getRotationMatrix2D((223, 120), degrees, 1)
    face = align(cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE))
    assert apart(face, points, turn) < 0.015
    across = face.landmarks[263] - face.landmarks[33]
    assert abs(np.degrees(np.arctan2(across[1], across[0]))) < 3


def test_grey_pictures_and_large_frames_change_next_to_nothing(astronaut: np.ndarray, points: np.ndarray) -> None:
    assert apart(align(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)), points, np.eye(2, 3)) < 0.01
    moved = np.array([[3.0, 0, 600], [0, 3, 100]])
    wide = cv2.warpAffine(astronaut[:300], moved, (2040, 1088), borderMode=cv2.BORDER_REPLICATE)
    assert apart(align(wide), points, moved) < 0.01


@pytest.mark.parametrize("cut", [0, 5, 10])
def test_crops_within_the_face_are_found(astronaut: np.ndarray, points: np.ndarray, cut: int) -> None:
    left, top = 179 + cut, 62 + cut
    crop = astronaut[top : top + 112 - 2 * cut, left : left + 90 - 2 * cut]
    assert apart(align(crop), points, np.array([[1.0, 0, -left], [0, 1, -top]])) < 0.04


@pytest.mark.parametrize("what", ["glasses", "sunglasses", "closed eyes"])
def test_what_hides_the_eyes_moves_landmarks_little(astronaut: np.ndarray, points: np.ndarray, what: str) -> None:
    picture = astronaut.copy()
    for corners in ((33, 133), (362, 263)):
        x, y = points[list(corners)].mean(axis=0).astype(int).tolist()
        if what == "closed eyes":
            skin = picture[y + 14, x].tolist()
            cv2.ellipse(picture, (x, y), (11, 6), 0, 0, 360, skin, -1)
            cv2.ellipse(picture, (x, y), (11, 5), 0, 0, 180, (40, 40, 60), 1)
        else:
            cv2.ellipse(picture, (x, y), (16, 12), 0, 0, 360, (20, 20, 20), 3 if what == "glasses" else -1)
    assert apart(align(picture), points, np.eye(2, 3)) < 0.05


def test_a_face_cut_down_to_its_middle_is_refused_with_a_reason(astronaut: np.ndarray) -> None:
    with pytest.raises(FaceError, match="No face") as caught:
        align(astronaut[100:140, 195:255])
    assert "looked for as it is, with borders" in str(caught.value)
