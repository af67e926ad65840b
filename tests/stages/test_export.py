"""Exported features open in the programs that they are for, and come back the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from merprep.bench.same import differences
from merprep.errors import MerprepError, ModelError, StoreError, UsageError
from merprep.records import Clip
from merprep.stages import export, import_htnet_features
from merprep.store import ClipFeatures, FeatureHeader, Workspace, open_features, write_features
from merprep.store.features import RegionSet

CLIPS = (
    Clip("casme2", "sub01", "EP02_01f", person="casme2:1", emotion="happiness", onset=46, notes=("/home/me/x",)),
    Clip("casme2", "sub01", "EP03_02", person="casme2:1", emotion="others"),
    Clip("casme2", "sub02", "EP01_11f", person="casme2:2", emotion="surprise"),
    Clip("samm", "006", "006_1_2", person="samm:6", emotion="Anger", apex=12),
)


def _features(path: Path, clips: tuple[Clip, ...] = CLIPS, size: int = 28) -> Path:
    rng = np.random.default_rng(3)
    sets = {"anatomical": RegionSet(("a", "b", "c", "d"), {})}
    header = FeatureHeader(("u", "v", "strain"), ("px", "px", "1/px"), "none", {"test": 1}, region_sets=sets)

    def arrays() -> ClipFeatures:
        maps = rng.normal(size=(3, size, size)).astype("f4")
        return ClipFeatures(maps, {"anatomical": rng.normal(size=(4, 3, size // 2, size // 2)).astype("f4")})

    write_features(path, header, ((clip, arrays()) for clip in clips), len(clips))
    return path


@pytest.fixture
def features(tmp_path: Path) -> Path:
    (tmp_path / "features").mkdir()
    return _features(tmp_path / "features" / "flow-test.h5")


def test_an_archive_holds_every_clip_and_opens_without_pickle(features: Path, workspace: Workspace) -> None:
    path, report = export(features, "npz", workspace=workspace)
    assert report.counts() == {"in": 4, "done": 4, "skipped": 0, "failed": 0}
    with np.load(path, allow_pickle=False) as archive, open_features(features) as file:
        assert np.array_equal(archive["X"], file.features[:])
        assert np.array_equal(archive["regions_anatomical"], file.regions["anatomical"][:])
        assert archive["y"].tolist() == [1, -1, 2, 0]
        assert archive["groups"].tolist() == ["casme2:1", "casme2:1", "casme2:2", "samm:6"]
        assert archive["classes"].tolist() == ["negative", "positive", "surprise"]


def test_an_archive_of_the_same_features_has_the_same_bytes(features: Path, workspace: Workspace) -> None:
    first, second = (export(features, "npz", workspace.folder / name, workspace=workspace)[0] for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_tables_bring_every_float_back(features: Path, workspace: Workspace) -> None:
    folder, _ = export(features, "csv", workspace=workspace)
    clips = pd.read_csv(folder / "clips.csv", dtype=str, keep_default_na=False)
    table = pd.read_csv(folder / "features.csv", index_col="id").astype("f4")
    assert clips["class"].tolist() == ["positive", "", "surprise", "negative"]
    assert clips["reason"].iloc[1] == "others is none of the three classes"
    assert clips["subject"].iloc[3] == "006"
    with open_features(features) as file:
        assert np.array_equal(table.to_numpy("f4").reshape(4, 3, 28, 28), file.features[:])
        assert table["v_2_5"].iloc[1] == file.features[1, 1, 2, 5]


def test_no_export_holds_a_path_or_a_note(features: Path, workspace: Workspace) -> None:
    folder, _ = export(features, "csv", workspace=workspace)
    archive, _ = export(features, "npz", workspace=workspace)
    assert "/home/me" not in (folder / "clips.csv").read_text(encoding="utf-8")
    assert b"/home/me" not in archive.read_bytes()


def test_the_folders_are_named_as_the_published_scripts_read_them(features: Path, workspace: Workspace) -> None:
    folder, report = export(features, "htnet-folders", workspace=workspace)
    assert report.reasons("skipped") == {"others is none of the three classes": 1}
    folds = folder / "three_norm_u_v_os"
    assert sorted(path.name for path in folds.iterdir()) == ["006", "sub01", "sub02"]
    found = sorted(path.relative_to(folds / "sub01").as_posix() for path in (folds / "sub01").rglob("*.png"))
    assert found == [
        "u_test/1/sub01_EP02_01f .png",
        "u_train/0/006_006_1_2 .png",
        "u_train/2/sub02_EP01_11f .png",
    ]
    image = cv2.imread(str(folds / "006" / "u_test" / "0" / "006_006_1_2 .png"))
    assert image.shape == (28, 28, 3)
    with open_features(features) as file:  # OpenCV reads strain, v, u
        for blue_first, channel in enumerate((2, 1, 0)):
            assert image[..., blue_first].argmax() == file.features[3, channel].argmax()
            assert image[..., blue_first].min() == 0


def test_exported_maps_come_back_through_import_and_then_stay_the_same(features: Path, workspace: Workspace) -> None:
    first, _ = export(features, "htnet-folders", workspace.folder / "first", workspace=workspace)
    imported, report = import_htnet_features(workspace, first)
    assert report.counts() == {"in": 3, "done": 3, "skipped": 0, "failed": 0}
    second, _ = export(imported, "htnet-folders", workspace.folder / "second", workspace=workspace)
    again, _ = import_htnet_features(Workspace(workspace.folder / "again"), second)
    with open_features(imported) as one, open_features(again) as two:
        assert np.array_equal(one.features[:], two.features[:])
        assert one.clips["person"].tolist() == two.clips["person"].tolist() == ["casme2:1", "casme2:2", "samm:6"]
        assert one.clips["emotion"].tolist() == ["positive", "surprise", "negative"]


def test_published_maps_leave_as_they_came(shared_data: Path, workspace: Workspace) -> None:
    source = shared_data / "htnet-features"
    imported, _ = import_htnet_features(workspace, source)
    with open_features(imported) as file:
        kept = file.clips.index[file.clips["subject"].isin(["006", "s01", "sub02"])].tolist()
        clips = tuple(file.records()[index] for index in kept)
        rows = [(clip, file.row(index)) for clip, index in zip(clips, kept, strict=True)]
        write_features(workspace.folder / "few.h5", file.header(), rows, len(rows))
    folder, _ = export(workspace.folder / "few.h5", "htnet-folders", workspace=workspace)
    maps = sorted((folder / "STSNet_whole_norm_u_v_os").iterdir())
    assert len(maps) == len(kept)
    for path in maps:
        before = cv2.imread(str(source / "STSNet_whole_norm_u_v_os" / path.name))
        assert np.array_equal(cv2.imread(str(path)), before)


def test_two_persons_of_one_name_get_two_folds(tmp_path: Path, workspace: Workspace) -> None:
    clips = (
        Clip("casme", "sub01", "a", person="casme:1", emotion="surprise"),
        Clip("casme2", "sub01", "b", person="casme2:1", emotion="surprise"),
    )
    folder, _ = export(_features(tmp_path / "two.h5", clips), "htnet-folders", workspace=workspace)
    folds = sorted(path.name for path in (folder / "three_norm_u_v_os").iterdir())
    assert folds == ["casme2_sub01", "casme_sub01"]


def test_a_person_of_two_databases_is_tested_in_one_fold(tmp_path: Path, workspace: Workspace) -> None:
    clips = (
        Clip("samm", "006", "a", person="samm:6", emotion="surprise"),
        Clip("samm-lv", "6", "b", person="samm:6", emotion="surprise"),
        Clip("samm", "007", "c", person="samm:7", emotion="surprise"),
    )
    folder, _ = export(_features(tmp_path / "two.h5", clips), "htnet-folders", workspace=workspace)
    tested = sorted(path.name for path in (folder / "three_norm_u_v_os" / "006" / "u_test").rglob("*.png"))
    assert tested == ["006_a .png", "6_b .png"]


@pytest.mark.parametrize(
    ("problem", "error", "words"),
    [
        ("size", ModelError, "28 by 28"),
        ("full", StoreError, "holds something already"),
        ("twins", StoreError, "same file name"),
        ("form", UsageError, "htnet-folders"),
    ],
)
def test_what_cannot_be_exported_is_said(
    problem: str, error: type[MerprepError], words: str, tmp_path: Path, workspace: Workspace
) -> None:
    twins = tuple(Clip(name, "1", "a", person=f"{name}:1", emotion="surprise") for name in ("casme", "casme2"))
    path = _features(tmp_path / "f.h5", twins if problem == "twins" else CLIPS, size=32 if problem == "size" else 28)
    out = tmp_path / "out"
    if problem == "full":
        out.mkdir()
        (out / "old.png").touch()
    with pytest.raises(error, match=words):
        export(path, "pdf" if problem == "form" else "htnet-folders", out, workspace=workspace)  # type: ignore[arg-type]


KILLED = """
import os, signal, sys
from merprep.stages import export, export_htnet
from merprep.store import Workspace
written = []
write = export_htnet._write_bytes
def deadly(path, data):
    write(path, data)
    written.append(path)
    if len(written) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
export_htnet._write_bytes = deadly
export(sys.argv[1], "htnet-folders", workspace=Workspace(sys.argv[2]))
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_a_killed_export_leaves_no_half_filled_folder_and_the_next_one_finishes(
    features: Path, workspace: Workspace
) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, features, workspace.folder], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [path.name[:9] for path in (workspace.folder / "exports").iterdir()] == [".merprep-"]
    folder, _ = export(features, "htnet-folders", workspace=workspace)
    assert list((workspace.folder / "exports").iterdir()) == [folder]
    assert len(list(folder.rglob("*.png"))) == 3 + 3 * 3


@pytest.mark.parametrize("to", ["csv", "npz", "htnet-folders"])
def test_an_export_onto_a_full_disk_says_so_and_the_next_one_finishes(
    to: str, features: Path, workspace: Workspace, disk_of: Callable[[str], Path]
) -> None:
    disk = disk_of("1m")
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - 20_000))
    target = disk / "out" / f"x{'.npz' if to == 'npz' else ''}"
    with pytest.raises(StoreError, match="The disk is full") as caught:
        export(features, to, target, workspace=workspace)
    assert "for this file" in str(caught.value.expected)
    assert "free on the disk of" in str(caught.value.found)
    assert not list(disk.rglob(".merprep-*"))
    ballast.unlink()
    export(features, to, target, workspace=workspace)
    undisturbed, _ = export(features, to, workspace=workspace)
    if target.is_dir():
        assert differences(undisturbed, target) == []
    else:
        assert undisturbed.read_bytes() == target.read_bytes()
