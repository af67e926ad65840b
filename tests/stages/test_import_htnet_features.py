"""Published maps become a feature file in which every row and every map is accounted for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.errors import DatabaseError, RootNotFoundError, SheetError
from merprep.features import ANATOMICAL, PUBLISHED, mosaic
from merprep.stages import import_htnet_features
from merprep.store import Workspace, open_features


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Lay out a release of three maps and three rows."""
    folder = tmp_path / "release"
    maps = folder / "STSNet_whole_norm_u_v_os"
    maps.mkdir(parents=True)
    lines = ["dataset,sub,filename_o,label,apex,imagename,sub_filename"]
    for level, (database, subject, clip, label) in enumerate(
        [("samm", "006", "006_1_2", 0), ("casme2", "sub01", "EP02_01f", 1), ("smic", "s1", "s1_sur_01", 2)]
    ):
        image = np.zeros((28, 28, 3), np.uint8)
        image[..., 2], image[..., 1], image[..., 0] = 10 + level, 20 + level, 30 + level  # R=u, G=v, B=strain
        cv2.imwrite(str(maps / f"{subject}_{clip} .png"), image)
        lines.append(f"{database},{subject},{clip},{label},,x.jpg,")
    (folder / "combined_3_class2_for_optical_flow.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _list(folder: Path) -> Path:
    return folder / "combined_3_class2_for_optical_flow.csv"


def test_the_channels_of_a_map_are_u_v_strain_from_red_green_blue(release: Path, tmp_path: Path) -> None:
    path, _ = import_htnet_features(Workspace(tmp_path / "ws"), release)
    with open_features(path) as file:
        assert file.channels == ("u", "v", "strain")
        assert file.clips["id"].tolist() == ["casme2/sub01/EP02_01f", "samm/006/006_1_2", "smic/s1/s1_sur_01"]
        assert file.clips["emotion"].tolist() == ["positive", "negative", "surprise"]
        assert file.clips["person"].tolist() == ["casme2:1", "samm:6", "smic:1"]
        assert file.features[0, :, 0, 0].tolist() == [11, 21, 31]
        assert file.landmarks is None
        assert "min-max" in file.normalisation


def test_the_folder_of_maps_may_be_named_itself(release: Path, tmp_path: Path) -> None:
    above, _ = import_htnet_features(Workspace(tmp_path / "ws"), release)
    inside, _ = import_htnet_features(Workspace(tmp_path / "ws"), release / "STSNet_whole_norm_u_v_os")
    assert above == inside


def test_a_row_without_a_map_fails_and_a_map_without_a_row_is_reported(release: Path, tmp_path: Path) -> None:
    maps = release / "STSNet_whole_norm_u_v_os"
    (maps / "006_006_1_2 .png").rename(maps / "nobody_knows .png")
    _, report = import_htnet_features(Workspace(tmp_path / "ws"), release)
    assert report.counts() == {"in": 4, "done": 2, "skipped": 1, "failed": 1}
    assert "006_006_1_2 .png" in report.of_state("failed")[0].reason
    assert report.of_state("skipped")[0].clip_id == "map nobody_knows .png"


def test_a_row_that_comes_twice_or_has_an_unknown_label_fails_with_its_reason(release: Path, tmp_path: Path) -> None:
    with _list(release).open("a", encoding="utf-8") as stream:
        stream.write("samm,006,006_1_2,0,,x.jpg,\ncasme2,sub01,EP99,7,,x.jpg,\n")
    _, report = import_htnet_features(Workspace(tmp_path / "ws"), release)
    assert report.counts() == {"in": 5, "done": 3, "skipped": 0, "failed": 2}
    reasons = " ".join(report.reasons("failed"))
    assert "twice" in reasons
    assert "unknown label '7'" in reasons


def test_a_damaged_map_or_one_of_another_size_fails_alone(release: Path, tmp_path: Path) -> None:
    maps = release / "STSNet_whole_norm_u_v_os"
    (maps / "006_006_1_2 .png").write_bytes(b"not a picture")
    cv2.imwrite(str(maps / "s1_s1_sur_01 .png"), np.zeros((32, 32, 3), np.uint8))
    _, report = import_htnet_features(Workspace(tmp_path / "ws"), release)
    assert report.counts() == {"in": 3, "done": 1, "skipped": 0, "failed": 2}


def test_a_wrong_folder_is_named_with_what_was_looked_for_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(RootNotFoundError) as caught:
        import_htnet_features(Workspace(tmp_path / "ws"), tmp_path / "empty")
    assert "STSNet_whole_norm_u_v_os" in str(caught.value)
    assert "notes.txt" in str(caught.value)
    assert not (tmp_path / "ws").exists()


def test_a_missing_list_or_one_without_columns_is_an_error(release: Path, tmp_path: Path) -> None:
    _list(release).write_text("dataset,sub\nsamm,006\n", encoding="utf-8")
    with pytest.raises(SheetError, match="lacks columns"):
        import_htnet_features(Workspace(tmp_path / "ws"), release)
    _list(release).unlink()
    with pytest.raises(SheetError, match="was not found"):
        import_htnet_features(Workspace(tmp_path / "ws"), release)


def test_a_list_none_of_whose_rows_has_a_map_writes_nothing(release: Path, tmp_path: Path) -> None:
    header = _list(release).read_text(encoding="utf-8").splitlines()[0]
    _list(release).write_text(f"{header}\nsamm,099,099_1_1,0,,x.jpg,\n", encoding="utf-8")
    with pytest.raises(DatabaseError, match="Not one row"):
        import_htnet_features(Workspace(tmp_path / "ws"), release)
    assert not (tmp_path / "ws").exists()


def test_the_released_maps_are_442_clips_of_68_persons(shared_data: Path, tmp_path: Path) -> None:
    path, report = import_htnet_features(Workspace(tmp_path), shared_data / "htnet-features")
    assert report.counts() == {"in": 442, "done": 442, "skipped": 0, "failed": 0}
    with open_features(path) as file:
        assert file.clips["person"].nunique() == 68
        assert file.clips["database"].value_counts().to_dict() == {"smic": 164, "casme2": 145, "samm": 133}
        counts = file.clips.groupby(["database", "emotion"]).size().to_dict()
        assert counts["casme2", "negative"] == 88
        assert counts["samm", "positive"] == 26
        assert counts["smic", "surprise"] == 43
        # Every channel of every image spans 0 to 255: the per-image min-max that the file records.
        assert file.features[:].min(axis=(2, 3)).max() == 0
        assert file.features[:].max(axis=(2, 3)).min() == 255
        # Means of OpenCV's order (strain, v, u) measured on the release: 25, 135, 126.
        np.testing.assert_allclose(file.features[:].mean(axis=(0, 2, 3)), [126, 135, 25], atol=1)
        regions = {name: data[0] for name, data in file.regions.items()}
        assert mosaic(regions[PUBLISHED]).shape == (3, 28, 28)
        assert regions[ANATOMICAL].shape == (4, 3, 14, 14)
