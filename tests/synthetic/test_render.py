from __future__ import annotations

import numpy as np
import pytest

from merprep.errors import UnknownNameError, UsageError
from merprep.faces.sampling import sample_cubic
from merprep.synthetic.action_units import emotions, units_of
from merprep.synthetic.motion import envelope
from merprep.synthetic.render import RenderedClip, render_clip

SMALL = {"size": (160, 120), "n_frames": 9}


def warped_apex(clip: RenderedClip) -> np.ndarray:
    """The apex frame, read where the true field says that the onset's skin has gone."""
    y, x = np.mgrid[: clip.flow.shape[1], : clip.flow.shape[2]].astype(np.float32)
    return sample_cubic(clip.frame(clip.apex), x + clip.flow[0], y + clip.flow[1])


def inner_rms(difference: np.ndarray) -> float:
    return float(np.sqrt((difference[6:-6, 6:-6].astype(np.float64) ** 2).mean()))


@pytest.mark.parametrize("emotion", ["happiness", "negative", "surprise"])
@pytest.mark.parametrize("size", [(320, 240), (640, 480)])
def test_apex_read_along_the_true_field_is_the_onset(emotion: str, size: tuple[int, int]) -> None:
    clip = render_clip(emotion, subject=1, n_frames=3, size=size, amplitude=1.5, noise=0)
    onset = clip.frame(clip.onset).astype(np.float32)
    before = inner_rms(clip.frame(clip.apex).astype(np.float32) - onset)
    after = inner_rms(warped_apex(clip) - onset)
    # Rounding both frames to whole levels leaves about 0.4; the rest is what cubic interpolation loses twice.
    assert after < 0.75
    assert after < before / 3


def test_true_field_is_not_biased() -> None:
    # The field scaled up or down by a tenth must explain the apex worse than the field itself.
    clip = render_clip("surprise", subject=2, n_frames=3, size=(320, 240), amplitude=1.5, noise=0)
    onset = clip.frame(clip.onset).astype(np.float32)
    y, x = np.mgrid[:240, :320].astype(np.float32)
    errors = [
        inner_rms(sample_cubic(clip.frame(clip.apex), x + s * clip.flow[0], y + s * clip.flow[1]) - onset)
        for s in (0.9, 1.0, 1.1)
    ]
    assert errors[1] == min(errors)


def test_noise_is_what_remains_after_the_true_field_is_undone() -> None:
    clip = render_clip("negative", subject=3, noise=2.0, amplitude=0.5, **SMALL)
    remaining = inner_rms(warped_apex(clip) - clip.frame(clip.onset).astype(np.float32))
    assert 2.0 < remaining < 2.0 * np.sqrt(2) + 0.7


@pytest.mark.parametrize("amplitude", [0.3, 1.0, 2.0])
def test_longest_displacement_of_the_face_is_the_amplitude(amplitude: float) -> None:
    clip = render_clip("happiness", amplitude=amplitude, **SMALL)
    assert np.hypot(*clip.motion).max() == pytest.approx(amplitude, rel=1e-4)


def test_whole_field_is_the_rigid_map_of_the_face_field() -> None:
    clip = render_clip("happiness", head_drift=0.5, **SMALL)
    y, x = np.mgrid[:120, :160].astype(np.float64)
    at = np.stack([x + clip.motion[0], y + clip.motion[1]])
    moved = np.tensordot(clip.rigid[:, :2], at, axes=1) + clip.rigid[:, 2][:, None, None]
    np.testing.assert_allclose(clip.flow, moved - np.stack([x, y]), atol=1e-4)


def test_a_still_head_and_face_give_equal_frames() -> None:
    clip = render_clip("happiness", amplitude=0, head_drift=0, noise=0, **SMALL)
    assert not clip.flow.any()
    assert (clip.frames == clip.frames[0]).all()


def test_expression_rises_to_the_apex_and_falls_to_the_offset() -> None:
    strength = envelope(12, 2, 6, 10)
    assert (np.diff(strength[2:7]) > 0).all()
    assert (np.diff(strength[6:11]) < 0).all()
    assert strength[2] == strength[10] == strength[11] == 0
    assert strength[6] == 1


def test_happiness_lifts_mouth_corners_and_surprise_lifts_brows() -> None:
    happy = render_clip("happiness", head_drift=0, **SMALL)
    surprised = render_clip("surprise", head_drift=0, **SMALL)

    def down(clip: RenderedClip, name: str) -> float:
        x, y = clip.landmarks[clip.landmark_names.index(name)].round().astype(int)
        return float(clip.motion[1, y, x])

    for side in ("image_left_", "image_right_"):
        assert down(happy, side + "mouth_corner") < -0.4
        assert abs(down(happy, side + "brow_inner")) < 0.1
        assert down(surprised, side + "brow_inner") < -0.2


def test_frames_rendered_alone_equal_those_of_the_whole_clip() -> None:
    whole = render_clip("negative", subject=4, seed=5, **SMALL)
    alone = render_clip("negative", subject=4, seed=5, only=(0, whole.apex, 8), **SMALL)
    np.testing.assert_array_equal(alone.frames, whole.frames[[0, whole.apex, 8]])
    np.testing.assert_array_equal(alone.frame(whole.apex), whole.frame(whole.apex))


def test_subjects_differ_and_seeds_differ_and_equal_calls_agree() -> None:
    first = render_clip(subject=1, seed=1, **SMALL).frames
    assert (first == render_clip(subject=1, seed=1, **SMALL).frames).all()
    assert (first != render_clip(subject=2, seed=1, **SMALL).frames).mean() > 0.5
    assert (first != render_clip(subject=1, seed=2, **SMALL).frames).mean() > 0.1


def test_grey_and_wide_frames_have_the_shapes_asked_for() -> None:
    assert render_clip(size=(640, 480), n_frames=2, colour=False).frames.shape == (2, 480, 640)
    assert render_clip(size=(2040, 1088), n_frames=2, only=(0,)).frames.shape == (1, 1088, 2040, 3)
    assert render_clip(size=(64, 64), n_frames=1).frames.shape == (1, 64, 64, 3)


@pytest.mark.parametrize("emotion", emotions())
def test_every_emotion_names_action_units_that_can_be_drawn(emotion: str) -> None:
    for seed in range(8):
        assert units_of(emotion, np.random.default_rng(seed))
    assert render_clip(emotion.upper(), size=(64, 64), n_frames=2).flow.any()


@pytest.mark.parametrize("timing", [{"apex": 30}, {"onset": 5, "apex": 3}, {"offset": 99}])
def test_times_out_of_order_are_refused(timing: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="follow each other"):
        render_clip(**SMALL, **timing)


def test_an_unknown_emotion_and_a_tiny_frame_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="hapiness"):
        render_clip("hapiness")
    with pytest.raises(UsageError, match="too small"):
        render_clip(size=(20, 20))


def test_cubic_sampling_reproduces_a_ramp_between_pixels() -> None:
    ramp = np.tile(np.arange(16, dtype=np.float32), (16, 1))
    x = np.full((1, 100), 5, np.float32) + np.linspace(0, 1, 100, dtype=np.float32)
    np.testing.assert_allclose(sample_cubic(ramp, x, np.full_like(x, 7.7)), x, atol=1e-5)


def test_sampling_beyond_the_border_repeats_the_border() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    x, y = np.array([[-50.0, 99.0]], np.float32), np.array([[1.0, 1.0]], np.float32)
    np.testing.assert_allclose(sample_cubic(image, x, y), [[4, 7]])
