from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.errors import StoreError
from merprep.faces import AlignConfig, alignment, reading, region_points
from merprep.faces.geometry import apply, inverse
from merprep.features import FlowConfig
from merprep.records import Clip, FrameSet, StageReport
from merprep.stages import align, flow
from merprep.stages.runner import KEPT
from merprep.store import Manifest, Parts, Workspace, read_manifest, write_manifest
from merprep.store.aligned import open_aligned
from merprep.synthetic.render import render_clip

pytestmark = pytest.mark.usefixtures("mesh_weights")

CONFIG = AlignConfig(size=96)


def write_frames(root: Path, name: str, frames: np.ndarray, *, first: int = 10, suffix: str = ".png") -> FrameSet:
    (root / name).mkdir(parents=True)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(root / name / f"img{first + index:03d}{suffix}"), frame)
    return FrameSet(f"{name}/img###{suffix}", tuple(range(first, first + len(frames))))


def clip_of(name: str, frames: FrameSet, *, apex: int | None = 12, onset: int | None = 10) -> Clip:
    return Clip(
        "casme2",
        "sub01",
        name,
        person="casme2:1",
        frames=frames,
        onset=onset,
        apex=apex,
        offset=14,
        emotion="happiness",
    )


@pytest.fixture
def study(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Three good clips (one grey, one without an apex), and one for each thing that can be wrong."""
    root = tmp_path / "raw"

    def rendered(seed: int, *, colour: bool = True) -> np.ndarray:
        return render_clip("happiness", subject=seed, seed=seed, n_frames=5, size=(160, 120), colour=colour).frames

    flat = np.full((5, 120, 160, 3), 90, np.uint8)
    small = cv2.resize(rendered(5)[0], (80, 60), interpolation=cv2.INTER_AREA)
    several = np.full((5, 120, 260, 3), 120, np.uint8)
    several[:, :, :160] = rendered(4)
    several[:, 30:90, 170:250] = small
    clips = [
        clip_of("good", write_frames(root, "good", rendered(1))),
        clip_of("grey", write_frames(root, "grey", rendered(2, colour=False), suffix=".jpg")),
        clip_of("no_apex", write_frames(root, "no_apex", rendered(3)), apex=None),
        clip_of("several", write_frames(root, "several", several)),
        clip_of("no_face", write_frames(root, "no_face", flat)),
        clip_of("broken", write_frames(root, "broken", rendered(1), suffix=".jpg")),
        clip_of("late", write_frames(root, "late", rendered(1), first=11)),
        clip_of("no_onset", write_frames(root, "no_onset", rendered(1)), onset=None),
        clip_of("gone", FrameSet("gone/img###.png", ())).excluded("no frames"),
    ]
    whole = (root / "broken" / "img012.jpg").read_bytes()
    (root / "broken" / "img012.jpg").write_bytes(whole[: len(whole) // 2])
    clips = sorted(clips, key=lambda clip: clip.clip)
    write_manifest(workspace, Manifest(tuple(clips), {"casme2": {"root": str(root)}}))
    return workspace


def by_name(report: StageReport) -> dict[str, tuple[str, str]]:
    return {outcome.clip_id.rpartition("/")[2]: (outcome.state, outcome.reason) for outcome in report.outcomes}


def test_every_clip_is_aligned_skipped_or_failed_with_its_reason(study: Workspace) -> None:
    report = align(study, CONFIG, jobs=1)
    assert report.counts() == {"in": 9, "done": 4, "skipped": 3, "failed": 2}
    found = by_name(report)
    assert found["good"] == found["grey"] == found["no_apex"] == ("done", "")
    assert found["several"] == ("done", "2 faces in the onset frame: the largest was taken")
    assert found["no_face"][0] == "failed"
    assert "No face was found" in found["no_face"][1]
    assert found["broken"][0] == "failed"
    assert "cut off" in found["broken"][1]
    assert "img012.jpg" in found["broken"][1]
    assert found["late"] == ("skipped", "the file of its onset is missing: late/img010.png")
    assert found["no_onset"] == ("skipped", "it has no onset")
    assert found["gone"] == ("skipped", "no frames")
    notes = {clip.clip: " ".join(clip.notes) for clip in read_manifest(study).clips}
    assert "No face was found" in notes["no_face"]
    assert "2 faces" in notes["several"]
    assert notes["good"] == ""
    with open_aligned(study.aligned_path(CONFIG.config_id())) as file:
        assert sorted(file.clips["clip"]) == ["good", "grey", "no_apex", "several"]
    align(study, CONFIG, jobs=1)
    assert {clip.clip: " ".join(clip.notes) for clip in read_manifest(study).clips} == notes


def test_the_file_holds_the_key_frames_of_each_clip_by_one_transform(study: Workspace) -> None:
    report = align(study, CONFIG, jobs=1)
    with open_aligned(Path(report.outputs[0])) as file:
        assert file.scheme == "mesh478"
        assert AlignConfig(**file.config) == CONFIG
        assert file.config_id == CONFIG.config_id()
        name = "casme2/sub01/good"
        assert name in file
        assert file.numbers(name) == (10, 12, 14)
        assert file.frames(name).shape == (3, 96, 96, 3)
        assert file.frames(name, [12, 10]).shape == (2, 96, 96, 3)
        np.testing.assert_array_equal(file.frames(name, [12])[0], file.frames(name)[1])
        assert file.frames("casme2/sub01/grey").shape == (3, 96, 96)
        assert file.numbers("casme2/sub01/no_apex") == (10, 14)
        assert file.transform(name).shape == (2, 3)
        points = region_points(file.landmarks(name), file.scheme)
        assert 0.3 * 96 < points["image_right_eye"][0] - points["image_left_eye"][0] < 0.5 * 96
        assert file.records()[0].frames == FrameSet()
        with pytest.raises(StoreError, match="--frames all"):
            file.frames(name, [11])
        with pytest.raises(StoreError, match="not in the file"):
            file.frames("casme2/sub01/no_face")


def test_a_second_run_keeps_everything_and_leaves_the_file_alone(study: Workspace) -> None:
    path = Path(align(study, CONFIG, jobs=1).outputs[0])
    before = path.stat().st_mtime_ns
    report = align(study, CONFIG, jobs=1)
    assert path.stat().st_mtime_ns == before
    assert by_name(report)["good"] == ("done", KEPT)
    assert not study.parts_folder(path).exists()


def test_changed_frames_and_changed_onsets_are_aligned_again_and_others_kept(study: Workspace) -> None:
    align(study, CONFIG, jobs=1)
    manifest = read_manifest(study)
    frame = Path(manifest.sources["casme2"]["root"]) / "good" / "img012.png"
    os.utime(frame, ns=(0, 0))
    clips = tuple(replace(clip, onset=11) if clip.clip == "grey" else clip for clip in manifest.clips)
    write_manifest(study, replace(manifest, clips=clips))
    report = align(study, CONFIG, jobs=1)
    found = by_name(report)
    assert found["good"] == found["grey"] == ("done", "")
    assert found["no_apex"] == ("done", KEPT)
    with open_aligned(Path(report.outputs[0])) as file:
        assert file.numbers("casme2/sub01/grey") == (11, 12, 14)


def test_every_frame_whose_landmarks_count_is_looked_at_for_changes(study: Workspace) -> None:
    config = AlignConfig(size=96, reference_frames=2)
    settings = FlowConfig(align=config, pair="apex-offset", head_motion="none")
    flow(study, settings, jobs=1)
    with open_aligned(study.aligned_path(config.config_id())) as file:
        assert file.numbers("casme2/sub01/good") == (10, 11, 12, 14)
    os.utime(Path(read_manifest(study).sources["casme2"]["root"]) / "good" / "img011.png", ns=(0, 0))
    assert by_name(flow(study, settings, jobs=1)[1])["good"] == ("done", "")
    assert by_name(align(study, config, jobs=1))["good"] == ("done", KEPT)
    assert by_name(flow(study, settings, jobs=1)[1])["good"] == ("done", KEPT)


def test_all_frames_are_added_and_then_kept_for_runs_that_need_fewer(study: Workspace) -> None:
    align(study, CONFIG, jobs=1)
    path = Path(align(study, CONFIG, frames="all", jobs=1).outputs[0])
    with open_aligned(path) as file:
        assert file.numbers("casme2/sub01/good") == (10, 11, 12, 13, 14)
    assert by_name(align(study, CONFIG, jobs=1))["good"] == ("done", KEPT)
    with open_aligned(path) as file:
        assert file.numbers("casme2/sub01/good") == (10, 11, 12, 13, 14)


def test_an_interrupted_run_continues_from_its_parts(study: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Parts.save
    count = 0

    def stop_after_two(self: Parts, *args: object) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise KeyboardInterrupt
        saved(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "save", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            align(study, CONFIG, jobs=1)
    path = study.aligned_path(CONFIG.config_id())
    assert not path.exists()
    report = align(study, CONFIG, jobs=1)
    assert sum(KEPT in outcome.reason for outcome in report.of_state("done")) == 2
    assert report.counts()["done"] == 4


def test_workers_give_the_same_file_as_one_process(study: Workspace) -> None:
    path = Path(align(study, CONFIG, jobs=2).outputs[0])
    with open_aligned(path) as file:
        several = {name: file.frames(name) for name in file.clips["id"]}
    path.unlink()
    align(study, CONFIG, jobs=1)
    with open_aligned(path) as file:
        assert list(several) == list(file.clips["id"])
        for name, frames in several.items():
            np.testing.assert_array_equal(file.frames(name), frames)


def test_frames_that_cannot_be_found_any_more_fail_clip_by_clip(study: Workspace) -> None:
    manifest = read_manifest(study)
    write_manifest(study, replace(manifest, sources={"casme2": {"root": "elsewhere"}}))
    report = align(study, CONFIG, jobs=1)
    assert report.counts()["done"] == 0
    assert report.outputs == ()
    assert "cannot be read" in by_name(report)["good"][1]


def test_a_workspace_without_manifest_or_a_damaged_file_is_one_clear_error(study: Workspace, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no manifest"):
        align(Workspace(tmp_path / "empty"), CONFIG)
    path = study.aligned_path(CONFIG.config_id())
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not HDF5")
    with pytest.raises(StoreError, match="cannot be opened"):
        align(study, CONFIG)


def test_frames_wanted_later_are_added_by_the_transform_that_the_clip_has(
    study: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(align(study, CONFIG, frames="all", jobs=1).outputs[0])
    with open_aligned(path) as file:
        at_once = {name: file.faces(name) for name in file.clips["id"]}
    path.unlink()
    align(study, CONFIG, frames="key", jobs=1)
    decoded: list[tuple[str, list[int]]] = []
    plain = reading.read_frames

    def counted(root: Path, frames: FrameSet, numbers: list[int]):
        decoded.append((frames.pattern, list(numbers)))
        return plain(root, frames, numbers)

    monkeypatch.setattr(reading, "read_frames", counted)
    monkeypatch.setattr(alignment, "align", None)  # nothing is looked for again where a clip has its face
    report = align(study, CONFIG, frames="all", jobs=1)
    assert report.counts()["done"] == 4
    # The onset for its shape, then only what was missing between the key frames.
    assert [numbers for pattern, numbers in decoded if pattern.startswith("good/")] == [[10], [11, 13]]
    with open_aligned(path) as file:
        for name, faces in at_once.items():
            np.testing.assert_array_equal(file.frames(name), faces.frames)
            np.testing.assert_array_equal(file.transform(name), faces.transform)
            assert file.digest(name) == faces.digest


def test_landmarks_out_of_a_file_align_a_workspace(study: Workspace, tmp_path: Path) -> None:
    align(study, CONFIG, jobs=1)
    rows = ["clip," + ",".join(f"{axis}_{n}" for n in range(478) for axis in "xy")]
    with open_aligned(study.aligned_path(CONFIG.config_id())) as file:
        for name in ("casme2/sub01/good", "casme2/sub01/grey"):
            points = apply(inverse(file.transform(name)), file.landmarks(name).astype(np.float64))
            rows.append(",".join([name, *(f"{value:.5f}" for value in points.ravel())]))
        expected = file.frames("casme2/sub01/good")
    (tmp_path / "points.csv").write_text("\n".join(rows), encoding="utf-8")
    config = AlignConfig(size=96, backend="precomputed", landmarks=str(tmp_path / "points.csv"))
    report = align(study, config, jobs=1)
    found = by_name(report)
    assert found["good"] == found["grey"] == ("done", "")
    assert "no row" in found["several"][1]
    with open_aligned(Path(report.outputs[0])) as file:
        assert file.scheme == "mesh478"
        assert np.abs(file.frames("casme2/sub01/good").astype(int) - expected).max() <= 1
