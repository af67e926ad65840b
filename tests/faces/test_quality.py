from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.faces import AlignConfig, align
from merprep.faces.quality import BLURRED, flags, largest_jump, sharpness, turn_of
from merprep.records import Clip, FrameSet
from merprep.stages import align as align_stage
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.synthetic.render import render_clip

pytestmark = pytest.mark.usefixtures("mesh_weights")


@pytest.fixture(scope="module")
def face():
    return align(render_clip(subject=1, n_frames=1, size=(320, 240)).frames[0])


def doubts(face, **changes: object) -> str:
    given = {"score": face.score, "turn": 0.0, "residual": face.residual, "image": face.image, "frames": [face.image],
             "numbers": [1]}  # fmt: skip
    return "; ".join(flags(**{**given, **changes}))


def test_a_good_face_has_no_flags_and_each_fault_its_own(face) -> None:
    assert doubts(face) == ""
    assert "uncertain (score 0.20)" in doubts(face, score=0.2)
    assert "12 degrees off level" in doubts(face, turn=-12.0)
    assert "residual 20.0 px" in doubts(face, residual=20.0)
    assert "blurred" in doubts(face, image=cv2.GaussianBlur(face.image, (0, 0), 3))
    shifted = np.roll(face.image, 30, axis=1)
    assert "before frame 5" in doubts(face, frames=[face.image, face.image, shifted], numbers=[1, 3, 5])


def test_sharpness_does_not_depend_on_light_or_contrast_and_falls_with_blur(face) -> None:
    grey = cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY)
    assert sharpness((grey * 0.6 + 40).astype(np.uint8)) == pytest.approx(sharpness(grey), rel=0.1)
    values = [sharpness(cv2.GaussianBlur(grey, (0, 0), sigma)) for sigma in (0.5, 1, 2, 3)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < BLURRED < sharpness(grey)
    assert sharpness(np.full((64, 64), 9, np.uint8)) == 0


@pytest.mark.parametrize("shift", [4.0, 15.0, 25.0])
def test_a_jump_is_measured_where_it_happens(face, shift: float) -> None:
    map_ = np.array([[1, 0, shift], [0, 1, 0.0]])
    moved = cv2.warpAffine(face.image, map_, (224, 224), borderMode=cv2.BORDER_REPLICATE)
    found = largest_jump([face.image, moved, moved], [10, 12, 14])
    assert found is not None
    assert found[0] == pytest.approx(shift, rel=0.15)
    assert found[1] == 12
    assert largest_jump([face.image], [1]) is None


def test_turns_are_signed_degrees() -> None:
    assert turn_of(np.array([0, 0]), np.array([10, 0])) == 0
    assert turn_of(np.array([0, 0]), np.array([10, -10])) == pytest.approx(-45)


def test_flags_stand_in_the_report_and_in_the_manifest_once(workspace: Workspace, tmp_path: Path) -> None:
    frames = render_clip(subject=1, n_frames=3, size=(160, 120)).frames.copy()
    frames[2] = np.roll(frames[2], 30, axis=1)
    (tmp_path / "raw").mkdir()
    for number, frame in enumerate(frames, start=1):
        cv2.imwrite(str(tmp_path / "raw" / f"img{number}.png"), frame)
    clip = Clip("casme2", "sub01", "a", person="casme2:1", frames=FrameSet("img#.png", (1, 2, 3)), onset=1, apex=2,
                offset=3, emotion="happiness")  # fmt: skip
    write_manifest(workspace, Manifest((clip,), {"casme2": {"root": str(tmp_path / "raw")}}))
    for _ in range(2):
        report = align_stage(workspace, AlignConfig(size=96), jobs=1)
        assert report.outcomes[0].state == "done"
        assert "before frame 3" in report.outcomes[0].reason
        notes = read_manifest(workspace).clips[0].notes
        assert len(notes) == 1
        assert "jumps" in notes[0]
    assert replace(read_manifest(workspace).clips[0], notes=()) == clip
