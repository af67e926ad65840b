"""What a network that sees pictures is given of a clip, from the file of aligned faces."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from merprep.errors import ConfigError, ModelError, StoreError
from merprep.models import InputSpec, preset
from merprep.records import Clip
from merprep.store import Workspace
from merprep.store.aligned import AlignedHeader, ClipFaces, open_aligned, write_aligned
from merprep.training import Augmentation, FeatureDataset, newest_input, predict, train
from merprep.training.pictures import key_frames
from merprep.training.preparing import Preparation, changed
from merprep.training.sources import open_source

SIDE = 24
VIDEO = InputSpec(
    representation="frames:6+onset+apex", channels=("r", "g", "b"), normalisation="imagenet", size=SIDE
)  # fmt: skip
APEX = InputSpec(representation="apex", channels=("gray",), size=SIDE)
Row = tuple[Clip, Sequence[int]]


def _clip(name: str, onset: int | None, apex: int | None, offset: int | None, *, person: int = 1) -> Clip:
    emotion = ("happiness", "surprise", "disgust")[sum(map(ord, name)) % 3]
    return Clip(
        "casme2", f"sub{person:02d}", name, person=f"casme2:{person}", onset=onset, apex=apex, offset=offset,
        emotion=emotion,
    )  # fmt: skip


def _frames(numbers: Sequence[int], *, colour: bool = True) -> np.ndarray:
    """Frames whose red is their number, and whose blue and green are 1 and 2."""
    shape = (len(numbers), SIDE, SIDE, 3) if colour else (len(numbers), SIDE, SIDE)
    frames = np.empty(shape, np.uint8)
    if not colour:
        return np.asarray(numbers, np.uint8)[:, None, None] + np.zeros((SIDE, SIDE), np.uint8)
    frames[..., 0], frames[..., 1] = 1, 2
    frames[..., 2] = np.array(numbers)[:, None, None]
    return frames


@pytest.fixture
def make_aligned(tmp_path: Path) -> Callable[..., Path]:
    def make(rows: Sequence[Row], *, colour: bool = True, noise: int = 0, name: str = "aligned.h5") -> Path:
        rng = np.random.default_rng(0)
        made = []
        for clip, numbers in rows:
            frames = _frames(numbers, colour=colour)
            if noise:
                frames = rng.integers(0, noise, frames.shape, np.uint8)
            faces = ClipFaces(
                frames, np.array(numbers), np.zeros((len(numbers), 2), np.int64), np.zeros((3, 2), np.float32),
                np.eye(2, 3), 1.0, 0.0, np.zeros(4), 1, numbers[0], "as it is",
            )  # fmt: skip
            made.append((clip, faces))
        path = tmp_path / "aligned" / name
        write_aligned(path, AlignedHeader({"made": name}, "none"), made)
        return path

    return make


def _reds(path: Path, spec: InputSpec, row: int = 0) -> list[int]:
    source = open_source(path, spec)
    stored = source.read([row])[0]
    source.close()
    return stored[0, :, 0, 0].tolist()


def test_six_frames_are_spread_evenly_then_onset_and_apex_follow(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 14, 20), range(8, 30))])
    assert _reds(path, VIDEO) == [10, 12, 14, 16, 18, 20, 10, 14]


def test_no_frame_behind_the_window_is_taken(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 14, 200), range(10, 201))])
    assert _reds(path, VIDEO)[5] == 60
    assert _reds(path, VIDEO.model_copy(update={"window": 5}))[:6] == [10, 11, 12, 13, 14, 15]


def test_short_clips_repeat_their_ends_or_stay_black(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 11, 12), range(10, 13))])
    assert _reds(path, VIDEO) == [10, 10, 11, 12, 12, 12, 10, 11]
    assert _reds(path, VIDEO.model_copy(update={"padding": "zeros"})) == [0, 10, 11, 12, 0, 0, 10, 11]


@pytest.mark.parametrize(
    ("annotated", "mended"),
    [
        ((10, 8, 20), (10, 10, 20)),
        ((10, 30, 20), (10, 15, 20)),
        ((10, 12, 8), (10, 10, 10)),
        ((10, 12, None), (10, 12, 25)),
    ],
)
def test_key_frames_out_of_order_are_mended_as_published(
    annotated: tuple[int, int, int | None], mended: tuple[int, int, int]
) -> None:
    assert key_frames(_clip("a", *annotated), range(5, 26)) == mended


def test_colours_are_red_green_blue_and_grey_is_what_the_eye_sees(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 200, 220), range(10, 221))])
    source = open_source(path, VIDEO)
    assert source.read([0])[0][:, -1, 0, 0].tolist() == [200, 2, 1]
    source.close()
    grey = open_source(path, APEX)
    assert grey.read([0]).shape == (1, 1, SIDE, SIDE)
    assert grey.read([0])[0, 0, 3, 3] == round(0.299 * 200 + 0.587 * 2 + 0.114)
    grey.close()


def test_grey_files_are_given_in_three_equal_colours(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 14, 20), range(10, 21))], colour=False)
    source = open_source(path, VIDEO)
    stored = source.read([0])[0]
    assert stored.dtype == np.uint8
    assert (stored == stored[:1]).all()
    source.close()


def test_a_file_of_key_frames_is_refused_with_the_command_that_makes_the_others(
    make_aligned: Callable[..., Path],
) -> None:
    path = make_aligned([(_clip("a", 10, 14, 20), (10, 14, 20))])
    with pytest.raises(ModelError, match="merprep align --frames all"):
        FeatureDataset(path, spec=VIDEO)
    assert len(FeatureDataset(path, spec=APEX)) == 1


def test_a_clip_without_an_apex_is_left_out_with_its_reason(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 14, 20), range(10, 21)), (_clip("b", 10, None, 20), range(10, 21))])
    dataset = FeatureDataset(path, spec=APEX)
    assert len(dataset) == 1
    assert dataset.skipped == {"it has no apex frame": 1}


def test_a_feature_file_is_no_file_of_aligned_faces(make_features: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"this is a feature file[\s\S]*merprep align --frames all"):
        FeatureDataset(make_features(), spec=VIDEO)
    with pytest.raises(StoreError, match="merprep align"):
        newest_input(Workspace(tmp_path / "empty"), "micro-attention")


def test_a_file_of_aligned_faces_is_no_feature_file(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 14, 20), range(10, 21))])
    with pytest.raises(StoreError, match="file of aligned faces, and flow is asked for"):
        FeatureDataset(path)
    with pytest.raises(StoreError, match="does not exist"):
        FeatureDataset(path.with_name("nothing.h5"))


def test_the_newest_file_of_the_right_kind_is_found(make_aligned: Callable[..., Path], tmp_path: Path) -> None:
    path = make_aligned([(_clip("a", 10, 14, 20), range(10, 21))])
    assert newest_input(Workspace(tmp_path), "hsta") == path
    assert Workspace(tmp_path).latest_aligned() == path
    with pytest.raises(StoreError, match="no feature file"):
        newest_input(Workspace(tmp_path), "htnet")


def test_an_item_is_what_the_network_sees_and_the_store_stays_uint8(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 14, 20), range(10, 21))])
    dataset = FeatureDataset(path, spec=VIDEO)
    item, _ = pickle.loads(pickle.dumps(dataset))[0]
    assert item.dtype == torch.float32
    assert item.shape == (3, 8, SIDE, SIDE)
    assert item[0, 6, 0, 0].item() == pytest.approx((10 / 255 - 0.485) / 0.229, rel=1e-5)
    assert dataset.images().dtype == np.uint8
    dataset.close()


def test_the_onset_is_zero_where_it_is_taken_away(make_aligned: Callable[..., Path]) -> None:
    path = make_aligned([(_clip("a", 10, 14, 20), range(10, 21))])
    item = FeatureDataset(path, spec=VIDEO.model_copy(update={"normalisation": "onset-difference"}))[0][0]
    assert not item[:, 6].any()
    assert item[0, 7, 0, 0].item() == pytest.approx(0.4)
    assert not item[1:].any()


def test_random_frames_are_drawn_anew_in_order_and_never_twice(make_aligned: Callable[..., Path]) -> None:
    spec = VIDEO.model_copy(update={"sampling": "random", "normalisation": "none"})
    path = make_aligned([(_clip("a", 10, 14, 30), range(10, 31)), (_clip("b", 10, 11, 12), range(10, 13))])
    stored = torch.from_numpy(FeatureDataset(path, spec=spec).images())
    torch.manual_seed(0)
    seen = set()
    for _ in range(60):
        prepared = Preparation(spec)(stored)[:, 0, :, 0, 0]
        video = prepared[0, :6].tolist()
        assert video == sorted(set(video))
        seen |= set(video)
        assert prepared[0, 6:].tolist() == [10, 14]
        assert prepared[1].tolist() == [10, 10, 11, 12, 12, 12, 10, 11]
    assert seen == set(range(10, 31))
    black = Preparation(spec.model_copy(update={"padding": "zeros"}))(stored)[1, 0, :, 0, 0]
    assert black.tolist() == [0, 10, 11, 12, 0, 0, 10, 11]


def test_pieces_are_cut_at_random_in_training_only() -> None:
    spec = APEX.model_copy(update={"train_size": 30})
    ramp = torch.arange(SIDE, dtype=torch.uint8).expand(8, 1, SIDE, SIDE)
    prepared = Preparation(spec)
    assert torch.equal(prepared(ramp), ramp.float())
    torch.manual_seed(0)
    pieces = prepared(ramp, training=True)
    assert pieces.shape == (8, 1, SIDE, SIDE)
    assert len(set(pieces[:, 0, 0, 0].tolist())) > 2


def test_faces_are_mirrored_turned_and_brightened() -> None:
    picture = torch.zeros(1, 1, 9, 9)
    picture[0, 0, 4, 7] = 100
    torch.manual_seed(0)
    assert changed(picture, Augmentation(flip=1))[0, 0, 4, 1] == 100
    turned = torch.stack([changed(picture, Augmentation(rotation=90)) for _ in range(200)])
    assert 80 < turned.sum(dim=(1, 2, 3, 4)).min() <= turned.sum(dim=(1, 2, 3, 4)).max() < 120
    assert (turned[:, 0, 0, 4, 7] > 50).float().mean() < 0.5
    values = torch.stack([changed(picture, Augmentation(brightness=10))[0, 0, 0, 0] for _ in range(300)])
    assert -10 <= values.min() < -8
    assert 8 < values.max() <= 10


@pytest.mark.parametrize(
    "values",
    [
        {"representation": "apex", "channels": ("gray",)},
        {"representation": "apex", "channels": ("u",), "size": 8},
        {"representation": "apex", "channels": ("gray",), "size": 8, "train_size": 4},
        {"representation": "apex", "channels": ("gray",), "size": 8, "normalisation": "onset-difference"},
        {"representation": "apex", "channels": ("gray",), "size": 8, "normalisation": "minmax-255"},
        {"representation": "map", "channels": ("u",), "size": 8},
        {"representation": "frames:0+onset+apex", "channels": ("gray",), "size": 8},
    ],
)
def test_inputs_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        InputSpec.read(values, where="a test")


@pytest.fixture
def three_persons(make_aligned: Callable[..., Path]) -> Path:
    rows = [(_clip(name, 10, 14, 20, person=person), range(10, 21)) for person in (1, 2, 3) for name in "abcdef"]
    return make_aligned(rows, noise=255)


@pytest.mark.parametrize("model", ["hsta", "micro-attention"])
def test_networks_that_see_pictures_train_and_predict(three_persons: Path, tmp_path: Path, model: str) -> None:
    chosen = preset(model, "tiny")
    changes = {"image_size": SIDE} | ({"patch_size": [12, 12], "modules": 1} if model == "hsta" else {"widths": [2, 4]})
    wide = {"train_size": 28} if model == "micro-attention" else {}
    small = chosen.model_copy(
        update={
            "architecture": {**chosen.architecture, **changes},
            "input": chosen.input.model_copy(update={"size": SIDE, **wide}),
        }
    )
    settings = {"model": model, "preset": small, "epochs": 2, "jobs": 1}
    result = train(three_persons, run_folder=tmp_path / "run", final=True, **settings)
    again = train(three_persons, run_folder=tmp_path / "again", **settings)
    assert result.full["n"] == 18
    assert result.predictions.equals(again.predictions)
    assert result.start == "from scratch"
    table = predict(tmp_path / "run", three_persons)
    with open_aligned(three_persons) as file:
        assert table["id"].tolist() == file.clips["id"].tolist()
    assert np.allclose(table.filter(like="probability_").sum(axis=1), 1, atol=1e-4)


def test_changes_for_pictures_are_refused_for_maps(make_features: Callable[..., Path], tmp_path: Path) -> None:
    chosen = preset("ststnet", "sanity")
    bright = chosen.model_copy(update={"recipe": {**chosen.recipe, "augmentation": {"brightness": 5}}})
    with pytest.raises(ModelError, match="brightness"):
        train(make_features(), model="ststnet", preset=bright, run_folder=tmp_path / "run")
