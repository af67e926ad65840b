"""The flow stage: every clip accounted for, kept where nothing changed, and the true motion found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.errors import DeviceError, StoreError
from merprep.features import FlowConfig
from merprep.flow import estimate, strain, to_grey
from merprep.stages import flow, ingest
from merprep.stages.runner import KEPT
from merprep.store import Manifest, Workspace, open_features, read_manifest, write_manifest
from merprep.store.aligned import open_aligned
from merprep.synthetic import render_clip, write_database

pytestmark = pytest.mark.usefixtures("mesh_weights")


@pytest.fixture
def study(tmp_path: Path) -> Workspace:
    """Ingest a rendered database of three clips."""
    write_database("casme2", tmp_path / "raw", subjects=1, clips_per_class=1, frames="key", frame_size=(240, 200))
    workspace = Workspace(tmp_path / "study")
    ingest(workspace, "casme2", tmp_path / "raw")
    return workspace


def _change(workspace: Workspace, index: int, **values: object) -> str:
    manifest = read_manifest(workspace)
    clips = list(manifest.clips)
    clips[index] = replace(clips[index], **values)  # type: ignore[arg-type]
    write_manifest(workspace, Manifest(tuple(clips), manifest.sources))
    return clips[index].id


def test_the_file_holds_channels_regions_and_landmarks_of_every_clip(study: Workspace) -> None:
    config = FlowConfig(head_motion="none")
    path, report = flow(study, config, jobs=1)
    assert report.counts() == {"in": 3, "done": 3, "skipped": 0, "failed": 0}
    with open_features(path) as file:
        assert path == study.features_path("flow", config.config_id())
        assert file.channels == ("u", "v", "strain")
        assert file.normalisation == "none"
        assert file.features.shape == (3, 3, 28, 28)
        assert {name: data.shape for name, data in file.regions.items()} == {
            "anatomical": (3, 4, 3, 14, 14),
            "htnet-published": (3, 4, 3, 14, 14),
        }
        assert file.landmarks is not None
        assert file.landmarks.shape[::2] == (3, 2)
        assert file.config == config.model_dump(mode="json")
        assert np.isfinite(file.features[:]).all()
        aligned = study.aligned_path(file.inputs["aligned"])
    with open_features(path) as file, open_aligned(aligned) as faces:
        clip = file.records()[1]
        onset, apex = to_grey(faces.frames(clip.id, [clip.onset, clip.apex]))  # type: ignore[list-item]
        field = estimate(onset, apex)
        blocks = np.concatenate([field, strain(field)[None]]).reshape(3, 28, 8, 28, 8).mean(axis=(2, 4))
        np.testing.assert_allclose(file.features[1], blocks, atol=1e-5)


def test_a_second_run_keeps_everything_and_leaves_the_file_alone(study: Workspace) -> None:
    path, _ = flow(study, jobs=1)
    before = path.stat().st_mtime_ns
    again, report = flow(study, jobs=1)
    assert again == path
    assert {outcome.reason for outcome in report.outcomes} == {"kept from before"}
    assert path.stat().st_mtime_ns == before


def test_a_clip_whose_apex_moved_is_computed_again_and_the_others_are_kept(study: Workspace) -> None:
    path, _ = flow(study, jobs=1)
    with open_features(path) as file:
        before = file.features[:]
    offset = read_manifest(study).clips[0].offset
    _change(study, 0, apex=offset)
    _, report = flow(study, jobs=1)
    assert [outcome.reason for outcome in report.outcomes] == ["", "kept from before", "kept from before"]
    with open_features(path) as file:
        assert (file.features[0] != before[0]).any()
        np.testing.assert_array_equal(file.features[1:], before[1:])
        assert file.records()[0].apex == offset


def test_another_onset_is_another_transform_for_flow_from_apex_to_offset_too(study: Workspace) -> None:
    config = FlowConfig(pair="apex-offset", head_motion="none")
    path, _ = flow(study, config, jobs=1)
    manifest = read_manifest(study)
    clip = manifest.clips[0]
    assert clip.onset is not None
    file = manifest.root_of(clip) / clip.frames.path(clip.onset)
    cv2.imwrite(str(file), np.roll(cv2.imread(str(file)), 7, axis=1))
    _, report = flow(study, config, jobs=1)
    assert [outcome.reason.endswith(KEPT) for outcome in report.outcomes] == [False, True, True]
    with open_features(path) as features, open_aligned(study.aligned_path(config.align.config_id())) as faces:
        np.testing.assert_allclose(features.landmarks[0], faces.landmarks(clip.id), atol=1e-4)


def test_clips_that_lack_what_flow_needs_are_skipped_with_the_reason(study: Workspace) -> None:
    _change(study, 0, apex=None, apex_source="none")
    _change(study, 1, apex=9999)
    _, report = flow(study, jobs=1)
    assert report.counts() == {"in": 3, "done": 1, "skipped": 2, "failed": 0}
    assert report.outcomes[0].reason == "it has no apex"
    assert "file of its apex is missing" in report.outcomes[1].reason


def test_an_apex_that_is_the_onset_gives_zero_flow_and_says_so(study: Workspace) -> None:
    _change(study, 2, apex=read_manifest(study).clips[2].onset)
    path, report = flow(study, jobs=1)
    assert "same frame" in report.outcomes[2].reason
    with open_features(path) as file:
        assert not file.features[2].any()


def test_when_no_clip_can_be_computed_nothing_is_written(study: Workspace) -> None:
    for index in range(3):
        _change(study, index, apex=None, apex_source="none")
    with pytest.raises(StoreError, match="Not one clip") as caught:
        flow(study, jobs=1)
    assert "it has no apex" in str(caught.value)
    assert not (study.folder / "features").exists()


def test_a_device_without_an_engine_is_refused_before_anything_runs(study: Workspace) -> None:
    with pytest.raises(DeviceError):
        flow(study, FlowConfig(method="farneback"), device="cuda")
    assert not (study.folder / "aligned").exists()


def test_two_workers_give_what_one_gives(study: Workspace) -> None:
    path, _ = flow(study, jobs=1)
    with open_features(path) as file:
        alone = file.features[:]
    path.unlink()
    path, _ = flow(study, jobs=2)
    with open_features(path) as file:
        np.testing.assert_array_equal(file.features[:], alone)


@pytest.mark.parametrize("emotion", ["happiness", "negative", "surprise"])
def test_the_motion_of_a_rendered_clip_is_found_with_its_sign(emotion: str) -> None:
    clip = render_clip(emotion, size=(224, 224), amplitude=1.5, head_drift=0.0, seed=3)
    found = estimate(to_grey(clip.frames[clip.onset]), to_grey(clip.frames[clip.apex]))
    error = np.hypot(*(found - clip.flow)).mean() / np.hypot(*clip.flow).mean()
    assert error < 0.5


@pytest.mark.gpu
def test_a_gpu_computes_the_same_features_and_is_named_in_the_file(study: Workspace) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")
    path, _ = flow(study, jobs=1, device="cpu")
    with open_features(path) as file:
        expected = file.features[:]
    path.unlink()
    path, report = flow(study, device="cuda")
    assert report.counts()["done"] == 3
    with open_features(path) as file:
        assert file.device == f"cuda ({torch.cuda.get_device_name()})"
        np.testing.assert_allclose(file.features[:], expected, atol=1e-2)
