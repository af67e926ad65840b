from __future__ import annotations

import cv2
import numpy as np
import pytest

from merprep.faces.geometry import inverse
from merprep.faces.warp import warp

RAMP = np.tile(np.arange(0, 240, dtype=np.uint8), (240, 1))


def moved(dx: float, dy: float, scale: float = 1.0) -> np.ndarray:
    return np.array([[scale, 0.0, dx], [0.0, scale, dy]])


def test_whole_shifts_copy_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    np.testing.assert_array_equal(warp(image, moved(-7, -11), 48), image[11:59, 7:55])


@pytest.mark.parametrize("interpolation", ["cubic", "linear"])
def test_half_shifts_of_a_ramp_lie_between_its_levels(interpolation: str) -> None:
    shifted = warp(RAMP, moved(-20.5, -20), 64, interpolation=interpolation)
    assert set(np.unique(shifted[10].astype(int) - np.arange(20, 84))) <= {0, 1}


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.7])
def test_cubic_warps_move_a_smooth_wave_by_what_was_asked(fraction: float) -> None:
    x = np.arange(200)
    wave = np.tile(np.rint(127 + 100 * np.sin(x / 4)), (100, 1)).astype(np.uint8)
    expected = 127 + 100 * np.sin((np.arange(64) + 30 + fraction) / 4)
    found = warp(wave, moved(-30 - fraction, -20), 64)[32].astype(float)
    # The steepest slope is 25 levels a pixel, so one level is 0.04 px; rounding alone gives up to half a level twice.
    assert np.abs(found - expected).max() < 1.2
    assert abs((found - expected).mean()) < 0.15


def test_what_lies_outside_repeats_the_border() -> None:
    bordered = warp(RAMP[:100, :100], moved(30, 30), 160)
    assert (bordered[:, :30] == 0).all()
    assert (bordered[:, 131:] == 99).all()


def test_enlarging_then_shrinking_returns_the_picture() -> None:
    image = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8), (0, 0), 3)
    there = np.array([[1.6, 0.4, 3.0], [-0.4, 1.6, 30.0]])
    back = warp(warp(image, there, 160), inverse(there), 64)
    assert np.abs(back.astype(int) - image)[4:-4, 4:-4].mean() < 1.5


def test_shrinking_does_not_alias() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    shrunk = warp(stripes, moved(0, 0, 0.3), 64)
    assert np.abs(shrunk.astype(int) - 127)[2:-2, 2:-2].max() < 12
