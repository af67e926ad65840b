"""A file of clips leads to no other file, and promises no more than it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from merprep.errors import StoreError
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, RegionSet, open_features, write_features
from merprep.store.aligned import AlignedHeader, ClipFaces, open_aligned, write_aligned

CLIP = Clip("samm", "006", "006_1_2", person="samm:6", onset=1, apex=3, offset=5)
ID = CLIP.id


@pytest.fixture
def features(tmp_path: Path) -> Path:
    maps = np.ones((3, 8, 8), np.float32)
    made = ClipFeatures(maps, {"anatomical": np.ones((4, 3, 4, 4), np.float32)}, np.ones((5, 2), np.float32), "d")
    sets = {"anatomical": RegionSet(("a", "b", "c", "d"), {})}
    header = FeatureHeader(
        ("u", "v", "strain"), ("px", "px", "1/px"), "none", {"a": 1}, region_sets=sets, landmark_scheme="five"
    )
    write_features(tmp_path / "features.h5", header, [(CLIP, made)], 1)
    return tmp_path / "features.h5"


@pytest.fixture
def aligned(tmp_path: Path) -> Path:
    faces = ClipFaces(
        frames=np.ones((2, 8, 8), np.uint8), numbers=np.array([1, 3]), stamps=np.ones((2, 2), np.int64),
        landmarks=np.ones((5, 2), np.float32), transform=np.eye(2, 3), score=1.0, residual=0.0, box=np.zeros(4),
        faces=1, reference=1, attempt="as it is",
    )  # fmt: skip
    write_aligned(tmp_path / "aligned.h5", AlignedHeader({"a": 1}, "five"), [(CLIP, faces)])
    return tmp_path / "aligned.h5"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Another file, of the same form, that nobody asked to be read."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["features"] = np.full((1, 3, 8, 8), 42, np.float32)
        file["frames"] = np.full((2, 8, 8), 42, np.uint8)
        file.create_group("aligned/samm/006/006_1_2")["frames"] = file["frames"]
    return tmp_path / "secret.h5"


Spoil = Callable[[h5py.File, Path], None]


def link(name: str, there: str) -> Spoil:
    def spoil(file: h5py.File, secret: Path) -> None:
        del file[name]
        file[name] = h5py.ExternalLink(str(secret), there)

    return spoil


def soft(name: str, there: str) -> Spoil:
    def spoil(file: h5py.File, secret: Path) -> None:
        del file[name]
        file[name] = h5py.SoftLink(there)

    return spoil


def outside(name: str) -> Spoil:
    def spoil(file: h5py.File, secret: Path) -> None:
        shape, kind = file[name].shape, file[name].dtype
        attributes = dict(file[name].attrs)
        del file[name]
        made = file.create_dataset(name, shape, kind, external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
        made.attrs.update(attributes)

    return spoil


def virtual(name: str) -> Spoil:
    def spoil(file: h5py.File, secret: Path) -> None:
        shape, kind = file[name].shape, file[name].dtype
        attributes = dict(file[name].attrs)
        layout = h5py.VirtualLayout(shape, kind)
        layout[:] = h5py.VirtualSource(str(secret), name.rpartition("/")[2], shape, kind)
        del file[name]
        file.create_virtual_dataset(name, layout).attrs.update(attributes)

    return spoil


def huge(name: str) -> Spoil:
    def spoil(file: h5py.File, secret: Path) -> None:
        old = file[name]
        attributes, kind, tail = dict(old.attrs), old.dtype, old.shape[1:]
        del file[name]
        made = file.create_dataset(name, (10**9, *tail), kind, chunks=(1, *tail) if tail else (1,))
        made.attrs.update(attributes)

    return spoil


FEATURES = {
    "a link of the maps": link("features", "/features"),
    "a link of the clips": link("clips", "/clips"),
    "a link of a column": link("clips/id", "/features"),
    "a link of a region set": link("regions/anatomical", "/features"),
    "a link of the landmarks": link("landmarks", "/features"),
    "a link inside the file": soft("features", "/regions/anatomical"),
    "values in another file": outside("features"),
    "values of a column in another file": outside("clips/onset"),
    "a virtual dataset": virtual("features"),
    "terabytes of maps": huge("features"),
    "a thousand million clips": huge("clips/onset"),
    "as many names": huge("clips/id"),
}
ALIGNED = {
    "a link of everything": link("aligned", "/aligned"),
    "a link of a database": link("aligned/samm", "/aligned/samm"),
    "a link of a subject": link("aligned/samm/006", "/aligned/samm/006"),
    "a link of a clip": link(f"aligned/{ID}", f"/aligned/{ID}"),
    "a link of the frames": link(f"aligned/{ID}/frames", "/frames"),
    "frames in another file": outside(f"aligned/{ID}/frames"),
    "virtual frames": virtual(f"aligned/{ID}/frames"),
    "terabytes of frames": huge(f"aligned/{ID}/frames"),
}


def read_everything(path: Path) -> None:
    with open_features(path) as opened:
        opened.records()
        opened.row(0)


@pytest.mark.parametrize("spoil", FEATURES.values(), ids=FEATURES)
def test_a_feature_file_that_leads_elsewhere_is_refused(features: Path, secret: Path, spoil: Spoil) -> None:
    with h5py.File(features, "r+") as file:
        spoil(file, secret)
    with pytest.raises(StoreError, match=r"not hold what it names|not a whole"):
        read_everything(features)


@pytest.mark.parametrize("spoil", ALIGNED.values(), ids=ALIGNED)
def test_a_file_of_aligned_faces_that_leads_elsewhere_is_refused(aligned: Path, secret: Path, spoil: Spoil) -> None:
    with h5py.File(aligned, "r+") as file:
        spoil(file, secret)
    with pytest.raises(StoreError, match=r"not hold what it names|not a whole"), open_aligned(aligned) as opened:
        opened.faces(ID)


def test_files_of_ours_open_as_they_did(features: Path, aligned: Path) -> None:
    with open_features(features) as file:
        assert isinstance(file.features, h5py.Dataset)
        assert file.features[:].shape == (1, 3, 8, 8)
        assert file.features[0, 1].mean() == 1
        assert file.landmarks is not None
        assert file.head is None
        assert file.records() == [CLIP]
    with open_aligned(aligned) as faces:
        assert ID in faces
        assert "samm/006/other" not in faces
        assert faces.frames(ID, [3]).shape == (1, 8, 8)


def test_a_link_to_a_file_is_not_even_looked_at(features: Path, tmp_path: Path) -> None:
    with h5py.File(features, "r+") as file:
        link("landmarks", "/x")(file, tmp_path / "is-not-there.h5")
    with open_features(features) as opened, pytest.raises(StoreError, match="not hold what it names"):
        opened.row(0)
