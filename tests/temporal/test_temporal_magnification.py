from __future__ import annotations

import numpy as np
import pytest

from merprep.errors import ImageError, UsageError
from merprep.temporal import magnify

FPS, COUNT, RATE = 32.0, 32, 2.0  # two whole waves
BAND = {"fps": FPS, "low": 1.0, "high": 4.0}


def swinging(shift: float, *, wavelength: float = 32.0, size: int = 128) -> np.ndarray:
    """A wave of grey levels that swings sideways by `shift` px."""
    x = np.arange(size)
    t = np.arange(COUNT) / FPS
    at = x[None] - shift * np.sin(2 * np.pi * RATE * t)[:, None]
    return np.repeat((128 + 50 * np.sin(2 * np.pi * at / wavelength))[:, None], size, axis=1)


def swing_of(clip: np.ndarray, wavelength: float = 32.0) -> float:
    """The swing in px, from the phase of the wave in the middle rows, away from the edges."""
    x = np.arange(32, 96)
    waves = clip[:, clip.shape[1] // 2, 32:96] @ np.exp(2j * np.pi * x / wavelength)
    shifts = np.angle(waves * np.conj(waves[0])) * wavelength / (2 * np.pi)
    t = np.arange(COUNT) / FPS
    return float(2 * np.mean(shifts * np.sin(2 * np.pi * RATE * t)))


@pytest.mark.parametrize("factor", [2.0, 5.0, 10.0])
def test_a_swing_of_a_tenth_of_a_pixel_looks_one_plus_alpha_times_as_large(factor: float) -> None:
    clip = swinging(0.1)
    assert abs(swing_of(clip)) == pytest.approx(0.1, rel=0.02)
    ratio = swing_of(magnify(clip, factor, **BAND, wavelength=2)) / swing_of(clip)
    assert ratio == pytest.approx(1 + factor, rel=0.1)


def test_motion_outside_of_the_band_and_factor_zero_change_nothing() -> None:
    clip = swinging(0.1)
    assert np.allclose(magnify(clip, 10, fps=FPS, low=5, high=12), clip, atol=1e-2)
    assert np.allclose(magnify(clip, 0, **BAND), clip)


def test_a_still_clip_is_returned_to_the_bit_in_colour_and_odd_sizes() -> None:
    still = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 37, 51, 3)), 9, axis=0).astype(np.uint8)
    result = magnify(still, 20, fps=100, low=5, high=40)
    assert result.dtype == np.uint8
    assert (result == still).all()


def test_flicker_of_the_whole_picture_is_not_magnified() -> None:
    t = np.arange(COUNT) / FPS
    clip = 100 + 5 * np.sin(2 * np.pi * RATE * t)[:, None, None] * np.ones((1, 64, 64))
    assert np.allclose(magnify(clip, 10, **BAND), clip, atol=1e-2)


def test_fine_detail_is_magnified_less_than_coarse() -> None:
    fine, coarse = (
        swing_of(magnify(swinging(0.02, wavelength=w), 20, **BAND, wavelength=64), w)
        / swing_of(swinging(0.02, wavelength=w), w)
        for w in (4.0, 32.0)
    )
    assert fine < 0.5 * coarse


def test_wrong_calls_of_magnification_are_refused() -> None:
    clip = swinging(0.1, size=16)
    for wrong in ({"low": 5, "high": 2}, {"low": 1, "high": 60}, {"low": 0.1, "high": 0.2}, {"fps": 0}):
        with pytest.raises(UsageError):
            magnify(clip, 10, **{**BAND, **wrong})
    with pytest.raises(UsageError):
        magnify(clip, -1, **BAND)
    with pytest.raises(ImageError):
        magnify(clip[:2], 10, **BAND)
