"""The feature file explains itself, and is whole or not there."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from merprep.errors import StoreError
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, RegionSet, open_features, write_features

HEADER = FeatureHeader(
    channels=("u", "v", "strain"),
    units=("px", "px", "1/px"),
    normalisation="none",
    config={"method": "tvl1", "size": 8},
    inputs={"manifest": "abc"},
    region_sets={"anatomical": RegionSet(("image_left_eye", "image_right_eye"), {"size": 4})},
    landmark_scheme="mesh-478",
)


def rows(count, size=8, seed=0):
    rng = np.random.default_rng(seed)
    for index in range(count):
        clip = Clip("casme2", "sub01", f"EP{index}", person="casme2:1", onset=index, fps=200.0, notes=("é; ü", "x"))
        features = ClipFeatures(
            rng.normal(size=(3, size, size)).astype(np.float32),
            {"anatomical": rng.normal(size=(2, 3, size // 2, size // 2)).astype(np.float32)},
            rng.normal(size=(5, 2)).astype(np.float32),
            f"digest {index}",
        )
        yield clip, features


def test_a_feature_file_gives_back_what_was_written(tmp_path):
    path = tmp_path / "flow-x.h5"
    write_features(path, HEADER, rows(3), 3)
    with open_features(path) as file:
        assert file.header() == HEADER
        assert len(file) == 3
        for index, (clip, features) in enumerate(rows(3)):
            row = file.row(index)
            np.testing.assert_array_equal(row.features, features.features)
            np.testing.assert_array_equal(row.regions["anatomical"], features.regions["anatomical"])
            np.testing.assert_array_equal(row.landmarks, features.landmarks)
            assert file.records()[index].id == clip.id
            assert file.records()[index].apex is None


def test_the_motion_of_the_head_is_kept_exactly_and_absent_where_none_was_removed(tmp_path):
    head = np.array([[1.0, -1 / 3, 2.0], [1 / 3, 1.0, 1e-9]])
    moved = [(clip, replace(features, head=head * index)) for index, (clip, features) in enumerate(rows(3))]
    write_features(tmp_path / "moved.h5", HEADER, moved, 3)
    write_features(tmp_path / "still.h5", HEADER, rows(3), 3)
    with open_features(tmp_path / "moved.h5") as file:
        np.testing.assert_array_equal(file.head, [0 * head, head, 2 * head])
        np.testing.assert_array_equal(file.row(2).head, 2 * head)
        assert "first" in file.head.attrs["meaning"]
    with open_features(tmp_path / "still.h5") as file:
        assert file.head is None
        assert file.row(2).head is None


def test_a_feature_file_opens_with_plain_h5py(tmp_path):
    path = tmp_path / "flow-x.h5"
    write_features(path, HEADER, rows(2), 2)
    with h5py.File(path) as file:
        assert list(file["features"].attrs["channels"]) == ["u", "v", "strain"]
        assert file["features"].dtype == np.float32
        assert file["features"].chunks == (1, 3, 8, 8)
        assert file["clips/id"].asstr()[1] == "casme2/sub01/EP1"
        assert file["clips/apex"][0] == -1


def test_the_same_clips_give_the_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        write_features(tmp_path / name, HEADER, rows(2), 2)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_clips_of_another_shape_are_refused_and_nothing_is_left(tmp_path):
    mixed = [*rows(1), *rows(1, size=16)]
    with pytest.raises(StoreError, match="one shape"):
        write_features(tmp_path / "flow-x.h5", HEADER, mixed, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_clips_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no clip"):
        write_features(tmp_path / "flow-x.h5", HEADER, [], 0)


@pytest.mark.parametrize("damage", [b"", b"not HDF5", None])
def test_a_missing_or_damaged_file_is_one_clear_error(tmp_path, damage):
    path = tmp_path / "flow-x.h5"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(StoreError, match=r"does not exist|cannot be opened"):
        open_features(path)


def test_another_hdf5_file_is_not_taken_for_a_feature_file(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["data"] = [1, 2]
    with pytest.raises(StoreError, match="not a whole feature file"):
        open_features(path)


def test_a_file_of_a_newer_merprep_is_refused(tmp_path):
    path = tmp_path / "flow-x.h5"
    write_features(path, HEADER, rows(1), 1)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(StoreError, match="newer"):
        open_features(path)
