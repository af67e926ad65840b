"""What the flow stage may be asked for beside its defaults: presets, head motion, eyes, pairs, averages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from merprep.errors import ConfigError, UnknownNameError
from merprep.features import FlowConfig, flow_preset, flow_presets
from merprep.flow import estimate, to_grey
from merprep.stages import flow, ingest
from merprep.store import Workspace, open_features
from merprep.store.aligned import open_aligned
from merprep.synthetic import write_database


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, mesh_weights: list[Path]) -> Workspace:
    """Ingest a rendered database of three clips of nine frames."""
    folder = tmp_path_factory.mktemp("options")
    write_database("casme2", folder / "raw", subjects=1, clips_per_class=1, frame_size=(240, 200), n_frames=9)
    workspace = Workspace(folder / "study")
    ingest(workspace, "casme2", folder / "raw")
    return workspace


def _maps(study: Workspace, config: FlowConfig) -> tuple[np.ndarray, FlowConfig]:
    path, report = flow(study, config, jobs=1)
    assert report.counts()["done"] == 3
    with open_features(path) as file:
        assert file.config == config.model_dump(mode="json")
        return file.features[:], config


@pytest.mark.parametrize("name", [name for name in flow_presets() if name != "steady"])
def test_every_preset_makes_a_file_that_says_so(study: Workspace, name: str) -> None:
    maps, config = _maps(study, flow_preset(name))
    assert maps.shape == (3, len(config.channels), 28, 28)
    assert np.isfinite(maps).all()
    assert maps.any()


def test_presets_can_be_changed_and_wrong_ones_are_refused() -> None:
    assert flow_preset("opencv", size=56).size == 56
    assert flow_preset("ststnet", method="tvl1") == FlowConfig(head_motion="none")
    with pytest.raises(UnknownNameError, match="stedy"):
        flow_preset("stedy")
    with pytest.raises(ConfigError, match="stored size"):
        flow_preset("htnet-casme3", size=56)


def test_without_head_motion_less_is_left_at_the_edge_of_the_face(study: Workspace) -> None:
    kept, _ = _maps(study, FlowConfig(channels=("u", "v"), head_motion="none"))
    removed, _ = _maps(study, FlowConfig(channels=("u", "v"), head_motion="similarity"))
    rim = np.ones((28, 28), bool)
    rim[3:-3, 3:-3] = False
    assert np.abs(removed[..., rim]).mean() < 0.35 * np.abs(kept[..., rim]).mean()


def test_the_file_keeps_the_motion_of_each_head_that_was_removed(study: Workspace) -> None:
    path, _ = flow(study, FlowConfig(channels=("u", "v"), head_motion="similarity"))
    plain, _ = flow(study, FlowConfig(channels=("u", "v"), head_motion="none"))
    with open_features(path) as file, open_features(plain) as without:
        heads = np.asarray(file.head)
        assert without.head is None
        assert heads.shape == (len(file), 2, 3)
        # What was taken out is, at the middle of the face, what moved it where nothing was taken out.
        middle = np.einsum("nij,j->ni", heads, [112.0, 112.0, 1.0]) - 112.0
        rim = np.ones((28, 28), bool)
        rim[3:-3, 3:-3] = False
        moved = np.asarray(without.features)[..., rim].mean(axis=-1)
        assert np.abs(middle - moved).max() < 0.5


def test_masked_eyes_have_no_flow_and_all_else_is_unchanged(study: Workspace) -> None:
    kept, _ = _maps(study, FlowConfig(size=112))
    masked, _ = _maps(study, FlowConfig(size=112, mask_eyes=True))
    zero = (masked[:, 0] == 0) & (kept[:, 0] != 0)
    assert 0.01 < zero.mean() < 0.1
    changed = kept[:, 0] != masked[:, 0]
    assert changed.mean() < zero.mean() + 0.05


def test_further_region_sets_stand_in_the_file_with_their_names_and_places(study: Workspace) -> None:
    config = flow_preset(regions=("action-units", "grid-5x5"), size=56)
    path, _ = flow(study, config, jobs=1)
    with open_features(path) as file:
        assert list(file.regions) == ["action-units", "anatomical", "grid-5x5", "htnet-published"]
        assert file.regions["action-units"].shape == (3, 17, 3, 14, 14)
        assert file.region_sets["action-units"].names[0] == "image_left_inner_brow"
        assert file.region_sets["action-units"].geometry["edges"] == "exact"
        grid = file.regions["grid-5x5"][:].mean(axis=(1, 3, 4))
        np.testing.assert_allclose(grid, file.features[:].mean(axis=(2, 3)), atol=1e-5)


def test_apex_to_offset_runs_back(study: Workspace) -> None:
    forth, _ = _maps(study, FlowConfig(channels=("u", "v"), head_motion="similarity"))
    back, _ = _maps(study, FlowConfig(channels=("u", "v"), head_motion="similarity", pair="apex-offset"))
    assert float((forth * back).sum()) < 0


def test_averaged_frames_are_those_around_both(study: Workspace) -> None:
    maps, config = _maps(study, FlowConfig(average=1, size=224, channels=("u", "v"), head_motion="none"))
    with open_aligned(study.aligned_path(config.align.config_id())) as file:
        clip = file.records()[0]
        assert clip.onset is not None
        assert clip.apex is not None
        onset, apex = (
            to_grey(file.frames(clip.id, numbers)).mean(axis=0, dtype=np.float32)
            for numbers in ([clip.onset, clip.onset + 1], [clip.apex - 1, clip.apex, clip.apex + 1])
        )
    np.testing.assert_allclose(maps[0], estimate(onset, apex), atol=1e-5)


def test_an_angle_is_that_of_the_averaged_flow(study: Workspace) -> None:
    maps, _ = _maps(study, FlowConfig(channels=("u", "v", "orientation", "magnitude")))
    np.testing.assert_allclose(maps[:, 2], np.arctan2(maps[:, 1], maps[:, 0]), atol=1e-5)
    assert (maps[:, 3] >= np.hypot(maps[:, 0], maps[:, 1]) - 1e-5).all()
