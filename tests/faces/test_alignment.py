from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep import faces
from merprep.errors import FaceError, ImageError, UnknownNameError, UsageError
from merprep.faces import AlignConfig, align, align_clip, region_points, self_test
from merprep.faces.geometry import apply, canonical_face, inverse, similarity
from merprep.synthetic.photo import photograph
from merprep.synthetic.render import render_clip

pytestmark = pytest.mark.usefixtures("mesh_weights")


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return photograph().image.astype(np.uint8)


def shifted(image: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """The picture moved by a part of a pixel, through its spectrum: exact for what the picture holds."""
    turn = np.exp(
        -2j * np.pi * (np.fft.fftfreq(image.shape[0])[:, None] * dy + np.fft.fftfreq(image.shape[1])[None, :] * dx)
    )
    planes = [np.fft.ifft2(np.fft.fft2(image[:, :, c].astype(np.float64)) * turn).real for c in range(3)]
    return np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)


def test_five_points_of_the_astronaut_are_where_they_were_measured() -> None:
    assert self_test() < 1.0


def test_landmarks_lie_where_the_transform_puts_them(astronaut: np.ndarray) -> None:
    face = align(astronaut)
    assert face.image.shape == (224, 224, 3)
    assert face.image.dtype == np.uint8
    assert face.landmarks.shape == (478, 2)
    assert face.landmarks.dtype == np.float32
    assert face.score > 0.9
    assert (face.faces, face.attempt, face.scheme) == (1, "as it is", "mesh478")
    original = apply(inverse(face.transform), face.landmarks.astype(np.float64))
    np.testing.assert_allclose(original[1], (223.3, 131.3), atol=1.0)


def test_aligned_faces_have_level_eyes_at_the_configured_distance() -> None:
    for subject in range(3):
        frame = render_clip(subject=subject, n_frames=1, size=(320, 240)).frames[0]
        points = region_points(align(frame).landmarks, "mesh478")
        across = points["image_right_eye"] - points["image_left_eye"]
        assert 0.33 * 224 < across[0] < 0.46 * 224
        assert abs(across[1]) < 4
        middle = (points["image_right_eye"] + points["image_left_eye"]) / 2
        np.testing.assert_allclose(middle, (112, 56), atol=8)
        assert points["image_left_mouth"][0] < points["nose"][0] < points["image_right_mouth"][0]
        assert points["image_left_eye"][1] < points["nose"][1] < points["image_left_mouth"][1] < 224


def test_grey_and_colour_pictures_give_the_same_landmarks(astronaut: np.ndarray) -> None:
    colour = align(astronaut)
    grey = align(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY))
    assert grey.image.shape == (224, 224)
    assert float(np.sqrt(((grey.landmarks - colour.landmarks) ** 2).mean())) < 1.5


def test_a_frame_shifted_by_part_of_a_pixel_is_aligned_to_the_same_picture(astronaut: np.ndarray) -> None:
    face = align(astronaut)
    stable = canonical_face("mesh478").indices
    errors = []
    for d in (0.25, 0.5, 1.0):
        for dx, dy in ((d, 0.0), (0.0, d), (d, d)):
            moved = align(shifted(astronaut, dx, dy))
            # Where the two transforms put the same skin, in px of the original.
            here = apply(inverse(face.transform), face.landmarks[stable].astype(np.float64))
            apart = apply(moved.transform, np.add(here, (dx, dy))) - apply(face.transform, here)
            errors.append(apart / np.sqrt(np.linalg.det(face.transform[:, :2])))
    assert float(np.sqrt((np.stack(errors) ** 2).mean())) < 0.15


def test_a_clip_gets_one_transform_and_keeps_its_motion() -> None:
    clip = render_clip("surprise", subject=1, n_frames=5, size=(320, 240), amplitude=1.5, noise=0)
    aligned = align_clip(list(clip.frames), reference=clip.onset)
    assert aligned.frames.shape == (5, 224, 224, 3)
    alone = align(clip.frames[clip.onset])
    np.testing.assert_array_equal(aligned.frames[clip.onset], alone.image)
    np.testing.assert_array_equal(aligned.face.transform, alone.transform)
    # A still clip stays still: equal frames in, equal frames out.
    still = align_clip([clip.frames[0]] * 3)
    assert (still.frames == still.frames[0]).all()


def test_the_median_over_several_frames_holds_landmarks_stiller_than_one_frame_does() -> None:
    spread = {}
    for count in (1, 7):
        transforms = []
        for seed in range(6):
            clip = render_clip(subject=1, seed=0, n_frames=1, size=(320, 240), noise=0)
            rng = np.random.default_rng(seed)
            noisy = [np.clip(clip.frames[0] + rng.normal(0, 4, clip.frames[0].shape), 0, 255).astype(np.uint8)
                     for _ in range(count)]  # fmt: skip
            config = AlignConfig(reference_frames=count)
            transforms.append(align_clip(noisy, config=config).face.transform)
        spread[count] = np.std(apply_all(transforms, (160.0, 120.0)), axis=0).max()
    assert spread[7] < 0.65 * spread[1]


def apply_all(transforms: list[np.ndarray], point: tuple[float, float]) -> np.ndarray:
    return np.array([apply(transform, np.array([point]))[0] for transform in transforms])


def test_warping_keeps_sub_pixel_motion_as_it_is() -> None:
    # The true field, scaled into the aligned face, must undo the aligned apex as well as the original one.
    clip = render_clip("happiness", subject=2, n_frames=3, size=(320, 240), amplitude=1.5, noise=0)
    aligned = align_clip(list(clip.frames))
    transform = aligned.face.transform
    y, x = np.mgrid[:224, :224].astype(np.float64)
    original = apply(inverse(transform), np.stack([x.ravel(), y.ravel()], axis=1)).astype(np.float32)
    at = [original[:, i].reshape(224, 224) for i in (0, 1)]
    field = np.stack([cv2.remap(part, *at, cv2.INTER_LINEAR) for part in clip.flow])
    moved = np.tensordot(transform[:, :2], field, axes=1)
    from merprep.faces.sampling import sample_cubic

    apex = sample_cubic(aligned.frames[clip.apex], (x + moved[0]).astype(np.float32), (y + moved[1]).astype(np.float32))
    inner = (slice(8, -8), slice(8, -8))
    onset = aligned.frames[0].astype(np.float64)
    after = np.sqrt(((apex - onset)[inner] ** 2).mean())
    before = np.sqrt(((aligned.frames[clip.apex].astype(np.float64) - onset)[inner] ** 2).mean())
    assert after < 1.0
    assert after < before / 3


@pytest.mark.parametrize("rows", [(60, 190), (75, 182)])
def test_tight_crops_are_found(astronaut: np.ndarray, rows: tuple[int, int]) -> None:
    crop = astronaut[rows[0] : rows[1], 165 + rows[0] // 10 : 285 - rows[0] // 10]
    face = align(crop)
    tip = apply(inverse(face.transform), face.landmarks.astype(np.float64))[1]
    np.testing.assert_allclose(tip, (223.3 - 165 - rows[0] // 10, 131.3 - rows[0]), atol=2.5)


@pytest.mark.parametrize("size", [(72, 64), (160, 120), (640, 480), (2040, 1088)])
def test_faces_from_40_to_600_pixels_are_found(size: tuple[int, int]) -> None:
    clip = render_clip(subject=3, n_frames=1, size=size, colour=False)
    face = align(clip.frames[0])
    nose = clip.landmarks[clip.landmark_names.index("nose_tip")]
    found = apply(inverse(face.transform), face.landmarks.astype(np.float64))[1]
    assert np.linalg.norm(found - nose) < 0.035 * min(size)


@pytest.mark.parametrize("degrees", [20, 50, 90, 180, 270])
def test_faces_turned_in_the_image_plane_are_found_and_set_upright(degrees: int) -> None:
    frame = render_clip(subject=2, n_frames=1, size=(320, 240)).frames[0]
    turn = cv2.getRotationMatrix2D((159.5, 119.5), degrees, 1)
    upright = align(frame)
    turned = align(cv2.warpAffine(frame, turn, (320, 240), borderMode=cv2.BORDER_REPLICATE))
    original = apply(inverse(upright.transform), upright.landmarks.astype(np.float64))
    found = apply(inverse(turned.transform), turned.landmarks.astype(np.float64))
    assert float(np.sqrt(((found - apply(turn, original)) ** 2).mean())) < 1.0


def test_a_small_face_in_a_large_picture_is_found() -> None:
    frame = render_clip(subject=2, n_frames=1, size=(192, 144)).frames[0]
    large = np.full((1088, 2040, 3), 120, np.uint8)
    large[300:444, 500:692] = frame
    face = align(large)
    assert face.attempt == "in finer detail"
    assert 500 < face.box.x < 692
    assert 300 < face.box.y < 444


def test_dark_pictures_are_found_where_they_were_bright() -> None:
    frame = render_clip(subject=2, n_frames=1, size=(320, 240)).frames[0]
    bright, dark = align(frame), align((frame * 0.15).astype(np.uint8))
    assert float(np.sqrt(((dark.landmarks - bright.landmarks) ** 2).mean())) < 3.0


def test_the_largest_of_several_faces_is_aligned_and_the_count_told(astronaut: np.ndarray) -> None:
    face = astronaut[0:240, 100:350]
    small = cv2.resize(face, (125, 120), interpolation=cv2.INTER_AREA)
    both = np.full((240, 400, 3), 128, np.uint8)
    both[:, :250] = face
    both[60:180, 265:390] = small
    aligned = align(both)
    assert aligned.faces == 2
    assert aligned.box.x < 250


def test_a_picture_without_a_face_is_refused_with_what_was_tried() -> None:
    import skimage.data

    for image in (np.full((200, 300, 3), 127, np.uint8), skimage.data.chelsea()[:, :, ::-1]):
        with pytest.raises(FaceError, match="No face was found") as caught:
            align(image)
        assert "with borders" in str(caught.value.found)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((64, 64), np.uint16), "8-bit"),
        (np.zeros((64, 64, 3), np.float32), "8-bit"),
        (np.zeros((64, 64, 4), np.uint8), "another shape"),
        (np.zeros((64,), np.uint8), "another shape"),
        (np.zeros((0, 0, 3), np.uint8), "too small"),
        (np.zeros((10, 200), np.uint8), "too small"),
        (None, "no image"),
    ],
)
def test_what_is_no_picture_of_8_bits_is_refused(image: np.ndarray, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        align(image)


def test_frames_of_different_shapes_and_a_missing_reference_are_refused(astronaut: np.ndarray) -> None:
    with pytest.raises(ImageError, match="differ in shape"):
        align_clip([astronaut, astronaut[:-1]])
    with pytest.raises(UsageError, match="reference"):
        align_clip([astronaut], reference=1)
    with pytest.raises(UsageError, match="reference"):
        align_clip([])


def test_an_unknown_backend_is_refused_and_auto_is_the_default_one(astronaut: np.ndarray) -> None:
    with pytest.raises(UnknownNameError, match="landmark backend"):
        align(astronaut, backend="haar")
    assert AlignConfig(backend="auto").config_id() == AlignConfig(backend="mesh").config_id()
    assert faces.backend_names() == ["dlib", "fan", "mediapipe", "mesh", "none", "precomputed"]


def test_a_wider_margin_shrinks_the_face_around_the_middle(astronaut: np.ndarray) -> None:
    plain = align(astronaut)
    wide = align(astronaut, config=AlignConfig(margin=0.25))
    scale = np.linalg.norm(wide.landmarks[263] - wide.landmarks[33]) / np.linalg.norm(
        plain.landmarks[263] - plain.landmarks[33]
    )
    assert scale == pytest.approx(1 / 1.5, rel=1e-3)
    np.testing.assert_allclose(wide.landmarks[1] - 111.5, (plain.landmarks[1] - 111.5) / 1.5, atol=0.01)


def test_another_size_gives_the_same_geometry(astronaut: np.ndarray) -> None:
    small, plain = align(astronaut, config=AlignConfig(size=112)), align(astronaut)
    np.testing.assert_allclose((small.landmarks + 0.5) / 112, (plain.landmarks + 0.5) / 224, atol=1e-4)


def test_similarity_recovers_what_was_applied() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (20, 2))
    turn = 1.3 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    transform = np.column_stack([turn, [5.0, -7.0]])
    np.testing.assert_allclose(similarity(points, apply(transform, points)), transform, atol=1e-9)
    np.testing.assert_allclose(apply(inverse(transform), apply(transform, points)), points, atol=1e-9)
    with pytest.raises(FaceError):
        similarity(np.ones((5, 2)), points[:5])


def test_region_points_move_with_the_landmarks() -> None:
    landmarks = np.random.default_rng(1).uniform(0, 224, (478, 2))
    moved = region_points(np.add(landmarks, (3.25, -1.5)), "mesh478")
    for name, point in region_points(landmarks, "mesh478").items():
        np.testing.assert_allclose(moved[name] - point, (3.25, -1.5), atol=1e-4)
    with pytest.raises(UnknownNameError):
        region_points(landmarks, "wflw98")
    with pytest.raises(FaceError):
        region_points(landmarks[:68], "mesh478")


def test_importing_faces_does_not_import_opencv(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, merprep.faces, merprep.weights, merprep.synthetic; print('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
