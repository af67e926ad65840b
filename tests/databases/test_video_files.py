from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.databases import read_database, spec
from merprep.databases.cutting import fitted
from merprep.databases.videos import count_frames
from merprep.errors import ImageError
from merprep.faces.reading import read_frames
from merprep.faces.video import read_video
from merprep.records import Clip, FrameSet
from merprep.synthetic import write_database


def write_video(path: Path, count: int, code: str) -> None:
    """Write a video whose frame n has the grey level 20 + 8 n."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25.0, (64, 48))
    for number in range(count):
        video.write(np.full((48, 64, 3), 20 + 8 * number, np.uint8))
    video.release()


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_frames_of_a_video_are_counted_and_read_by_their_place(tmp_path: Path, name: str, code: str) -> None:
    write_video(tmp_path / name, 20, code)
    assert count_frames(tmp_path / name) == (20, "")
    levels = [float(image.mean()) for image in read_video(tmp_path / name, [0, 3, 4, 19])]
    assert levels == pytest.approx([20, 44, 52, 172], abs=4)


def test_the_first_frame_of_a_video_has_the_number_that_the_pattern_says(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", 10, "MJPG")
    frames = FrameSet.of_video("a.avi", tuple(range(46, 56)), 46)
    assert FrameSet.parse(frames.pattern, frames.ranges()) == frames
    levels = [float(image.mean()) for image in read_frames(tmp_path, frames, [46, 49])]
    assert levels == pytest.approx([20, 44], abs=4)


@pytest.mark.parametrize("content", [b"", b"no video at all", b"RIFF\x00\x00\x00\x00AVI LIST"])
def test_a_broken_video_is_no_frames_and_a_named_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(content)
    count, problem = count_frames(path)
    assert count == 0
    assert problem.startswith("the video a.avi")
    with pytest.raises(ImageError, match=r"cannot be opened|ends before"):
        list(read_video(path, [0]))


def test_a_video_that_ends_too_early_says_where(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", 5, "MJPG")
    with pytest.raises(ImageError, match="ends before a frame"):
        list(read_video(tmp_path / "a.avi", [2, 7]))


@pytest.mark.parametrize(
    ("count", "onset", "offset", "first"),
    [
        (41, 46, 86, 46),  # as long as the clip
        (120, 46, 86, 1),  # the whole recording
        (38, 46, 86, 46),  # shorter than the recording must be: the clip, with frames lost
    ],
)
def test_a_video_of_casme2_begins_where_its_length_says(count: int, onset: int, offset: int, first: int) -> None:
    casme2 = spec("casme2")
    frames = FrameSet("sub01/EP02_01f.avi", tuple(range(1, count + 1)))
    clip = Clip("casme2", "sub01", "EP02_01f", "casme2:1", "", frames, onset, onset + 9, offset)
    found = fitted(clip, casme2, casme2.layout("compressed")).frames
    assert (found.first, found.numbers[0], len(found)) == (first, first, count)


def test_frame_folders_are_preferred_to_videos_beside_them(tmp_path: Path) -> None:
    for layout in ("raw-selected", "compressed"):
        write_database("casme2", tmp_path, layout=layout, subjects=1, clips_per_class=1, frames="stub", n_frames=5)
    reading = read_database(spec("casme2"), tmp_path)
    assert reading.layout == "raw-selected"
    assert any(note.startswith("also there, not used: compressed") for note in reading.notes)


def test_a_damaged_video_excludes_its_clip_with_the_reason(tmp_path: Path) -> None:
    written = write_database(
        "casme2", tmp_path, layout="compressed", subjects=1, clips_per_class=1, frames="stub", n_frames=5
    )
    plan = written.clips[0]
    (written.frames_root / plan.frames.path(plan.onset)).write_bytes(b"cut off")
    clips = {clip.clip: clip for clip in read_database(spec("casme2"), tmp_path).clips}
    assert clips[plan.clip].status == "excluded"
    assert clips[plan.clip].reason.startswith(f"no frames on disk: the video {plan.clip}.avi cannot be opened")
    assert sum(clip.status == "ok" for clip in clips.values()) == len(clips) - 1


def test_meview_is_said_to_be_experimental(tmp_path: Path) -> None:
    write_database("meview", tmp_path, subjects=1, clips_per_class=1, frames="stub", n_frames=5)
    reading = read_database(spec("meview"), tmp_path)
    assert any("experimental" in note for note in reading.notes)
    assert {(clip.apex, clip.status) for clip in reading.clips} == {(None, "ok")}


@pytest.mark.parametrize("layout", ["by-subject", "flat"])
def test_rendered_frames_survive_the_video(tmp_path: Path, layout: str) -> None:
    written = write_database(
        "meview", tmp_path, layout=layout, subjects=1, clips_per_class=1, frame_size=(96, 80), n_frames=5
    )
    reading = read_database(spec("meview"), tmp_path)
    clip = reading.clips[0]
    assert clip.onset is not None
    images = list(read_frames(reading.root, clip.frames, [clip.onset, clip.onset + 2]))
    assert [image.shape for image in images] == [(80, 96, 3)] * 2
    assert np.abs(images[0].astype(float) - images[1]).mean() > 0.1
    assert len(clip.frames) == len(written.clips[0].frames)
