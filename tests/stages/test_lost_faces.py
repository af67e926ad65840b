from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.errors import UsageError
from merprep.faces import AlignConfig
from merprep.records import Clip, FrameSet
from merprep.stages import align
from merprep.stages.runner import KEPT
from merprep.stages.temporal import temporal, temporal_path
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.store.aligned import open_aligned
from merprep.synthetic.render import render_clip
from merprep.temporal import TemporalConfig

pytestmark = pytest.mark.usefixtures("mesh_weights")
CONFIG = AlignConfig(size=96)
HAND = (110, 140, 190)


def study_of(workspace: Workspace, folder: Path, frames: list[np.ndarray]) -> Workspace:
    folder.mkdir()
    for number, frame in enumerate(frames, start=1):
        cv2.imwrite(str(folder / f"img{number}.png"), frame)
    numbers = tuple(range(1, len(frames) + 1))
    clip = Clip("casme2", "sub01", "a", person="casme2:1", frames=FrameSet("img#.png", numbers), onset=1, apex=4,
                offset=6, emotion="happiness")  # fmt: skip
    write_manifest(workspace, Manifest((clip,), {"casme2": {"root": str(folder)}}))
    return workspace


def covered(frame: np.ndarray) -> np.ndarray:
    """A hand over the lower two thirds of the face, and its right side."""
    out = frame.copy()
    height, width = frame.shape[:2]
    out[int(0.35 * height) :, :] = HAND
    out[:, int(0.55 * width) :] = HAND
    return out


def test_frames_behind_a_hand_are_named_in_file_report_and_manifest(workspace: Workspace, tmp_path: Path) -> None:
    plain = list(render_clip(subject=1, n_frames=6, size=(160, 120)).frames)
    study = study_of(workspace, tmp_path / "raw", [*plain[:2], covered(plain[2]), covered(plain[3]), *plain[4:]])
    path = study.aligned_path(CONFIG.config_id())
    align(study, CONFIG, frames="all", jobs=1)
    with open_aligned(path) as file:
        assert file.lost("casme2/sub01/a") is None  # not looked at, which is not the same as none
    for again in (False, True):
        report = align(study, CONFIG, frames="all", jobs=1, check=True)
        assert report.outcomes[0].reason.endswith(KEPT) is again
        assert "lost in 2 of 6 frames (3-4), apex among them" in report.outcomes[0].reason
        assert "lost in 2 of 6 frames (3-4)" in read_manifest(study).clips[0].notes[0]
        with open_aligned(path) as file:
            assert file.lost("casme2/sub01/a") == (3, 4)
            assert file.frames("casme2/sub01/a").shape == (6, 96, 96, 3)


def test_another_person_is_not_taken_for_the_one_who_left(workspace: Workspace, tmp_path: Path) -> None:
    large = render_clip(subject=1, n_frames=6, size=(240, 180)).frames
    small = cv2.resize(render_clip(subject=2, n_frames=1, size=(240, 180)).frames[0], (160, 120))
    frames = []
    for number, frame in enumerate(large):
        both = np.full((180, 420, 3), 90, np.uint8)
        both[20:140, 250:410] = small
        both[:, :240] = frame if number not in (3, 4) else 90
        both[:, :240] = np.roll(both[:, :240], 2 * number, axis=1)  # the head drifts, and is followed
        frames.append(both)
    study = study_of(workspace, tmp_path / "raw", frames)
    report = align(study, CONFIG, frames="all", jobs=1, check=True)
    assert "2 faces in the onset frame" in report.outcomes[0].reason
    with open_aligned(study.aligned_path(CONFIG.config_id())) as file:
        assert file.lost("casme2/sub01/a") == (4, 5)


def test_a_clip_that_shows_its_face_throughout_has_nothing_lost(workspace: Workspace, tmp_path: Path) -> None:
    study = study_of(workspace, tmp_path / "raw", list(render_clip(subject=3, n_frames=6, size=(160, 120)).frames))
    report = align(study, CONFIG, jobs=1, check=True)
    assert "lost" not in report.outcomes[0].reason
    with open_aligned(study.aligned_path(CONFIG.config_id())) as file:
        assert file.lost("casme2/sub01/a") == ()
    align(study, CONFIG, frames="all", jobs=1)  # more frames, none of which was looked at
    with open_aligned(study.aligned_path(CONFIG.config_id())) as file:
        assert file.lost("casme2/sub01/a") is None


def test_a_check_of_key_frames_loses_no_frame_that_was_aligned_before(workspace: Workspace, tmp_path: Path) -> None:
    study = study_of(workspace, tmp_path / "raw", list(render_clip(subject=3, n_frames=6, size=(160, 120)).frames))
    align(study, CONFIG, frames="all", jobs=1)
    align(study, CONFIG, jobs=1, check=True)
    with open_aligned(study.aligned_path(CONFIG.config_id())) as file:
        assert file.numbers("casme2/sub01/a") == (1, 2, 3, 4, 5, 6)
        assert file.lost("casme2/sub01/a") == ()
    assert align(study, CONFIG, jobs=1, check=True).outcomes[0].reason.endswith(KEPT)


def test_clips_made_in_time_know_of_frames_that_were_found_lost_afterwards(
    workspace: Workspace, tmp_path: Path
) -> None:
    plain = list(render_clip(subject=1, n_frames=6, size=(160, 120)).frames)
    study = study_of(workspace, tmp_path / "raw", [*plain[:2], covered(plain[2]), *plain[3:]])
    config = TemporalConfig(align=CONFIG, length=4)
    temporal(study, config, jobs=1)
    align(study, CONFIG, frames="all", jobs=1, check=True)
    for again in (False, True):
        assert temporal(study, config, jobs=1).outcomes[0].reason.endswith(KEPT) is again
        with open_aligned(temporal_path(study, config)) as file:
            assert "made from frames without the face" in file.flags("casme2/sub01/a")


def test_landmarks_out_of_a_file_cannot_be_looked_for_in_other_frames(workspace: Workspace, tmp_path: Path) -> None:
    study = study_of(workspace, tmp_path / "raw", list(render_clip(subject=3, n_frames=6, size=(160, 120)).frames))
    align(study, CONFIG, jobs=1)
    with open_aligned(study.aligned_path(CONFIG.config_id())) as file:
        points = file.landmarks("casme2/sub01/a")[[468, 473, 1, 61, 291]]
    names = ",".join(f"{axis}_{index}" for index in range(5) for axis in "xy")
    (tmp_path / "points.csv").write_text(f"clip,{names}\ncasme2/sub01/a,{','.join(map(str, points.ravel()))}\n")
    known = AlignConfig(backend="precomputed", landmarks=str(tmp_path / "points.csv"), size=96)
    with pytest.raises(UsageError, match="one frame a clip"):
        align(study, known, jobs=1, check=True)
