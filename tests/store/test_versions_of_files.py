"""Every kind of file says which version it is: older ones open, newer ones are refused with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from merprep.errors import MerprepError, StoreError
from merprep.records import Clip
from merprep.store import (
    ClipFeatures,
    FeatureHeader,
    Manifest,
    Workspace,
    open_features,
    read_manifest,
    write_features,
    write_manifest,
)
from merprep.store.aligned import AlignedHeader, ClipFaces, open_aligned, write_aligned
from merprep.store.schema import checked_version
from merprep.training.stored import read_run

CLIP = Clip("samm", "006", "006_1_2", person="samm:6", onset=1, apex=3, offset=5, emotion="happiness")


@pytest.fixture
def features(tmp_path: Path) -> Path:
    header = FeatureHeader(("u",), ("px",), "none", {"a": 1})
    write_features(tmp_path / "flow.h5", header, [(CLIP, ClipFeatures(np.ones((1, 4, 4), np.float32)))], 1)
    return tmp_path / "flow.h5"


@pytest.fixture
def aligned(tmp_path: Path) -> Path:
    faces = ClipFaces(
        frames=np.ones((2, 8, 8), np.uint8), numbers=np.array([1, 3]), stamps=np.ones((2, 2), np.int64),
        landmarks=np.ones((5, 2), np.float32), transform=np.eye(2, 3), score=1.0, residual=0.0, box=np.zeros(4),
        faces=1, reference=1, attempt="as it is",
    )  # fmt: skip
    write_aligned(tmp_path / "aligned.h5", AlignedHeader({"a": 1}, "five"), [(CLIP, faces)])
    return tmp_path / "aligned.h5"


def test_newer_files_of_clips_are_refused(features: Path, aligned: Path) -> None:
    for path, opened in ((features, open_features), (aligned, open_aligned)):
        with h5py.File(path, "r+") as file:
            file.attrs["schema_version"] = 2
        with pytest.raises(StoreError, match="newer merprep") as caught:
            opened(path)
        assert caught.value.found == "2"
        assert "upgrade" in str(caught.value.mend)


def test_files_of_clips_from_before_versions_open(features: Path, aligned: Path) -> None:
    for path in (features, aligned):
        with h5py.File(path, "r+") as file:
            del file.attrs["schema_version"]
            for name in ("variant", "objective_source", "errata", "notes", "fps"):
                del file["clips"][name]
    with open_features(features) as file:
        assert file.records() == [CLIP]
    with open_aligned(aligned) as faces:
        assert faces.frames(CLIP.id).shape == (2, 8, 8)


def test_a_version_that_is_no_number_is_damage(features: Path) -> None:
    with h5py.File(features, "r+") as file:
        file.attrs["schema_version"] = "one"
    with pytest.raises(StoreError, match="no readable version"):
        open_features(features)


def rewritten(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_a_newer_manifest_is_refused(workspace: Workspace) -> None:
    write_manifest(workspace, Manifest((CLIP,)))
    rewritten(workspace.sidecar_path, schema_version=2)
    with pytest.raises(StoreError, match="newer merprep"):
        read_manifest(workspace)


def test_an_older_manifest_opens_without_the_columns_that_came_later(workspace: Workspace) -> None:
    write_manifest(workspace, Manifest((CLIP,)))
    workspace.manifest_path.write_text(
        "id,database,subject,clip,person,frames,frame_numbers,onset,apex,offset,emotion\n"
        "samm/006/006_1_2,samm,006,006_1_2,samm:6,,,1,3,5,happiness\n",
        encoding="utf-8",
    )
    with pytest.raises(StoreError, match="lacks columns"):
        read_manifest(workspace)
    rewritten(workspace.sidecar_path, schema_version=0)
    assert read_manifest(workspace).clips == (CLIP,)


def test_a_newer_run_is_refused_and_an_older_one_opens(tmp_path: Path) -> None:
    scores = {"model": "svm", "preset": "published", "classes": ["a", "b"], "protocol": "loso",
              "selection": "last", "full": {"uf1": 0.5, "uar": 0.5, "accuracy": 0.5, "n": 1}}  # fmt: skip
    path = tmp_path / "scores.json"
    (tmp_path / "predictions.csv").write_text("id,person,database,seed,truth,prediction\nx,y,z,0,a,b\n")
    path.write_text(json.dumps(scores), encoding="utf-8")
    assert read_run(tmp_path).classes == ("a", "b")
    path.write_text(json.dumps({"schema_version": 2, **scores}), encoding="utf-8")
    with pytest.raises(MerprepError, match="newer merprep"):
        read_run(tmp_path)


@pytest.mark.parametrize("found", ["x", [], {}, float("nan"), float("inf")])
def test_nonsense_is_no_version(found: object) -> None:
    with pytest.raises(StoreError, match="no readable version"):
        checked_version(found, 1, what="The run", where="")
