"""`merprep show`: one clip as a figure, by two methods, and as it moves."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from merprep import stages
from merprep.cli.app import app
from merprep.errors import StoreError, UnknownNameError, UsageError
from merprep.report import animate_clip, compare_methods, show_clip
from merprep.report.clip_motion import aligned_file_of, whole_motion
from merprep.store import Workspace, read_manifest
from merprep.synthetic import write_database

FRAMES = 24


@pytest.fixture(scope="module")
def one_person(tmp_path_factory, mesh_weights):
    """A workspace with three whole clips of one person, of which only the key frames are aligned."""
    folder = tmp_path_factory.mktemp("show")
    write_database("casme2", folder / "raw", subjects=1, clips_per_class=1, frame_size=(320, 240))
    workspace = Workspace(folder / "workspace")
    stages.ingest(workspace, "casme2", folder / "raw")
    stages.align(workspace, jobs=1)
    return workspace


@pytest.fixture
def clip(one_person):
    return next(clip for clip in read_manifest(one_person).usable if clip.emotion == "surprise")


def test_frames_that_were_not_aligned_are_brought_to_the_same_place_as_those_that_were(one_person, clip):
    motion = whole_motion(one_person, clip.id)
    assert motion.numbers == clip.frames.numbers
    with aligned_file_of(one_person, clip) as file:
        for number in (clip.onset, clip.apex, clip.offset):
            index = motion.numbers.index(number)
            np.testing.assert_array_equal(motion.frames[index], file.frames(clip.id, [number])[0])


def test_a_long_clip_is_thinned_evenly_and_keeps_its_key_frames(one_person, clip):
    motion = whole_motion(one_person, clip.id, most=5)
    assert 5 <= len(motion.numbers) <= 6
    assert {clip.onset, clip.apex, clip.offset} <= set(motion.numbers)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_picture_animation_has_every_frame_and_rests_on_the_apex(one_person, clip, tmp_path, suffix):
    path = animate_clip(one_person, clip.id, method="dis", path=tmp_path / f"clip{suffix}", rate=10.0)
    with Image.open(path) as animation:
        assert animation.n_frames == FRAMES
        durations = []
        for index in range(FRAMES):
            animation.seek(index)
            animation.load()
            durations.append(animation.info["duration"])
    apex = clip.frames.numbers.index(clip.apex)
    assert durations[apex] == durations[-1] == 400
    assert sorted(durations)[: FRAMES - 2] == [100] * (FRAMES - 2)


@pytest.mark.slow
def test_a_video_has_every_frame_and_the_apex_four_times(one_person, clip, tmp_path):
    path = animate_clip(one_person, clip.id, method="dis", path=tmp_path / "clip.mp4")
    video = cv2.VideoCapture(str(path))
    count = 0
    while video.read()[0]:
        count += 1
    assert count == FRAMES + 2 * 3
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_method_is_no_distance_from_itself(one_person, clip, tmp_path):
    path, apart = compare_methods(one_person, clip.id, ("dis", "dis"), path=tmp_path / "same.png")
    assert apart == 0.0
    assert cv2.imread(str(path)).shape[1] > 1000


def test_two_methods_are_some_way_apart(one_person, clip, tmp_path):
    where = ["-w", str(one_person.folder), "--out", str(tmp_path / "two.png")]
    result = CliRunner().invoke(app, ["show", clip.id, *where, "--compare", "dis", "farneback", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["methods"] == ["dis", "farneback"]
    assert 0.0 < told["mean_distance_px"] < 1.0


def test_a_figure_for_print_is_written_by_its_suffix(one_person, clip, tmp_path):
    assert show_clip(one_person, clip.id, method="dis", path=tmp_path / "clip.pdf").read_bytes().startswith(b"%PDF")


def test_what_cannot_be_drawn_is_said(one_person, clip, tmp_path):
    with pytest.raises(UsageError, match="suffix"):
        show_clip(one_person, clip.id, method="dis", path=tmp_path / "clip.bmp")
    with pytest.raises(UsageError, match="suffix"):
        animate_clip(one_person, clip.id, method="dis", path=tmp_path / "clip.png")
    with pytest.raises(UnknownNameError):
        compare_methods(one_person, clip.id, ("dis", "no-such-method"))
    with pytest.raises(StoreError, match="no manifest"):
        show_clip(Workspace(tmp_path), clip.id)


def test_a_comparison_cannot_be_animated(one_person, clip):
    arguments = ["show", clip.id, "-w", str(one_person.folder), "--compare", "dis", "dis", "--animate"]
    assert CliRunner().invoke(app, arguments).exit_code == 2
