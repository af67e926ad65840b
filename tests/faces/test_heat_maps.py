from __future__ import annotations

import numpy as np
import pytest

from merprep.errors import FaceError
from merprep.faces.backends.base import FaceBox
from merprep.faces.backends.fan import crop_transform
from merprep.faces.geometry import scale_of
from merprep.faces.heat_maps import peaks

# Cells of the network's maps in pixels of an image whose face box is 200 px wide and high: 7.6.
CELL = 4 / scale_of(crop_transform(FaceBox(0, 0, 200, 200, 1.0)))


def gaussians(centres: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:64, :64]
    squared = (x - centres[:, 0, None, None]) ** 2 + (y - centres[:, 1, None, None]) ** 2
    return np.exp(-squared / (2 * sigma**2))


def rms(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).mean()))


@pytest.mark.parametrize(("noise", "limit"), [(0.0, 0.05), (0.01, 0.1), (0.03, 0.25)])
def test_peaks_lie_where_they_were_put_to_a_fraction_of_a_pixel(noise: float, limit: float) -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(5, 58, (300, 2))
    points, heat = peaks(gaussians(centres) + noise * rng.standard_normal((300, 64, 64)))
    assert 7 < CELL < 8
    assert rms(points, centres) * CELL < limit
    assert (heat > 0.7).all()


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.5, 2.0, 3.0])
def test_wide_and_narrow_peaks_are_read_within_a_quarter_of_a_pixel(sigma: float) -> None:
    rng = np.random.default_rng(2)
    centres = rng.uniform(1, 62, (200, 2))
    maps = 0.8 * gaussians(centres, sigma)
    assert rms(peaks(maps)[0], centres) * CELL < 0.01
    noisy = maps + 0.02 + 0.008 * rng.standard_normal(maps.shape)  # on a background, and noise of 1 % of the peak
    assert rms(peaks(noisy)[0], centres) * CELL < 0.15


def test_a_second_weaker_peak_does_not_pull() -> None:
    centres = np.random.default_rng(3).uniform(15, 40, (100, 2))
    two = gaussians(centres) + 0.6 * gaussians(centres + np.array([6.0, 5.0]))
    assert rms(peaks(two)[0], centres) * CELL < 0.1


@pytest.mark.parametrize("shift", [0.25, 0.5, 1.0])
def test_shifts_of_a_face_by_parts_of_a_pixel_are_followed(shift: float) -> None:
    centres = np.random.default_rng(1).uniform(5, 58, (200, 2))
    moved = centres + shift / CELL
    apart = peaks(gaussians(moved))[0] - peaks(gaussians(centres))[0]
    assert rms(apart * CELL, np.full_like(apart, shift)) < 0.06


def test_scaling_the_heat_moves_no_peak() -> None:
    maps = gaussians(np.array([[20.4, 33.1], [9.75, 50.5]]))
    np.testing.assert_allclose(peaks(5 * maps)[0], peaks(maps)[0], atol=1e-9)


def test_a_peak_at_the_edge_stays_within_the_map_and_an_empty_map_gives_a_point() -> None:
    points, _ = peaks(gaussians(np.array([[0.0, 0.0], [63.0, 31.0]])))
    assert np.abs(points - [[0, 0], [63, 31]]).max() < 1
    assert np.isfinite(peaks(np.zeros((2, 64, 64)))[0]).all()


def test_what_is_no_heat_map_is_refused() -> None:
    with pytest.raises(FaceError, match="heat maps"):
        peaks(np.zeros((4, 4)))
    with pytest.raises(FaceError, match="heat maps"):
        peaks(np.full((64, 64), np.nan))
