from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from merprep.errors import ConfigError
from merprep.faces import AlignConfig
from merprep.features import FlowConfig
from merprep.stages import align, flow, ingest
from merprep.stages.runner import KEPT
from merprep.stages.temporal import temporal, temporal_path
from merprep.store import Workspace, open_features, read_manifest, write_manifest
from merprep.store.aligned import open_aligned
from merprep.synthetic import write_database
from merprep.temporal import TemporalConfig, interpolate, magnify, sample_uniformly

ALIGN = AlignConfig(size=96)
SWELL = {"factor": 4.0, "low": 2.0, "high": 40.0}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, mesh_weights: list[Path]) -> Workspace:
    """Ingest a rendered database of three clips of 13 frames, one of which has no frame rate."""
    folder = tmp_path_factory.mktemp("temporal")
    write_database("casme2", folder / "raw", subjects=1, clips_per_class=1, frame_size=(160, 120), n_frames=13)
    workspace = Workspace(folder / "study")
    ingest(workspace, "casme2", folder / "raw")
    manifest = read_manifest(workspace)
    write_manifest(workspace, replace(manifest, clips=(*manifest.clips[:2], replace(manifest.clips[2], fps=None))))
    return workspace


def test_the_new_file_holds_what_the_tools_make_of_the_aligned_frames(study: Workspace) -> None:
    config = TemporalConfig(align=ALIGN, length=8)
    report = temporal(study, config, jobs=1)
    assert report.counts()["done"] == 3
    clips = {clip.id: clip for clip in read_manifest(study).clips}
    with open_aligned(study.aligned_path(ALIGN.config_id())) as old, open_aligned(temporal_path(study, config)) as new:
        assert new.config == config.model_dump(mode="json")
        assert new.inputs["aligned"] == ALIGN.config_id()
        for row in new.records():
            clip = clips[row.id]
            span = [number for number in old.numbers(row.id) if clip.onset <= number <= clip.offset]
            frames = old.frames(row.id, span)
            np.testing.assert_array_equal(new.frames(row.id), interpolate(frames, 8))
            assert (row.onset, row.offset, new.numbers(row.id)) == (1, 8, tuple(range(1, 9)))
            assert abs((row.apex - 1) / 7 - span.index(clip.apex) / (len(span) - 1)) <= 0.5 / 7 + 1e-9
            assert row.fps is None or row.fps == pytest.approx(clip.fps * 7 / (len(span) - 1))
            np.testing.assert_array_equal(new.landmarks(row.id), old.landmarks(row.id))


@pytest.mark.parametrize("method", ["linear", "uniform"])
def test_other_ways_to_a_length_are_other_files(study: Workspace, method: str) -> None:
    config = TemporalConfig(align=ALIGN, length=5, method=method, span="all")
    temporal(study, config, jobs=1)
    with open_aligned(study.aligned_path(ALIGN.config_id())) as old, open_aligned(temporal_path(study, config)) as new:
        name = new.records()[0].id
        made = (
            interpolate(old.frames(name), 5, "linear") if method == "linear" else sample_uniformly(old.frames(name), 5)
        )
        np.testing.assert_array_equal(new.frames(name), made)


def test_magnified_clips_keep_their_numbers_and_a_clip_without_a_rate_is_skipped_with_the_reason(
    study: Workspace,
) -> None:
    config = TemporalConfig(align=ALIGN, magnify=SWELL)
    report = temporal(study, config, jobs=1)
    assert report.counts() == {"in": 3, "done": 2, "skipped": 1, "failed": 0}
    assert report.reasons("skipped") == {"its frame rate is not known": 1}
    clip = read_manifest(study).clips[0]
    with open_aligned(study.aligned_path(ALIGN.config_id())) as old, open_aligned(temporal_path(study, config)) as new:
        span = [number for number in old.numbers(clip.id) if clip.onset <= number <= clip.offset]
        assert list(new.numbers(clip.id)) == span
        made = magnify(old.frames(clip.id, span), 4.0, fps=clip.fps, low=2.0, high=40.0)
        np.testing.assert_array_equal(new.frames(clip.id), made)
    known = TemporalConfig(align=ALIGN, magnify={**SWELL, "fps": 200.0})
    assert temporal(study, known, jobs=1).counts()["done"] == 3
    slow = TemporalConfig(align=ALIGN, magnify={**SWELL, "low": 0.1, "high": 0.2})
    assert "too short for this band" in next(iter(temporal(study, slow, jobs=1).reasons("skipped")))


def test_a_second_run_keeps_everything_and_another_apex_is_made_again(study: Workspace) -> None:
    config = TemporalConfig(align=ALIGN, length=6)
    temporal(study, config, jobs=1)
    before = temporal_path(study, config).read_bytes()
    again = temporal(study, config, jobs=1)
    assert [outcome.reason for outcome in again.outcomes] == [KEPT] * 3
    assert temporal_path(study, config).read_bytes() == before
    manifest = read_manifest(study)
    first = manifest.clips[0]
    write_manifest(study, replace(manifest, clips=(replace(first, apex=first.apex + 3), *manifest.clips[1:])))
    changed = temporal(study, config, jobs=1)
    write_manifest(study, manifest)
    assert [outcome.reason for outcome in changed.outcomes] == ["", KEPT, KEPT]


def test_an_interrupted_run_continues(study: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["merprep.stages.temporal"]  # its name in the package is that of the function
    config = TemporalConfig(align=ALIGN, length=7)
    asked: list[str] = []

    def twice(clip, **rest):  # type: ignore[no-untyped-def]
        asked.append(clip.id)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return work(clip, **rest)

    work = module._temporal_clip
    monkeypatch.setattr(module, "_temporal_clip", twice)
    with pytest.raises(KeyboardInterrupt):
        temporal(study, config, jobs=1)
    assert not temporal_path(study, config).exists()
    report = temporal(study, config, jobs=1)
    assert len(asked) == 4
    assert [outcome.reason for outcome in report.outcomes] == [KEPT, "", ""]


def test_flow_reads_the_new_file_like_any_other_and_keeps_the_rows_of_the_manifest(study: Workspace) -> None:
    steps = {"magnify": {**SWELL, "fps": 200.0}, "length": 9, "method": "linear"}
    plain, _ = flow(study, FlowConfig(align=ALIGN, channels=("u", "v", "magnitude")), jobs=1)
    large, report = flow(study, FlowConfig(align=ALIGN, channels=("u", "v", "magnitude"), temporal=steps), jobs=1)
    assert report.counts()["done"] == 3
    with open_features(plain) as small, open_features(large) as big:
        assert big.inputs["aligned"] == TemporalConfig(align=ALIGN, **steps).config_id()
        assert big.clips["apex"].tolist() == small.clips["apex"].tolist()
        assert big.features[:, 2].mean() > 1.5 * small.features[:, 2].mean()
    assert (
        flow(study, FlowConfig(align=ALIGN, channels=("u", "v", "magnitude"), temporal=steps), jobs=1)[1]
        .outcomes[0]
        .reason.endswith(KEPT)
    )


def test_nothing_asked_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing is asked for"):
        TemporalConfig.read({}, where="test")


def test_alignment_is_run_first_where_it_is_missing(study: Workspace) -> None:
    other = TemporalConfig(align=AlignConfig(size=64), length=4)
    temporal(study, other, jobs=1)
    with open_aligned(temporal_path(study, other)) as file:
        assert file.frames(file.records()[0].id).shape == (4, 64, 64, 3)
    assert align(study, AlignConfig(size=64), frames="all", jobs=1).outcomes[0].reason == KEPT
