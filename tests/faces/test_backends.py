from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from merprep.errors import ConfigError, DeviceError, FaceError, MissingDependencyError, UsageError, WeightsError
from merprep.faces import AlignConfig, align, region_points
from merprep.faces.backends import backend, names, scheme_of
from merprep.faces.backends.base import FaceBox, KnownFaces
from merprep.faces.backends.fan import FanBackend, crop_transform, new_network, read_network
from merprep.faces.finding import find_face
from merprep.faces.geometry import apply, canonical_face, face_transform, inverse
from merprep.synthetic.photo import photograph
from merprep.synthetic.render import render_clip

NOWHERE = FaceBox(0, 0, 1, 1, 1.0)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return photograph().image.astype(np.uint8)


class PaintedMaps(torch.nn.Module):
    """Gives, for every picture of a batch, maps whose peaks are its brightest spots of red, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        self.batches.append(len(pictures))
        cells = torch.nn.functional.avg_pool2d(pictures[:, :1], 4)
        return [cells.repeat(1, 68, 1, 1)]


class WholePicture:
    """Says that the whole picture is a face."""

    name, scheme = "whole", "none"

    def find(self, image: np.ndarray, *, detail: int = 1) -> list[FaceBox]:
        return [FaceBox(0, 0, image.shape[1], image.shape[0], 1.0)]

    def mark(self, image: np.ndarray, box: FaceBox) -> None:
        return None


def spot(x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[:200, :200]
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[:, :, 2] = np.rint(250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 8.0**2)))
    return picture


def test_a_spot_goes_through_crop_network_and_maps_back_to_where_it_is() -> None:
    fan = FanBackend(PaintedMaps(), WholePicture(), device="cpu")
    for x, y in ((80.0, 90.0), (120.3, 60.7), (99.75, 110.25)):
        face = fan.mark(spot(x, y), fan.find(spot(x, y))[0])
        assert face.landmarks.shape == (68, 2)
        np.testing.assert_allclose(face.landmarks[0], (x, y), atol=0.25)


def test_pictures_go_through_the_network_by_batches_and_give_what_they_give_alone() -> None:
    fan = FanBackend(network := PaintedMaps(), WholePicture(), device="cpu")
    pictures = [spot(60 + 2 * i, 80 + i) for i in range(40)]
    boxes = [fan.find(picture)[0] for picture in pictures]
    together = fan.mark_all(pictures, boxes)
    assert network.batches == [32, 8]
    for picture, box, face in zip(pictures[::9], boxes[::9], together[::9], strict=True):
        np.testing.assert_allclose(fan.mark(picture, box).landmarks, face.landmarks, atol=1e-9)
    with pytest.raises(FaceError, match="its box"):
        fan.mark_all(pictures, boxes[:-1])


@pytest.mark.parametrize("angle", [0.0, 0.2, 1.5, -2.5])
def test_the_crop_shows_the_box_upright_and_centred(angle: float) -> None:
    box = FaceBox(100, 50, 80, 90, 1.0, angle)
    turned = angle if abs(angle) > 0.35 else 0.0
    up = np.array([np.sin(turned), -np.cos(turned)])
    np.testing.assert_allclose(apply(crop_transform(box), (box.centre + 0.12 * 90 * up)[None]), [[127.5, 127.5]])
    above = apply(crop_transform(box), (box.centre + 40 * up)[None])[0]
    assert abs(above[0] - 127.5) < 1e-6
    assert above[1] < 127.5


def test_a_backend_that_marks_many_marks_the_following_frames_in_one_batch() -> None:
    from merprep.faces.alignment import _median_landmarks

    fan = FanBackend(network := PaintedMaps(), WholePicture(), device="cpu")
    first = fan.mark(spot(80, 90), fan.find(spot(80, 90))[0])
    median = _median_landmarks(fan, first, [spot(81, 90), spot(82, 90), spot(83, 90), spot(84, 90)])
    np.testing.assert_allclose(median[0], (82, 90), atol=0.25)
    assert network.batches == [1, 4]


@pytest.mark.slow
def test_the_published_network_reads_its_own_weights_and_refuses_others(tmp_path: Path, astronaut: np.ndarray) -> None:
    torch.manual_seed(0)
    network = new_network()
    torch.save(network.state_dict(), tmp_path / "fan.pth")
    read = read_network(tmp_path / "fan.pth")
    fan = FanBackend(read, WholePicture(), device="cpu")
    face = fan.mark(astronaut, FaceBox(180, 60, 90, 110, 1.0))
    assert face.landmarks.shape == (68, 2)
    assert np.isfinite(face.landmarks).all()
    assert 0 <= face.score <= 1
    (tmp_path / "broken.pth").write_bytes((tmp_path / "fan.pth").read_bytes()[:1000])
    with pytest.raises(WeightsError, match="weights of 2D-FAN"):
        read_network(tmp_path / "broken.pth")
    torch.save({"other": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="weights of 2D-FAN"):
        read_network(tmp_path / "other.pth")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_so() -> None:
    with pytest.raises(DeviceError, match="CUDA"):
        FanBackend(PaintedMaps(), WholePicture(), device="cuda")


@pytest.mark.parametrize(("name", "library"), [("dlib", "dlib"), ("mediapipe", "mediapipe")])
def test_a_library_that_is_not_installed_is_named_with_its_install_line(name: str, library: str) -> None:
    if importlib.util.find_spec(library) is not None:
        pytest.skip(f"{library} is installed")
    with pytest.raises(MissingDependencyError, match=rf"merprep\[{library}\]"):
        backend(name)


@pytest.mark.slow
@pytest.mark.usefixtures("mesh_weights")
@pytest.mark.parametrize(("name", "apart"), [("dlib", 5.0), ("mediapipe", 2.5)])
def test_an_installed_library_marks_the_astronaut_where_the_mesh_does(
    name: str, apart: float, astronaut: np.ndarray
) -> None:
    pytest.importorskip(name)
    try:
        face = align(astronaut, name)
    except WeightsError as error:
        pytest.skip(error.what)
    mesh = align(astronaut)
    for eye in ("image_left_eye", "image_right_eye"):
        found, expected = (region_points(each.landmarks, each.scheme)[eye] for each in (face, mesh))
        assert np.linalg.norm(found - expected) < apart


def test_every_backend_says_what_its_points_are() -> None:
    assert {name: scheme_of(name) for name in names()} == {
        "dlib": "ibug68", "fan": "ibug68", "mediapipe": "mesh478", "mesh": "mesh478", "none": "mesh478",
        "precomputed": "",
    }  # fmt: skip


def test_points_of_every_scheme_bring_a_face_into_one_geometry() -> None:
    # A face whose stable points lie just where each scheme's table says comes out by one transform.
    config = AlignConfig()
    for scheme, count in (("mesh478", 478), ("ibug68", 68), ("five", 5)):
        face = canonical_face(scheme)
        landmarks = np.zeros((count, 2))
        landmarks[face.indices] = 50 * face.points + (100, 80)
        transform, residual = face_transform(landmarks, scheme, config)
        np.testing.assert_allclose(transform, [[1.68, 0, -56.5], [0, 1.68, -78.9]], atol=1e-3)
        assert residual < 0.01


def write_landmarks(path: Path, rows: dict[str, np.ndarray], *, blank: str = "") -> Path:
    count = len(next(iter(rows.values())))
    head = ["clip"] + [f"{blank}{axis}_{n}" for n in range(count) for axis in "xy"]
    lines = [",".join(head)] + [
        ",".join([name, *(f"{v:.6f}" for v in points.ravel())]) for name, points in rows.items()
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.usefixtures("mesh_weights")
@pytest.mark.parametrize("blank", ["", " "])
def test_known_landmarks_align_as_the_backend_that_found_them(
    tmp_path: Path, astronaut: np.ndarray, blank: str
) -> None:
    found = find_face(astronaut, backend("mesh")).face
    path = write_landmarks(tmp_path / "points.csv", {"casme2/sub01/a": found.landmarks}, blank=blank)
    config = AlignConfig(backend="precomputed", landmarks=str(path))
    face = align(astronaut, config=config, name="casme2/sub01/a")
    np.testing.assert_allclose(face.transform, align(astronaut).transform, atol=1e-5)
    assert face.scheme == "mesh478"
    with pytest.raises(FaceError, match="no row"):
        align(astronaut, config=config, name="casme2/sub01/b")
    five = np.array(list(region_points(found.landmarks, "mesh478").values()))
    path = write_landmarks(tmp_path / "five.csv", {"picture.png": five})
    face = align(astronaut, config=AlignConfig(backend="precomputed", landmarks=str(path)), where="picture.png")
    eyes = region_points(face.landmarks, "five")
    assert eyes["image_right_eye"][0] - eyes["image_left_eye"][0] == pytest.approx(84, abs=0.01)


def test_another_content_of_the_landmarks_is_another_configuration(tmp_path: Path) -> None:
    points = np.arange(10.0).reshape(5, 2)
    path = write_landmarks(tmp_path / "points.csv", {"a": points})
    before = AlignConfig(backend="precomputed", landmarks=str(path))
    assert AlignConfig(**before.model_dump()) == before
    write_landmarks(path, {"a": points + 1})
    assert AlignConfig(backend="precomputed", landmarks=str(path)).config_id() != before.config_id()
    path.unlink()
    assert AlignConfig(**before.model_dump()).config_id() == before.config_id()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,x_0,y_0\na,1,2\n", "no known scheme"),
        ("clip,x_0,x_1\na,1,2\n", "lacks a column"),
        ("name,x_0,y_0\na,1,2\n", "no table of clips"),
        ("clip\n", "no table of clips"),
        ("", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_landmarks_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "points.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        backend("precomputed", landmarks=str(tmp_path / "points.csv"))
    with pytest.raises(UsageError, match="none is named"):
        backend("precomputed")


def test_gaps_words_and_clips_named_twice_are_refused(tmp_path: Path) -> None:
    head = "clip," + ",".join(f"x_{n},y_{n}" for n in range(5))
    row = ",".join("123456789")
    for text, message in (
        (f"a,{row},\n", "no number"),
        (f"a,{row},word\n", "no number"),
        (f"a,{row},1\na,{row},1\n", "twice"),
    ):
        (tmp_path / "points.csv").write_text(f"{head}\n{text}", encoding="utf-8")
        with pytest.raises((UsageError, FaceError), match=message):
            backend("precomputed", landmarks=str(tmp_path / "points.csv")).known("a")
        backend_cache_clear()


def test_thousands_of_known_landmarks_are_found_by_name(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 300, (1200, 5, 2)).round(6)
    rows = {f"samm/006/é {n}": each for n, each in enumerate(points)}
    known = backend("precomputed", landmarks=str(write_landmarks(tmp_path / "points.csv", rows)))
    assert isinstance(known, KnownFaces)
    for name in ("samm/006/é 0", "samm/006/é 700", "samm/006/é 1199"):
        np.testing.assert_array_equal(known.known(name).landmarks, rows[name])
        assert known.known(name).score == 1
    with pytest.raises(FaceError, match="no row") as caught:
        known.known("samm/006/x")
    assert caught.value.found == "1200 others, such as samm/006/é 0"
    backend_cache_clear()


@pytest.mark.parametrize(
    ("last", "message"), [("r 3," + "1," * 9 + "1", "twice"), ("x," + "word," * 9 + "1", "no number")]
)
def test_what_is_wrong_far_down_the_file_is_found(tmp_path: Path, last: str, message: str) -> None:
    path = write_landmarks(tmp_path / "points.csv", {f"r {n}": np.ones((5, 2)) for n in range(600)})
    path.write_text(path.read_text(encoding="utf-8") + last + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        backend("precomputed", landmarks=str(path))


def backend_cache_clear() -> None:
    from merprep.faces import backends

    backends._created.__dict__.clear()


@pytest.mark.usefixtures("mesh_weights")
def test_pictures_that_are_registered_already_are_only_resized() -> None:
    frame = render_clip(subject=1, n_frames=1, size=(300, 240)).frames[0]
    face = align(frame, "none")
    np.testing.assert_allclose(face.transform[:, :2], np.eye(2) * 224 / 300, atol=1e-12)
    middle = apply(face.transform, np.array([[149.5, 119.5]]))
    np.testing.assert_allclose(middle, [[111.5, 111.5]], atol=1e-9)
    found = find_face(frame, backend("mesh")).face.landmarks
    np.testing.assert_allclose(apply(inverse(face.transform), face.landmarks.astype(np.float64)), found, atol=1e-3)


@pytest.mark.usefixtures("mesh_weights")
def test_the_person_wanted_is_taken_of_several(astronaut: np.ndarray) -> None:
    import cv2

    face = astronaut[0:240, 100:350]
    small = cv2.resize(face, (125, 120), interpolation=cv2.INTER_AREA)
    three = np.full((240, 520, 3), 128, np.uint8)
    three[:, :250] = face
    three[60:180, 252:377] = small
    three[60:180, 385:510] = small[:, ::-1]
    middles = {}
    for person in ("largest", "central", 0, 1, 2):
        found = align(three, config=AlignConfig(person=person))
        assert found.faces == 3
        middles[person] = found.box.centre[0]
    assert middles["largest"] == middles[0] < 250 < middles["central"] == middles[1] < 377 < middles[2]
    with pytest.raises(FaceError, match="no face number 3"):
        align(three, config=AlignConfig(person=3))
    with pytest.raises(ConfigError, match="person"):
        AlignConfig.read({"person": "tallest"}, where="a test")
