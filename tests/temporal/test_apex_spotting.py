from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merprep.bench.spot import known_clip, spot_errors
from merprep.errors import ImageError, UnknownNameError, UsageError
from merprep.synthetic import render_clip
from merprep.temporal import spot_apex
from merprep.temporal.courses import texture_course
from merprep.temporal.peaks import halved_peak, rounded_peak


@settings(max_examples=40, deadline=None)  # the first call imports SciPy
@given(st.integers(8, 80), st.integers(8, 80), st.sampled_from(["cosine", "square", "gauss"]))
def test_the_top_of_a_smooth_course_is_found_however_unlike_its_sides(rise: int, fall: int, shape: str) -> None:
    t = np.arange(rise + fall + 1.0) - rise
    x = np.where(t < 0, t / rise, t / fall)
    course = {"cosine": (1 + np.cos(np.pi * x)) / 2, "square": 1 - x**2, "gauss": np.exp(-4 * x**2)}[shape]
    assert abs(rounded_peak(course).index - rise) <= 1


def test_the_top_of_a_noisy_course_is_found_within_a_frame_and_a_half() -> None:
    t = np.arange(60.0)
    course = np.where(t < 20, (1 - np.cos(np.pi * t / 20)) / 2, (1 + np.cos(np.pi * (t - 20) / 39)) / 2)
    rng = np.random.default_rng(0)
    found = [rounded_peak(course + rng.normal(0, 0.03, 60)) for _ in range(50)]
    assert np.mean([abs(peak.index - 20) for peak in found]) < 1.5
    assert np.mean([peak.distinctness for peak in found]) > 0.8


def test_halving_goes_where_the_peaks_add_up() -> None:
    course = np.zeros(32)
    course[[3, 20, 22, 25]] = [0.9, 0.5, 0.8, 0.4]
    assert halved_peak(course).index == 22


def test_the_apex_of_a_rendered_clip_is_found_within_a_frame() -> None:
    frames, apex = known_clip(50.0, 1.0, 1, size=64)
    assert abs(spot_apex(frames, steady=False).index - apex) <= 1


@pytest.mark.slow
def test_mean_apex_error_stays_below_a_frame_and_a_half_at_noise_one() -> None:
    rows = spot_errors(noises=(1.0,), methods=("flow",), clips=3, first_seed=50)
    assert [row.fps for row in rows] == [100.0, 200.0]
    for row in rows:
        assert row.mean < 1.5
        assert row.confidence > 0.5


def test_motion_of_the_head_alone_is_not_taken_for_an_expression() -> None:
    still = render_clip(n_frames=9, size=(96, 80), amplitude=0.0, head_drift=1.0, noise=1.0, colour=False)
    moving = render_clip(n_frames=9, size=(96, 80), amplitude=1.5, head_drift=1.0, noise=1.0, colour=False)
    assert spot_apex(still.frames).course.max() < 0.5 * spot_apex(moving.frames).course.max()


def test_texture_finds_a_large_motion_of_a_still_head() -> None:
    clip = render_clip("surprise", n_frames=25, apex=10, size=(160, 120), amplitude=8, head_drift=0, noise=0)
    found = spot_apex(clip.frames, "dnc-rois", regions=[(0.2, 0.1, 0.6, 0.8)])
    assert abs(found.index - 10) <= 3


def test_texture_of_equal_frames_does_not_differ_and_ignores_brightness() -> None:
    frame = np.random.default_rng(0).integers(0, 200, (40, 40)).astype(np.uint8)
    assert np.allclose(texture_course(np.stack([frame, frame, frame + 20])), 0, atol=1e-12)


def test_masked_motion_does_not_count() -> None:
    clip = render_clip("surprise", n_frames=7, size=(96, 80), amplitude=1.5, head_drift=0, noise=0.5, colour=False)
    mask = np.ones((80, 96), bool)
    mask[:, :5] = False
    full, hidden = spot_apex(clip.frames, steady=False), spot_apex(clip.frames, steady=False, mask=mask)
    assert hidden.course.max() < 0.3 * full.course.max()


def test_a_rise_that_never_falls_has_no_confidence() -> None:
    clip = render_clip("happiness", n_frames=9, apex=8, size=(96, 80), amplitude=1.5, head_drift=0, colour=False)
    assert spot_apex(clip.frames, steady=False).confidence == 0


def test_clips_without_an_apex_are_refused() -> None:
    same = np.full((8, 32, 32), 100, np.uint8)
    with pytest.raises(ImageError, match="Nothing changes"):
        spot_apex(same)
    with pytest.raises(ImageError, match="too few"):
        spot_apex(same[:2])
    with pytest.raises(UnknownNameError):
        spot_apex(same, "optical")
    moving = np.random.default_rng(0).integers(0, 255, (4, 32, 32)).astype(np.uint8)
    with pytest.raises(ImageError, match="mask"):
        spot_apex(moving, mask=np.zeros((3, 3), bool))
    with pytest.raises(UsageError):
        spot_apex(moving, "dnc-rois", regions=[(0.5, 0.5, 0.9, 0.9)])
    with pytest.raises(UsageError):
        spot_errors(clips=0)
