from __future__ import annotations

import numpy as np
import pytest

from merprep.faces import AlignConfig, align, align_clip
from merprep.faces.geometry import apply, canonical_face, inverse, scale_of
from merprep.faces.refinement import refined_transform
from merprep.faces.warp import warp
from merprep.flow import estimate
from merprep.synthetic.render import render_clip

pytestmark = pytest.mark.usefixtures("mesh_weights")
CONFIG = AlignConfig(refine="ecc")


def moved(frame: np.ndarray, dx: float, dy: float, rng: np.random.Generator) -> np.ndarray:
    """Shift through the spectrum, which is exact, and add new noise of one grey level."""
    turn = np.exp(
        -2j * np.pi * (np.fft.fftfreq(frame.shape[0])[:, None] * dy + np.fft.fftfreq(frame.shape[1])[None, :] * dx)
    )
    plain = np.fft.ifft2(np.fft.fft2(frame.astype(np.float64)) * turn).real
    return np.clip(np.rint(plain + rng.standard_normal(frame.shape)), 0, 255).astype(np.uint8)


def apart(refined: np.ndarray, face, step: tuple[float, float]) -> np.ndarray:
    """How far the same skin lies apart in the two aligned pictures, px of the frame."""
    skin = apply(inverse(face.transform), face.landmarks[canonical_face(face.scheme).indices].astype(np.float64))
    return (apply(refined, np.add(skin, step)) - apply(face.transform, skin)) / scale_of(face.transform)


@pytest.mark.parametrize("d", [0.25, 0.5, 1.0, 4.0])
def test_a_shift_of_the_head_is_taken_out_to_three_hundredths_of_a_pixel(d: float) -> None:
    errors = []
    for subject in range(2):
        frame = render_clip(subject=subject, n_frames=1, size=(320, 240), noise=0, colour=False).frames[0]
        rng = np.random.default_rng(subject)
        face = align(moved(frame, 0, 0, rng))
        for step in ((d, 0.0), (0.0, d), (-d, d)):
            warped = warp(moved(frame, *step, rng), face.transform, CONFIG.size)
            errors.append(apart(refined_transform(face.image, warped, face.transform, CONFIG), face, step))
    assert float(np.sqrt((np.stack(errors) ** 2).mean())) < 0.03


def test_a_still_clip_with_noise_gets_next_to_no_motion_and_no_flow_by_refinement() -> None:
    moves, fields = [], []
    for subject in range(2):
        frame = render_clip(subject=subject, n_frames=1, size=(320, 240), noise=0, colour=False).frames[0]
        rng = np.random.default_rng(40 + subject)
        face = align(moved(frame, 0, 0, rng))
        for _ in range(3):
            again = moved(frame, 0, 0, rng)
            refined = refined_transform(face.image, warp(again, face.transform, CONFIG.size), face.transform, CONFIG)
            moves.append(apart(refined, face, (0.0, 0.0)))
        fields.append(estimate(face.image, warp(again, refined, CONFIG.size)))
    assert float(np.sqrt(np.square(moves).mean())) < 0.005
    assert float(np.sqrt(np.square(fields).mean())) < 0.02


@pytest.mark.parametrize("emotion", ["happiness", "negative", "surprise"])
def test_most_of_the_heads_motion_is_taken_out_of_an_expression(emotion: str) -> None:
    before, after = [], []
    for subject in range(3):
        clip = render_clip(emotion, subject=subject, n_frames=3, size=(320, 240), amplitude=1.5, head_drift=1.5)
        face = align(clip.frames[0])
        skin = apply(inverse(face.transform), face.landmarks[canonical_face("mesh478").indices].astype(np.float64))
        true = apply(clip.rigid, skin)
        warped = warp(clip.frames[clip.apex], face.transform, CONFIG.size)
        refined = refined_transform(face.image, warped, face.transform, CONFIG)
        before.append(apply(face.transform, true) - apply(face.transform, skin))
        after.append(apply(refined, true) - apply(face.transform, skin))
    assert np.square(after).mean() < np.square(before).mean() / 4


def test_the_same_frame_is_not_moved_and_a_flat_one_keeps_the_clips_transform() -> None:
    clip = render_clip(subject=1, n_frames=1, size=(160, 120))
    face = align(clip.frames[0])
    same = refined_transform(face.image, face.image, face.transform, CONFIG)
    np.testing.assert_allclose(same, face.transform, atol=1e-6)
    flat = np.full_like(face.image, 90)
    np.testing.assert_array_equal(refined_transform(flat, face.image, face.transform, CONFIG), face.transform)
    np.testing.assert_array_equal(refined_transform(face.image, flat, face.transform, CONFIG), face.transform)


def test_a_clip_is_refined_only_where_that_is_asked_for() -> None:
    clip = render_clip(subject=1, n_frames=4, size=(160, 120), amplitude=0.0, head_drift=3.0, noise=0)
    plain, refined = align_clip(list(clip.frames)), align_clip(list(clip.frames), config=CONFIG)
    np.testing.assert_array_equal(plain.frames[0], refined.frames[0])

    def change(frames: np.ndarray) -> float:
        inner = frames[:, 24:-24, 24:-24].astype(np.float64)
        return float(np.sqrt(((inner[clip.apex] - inner[0]) ** 2).mean()))

    assert change(refined.frames) < change(plain.frames) / 3
