"""Our TV-L1: against a plain float64 reference, and against OpenCV on motion that is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from merprep.bench.known_motion import bump_field, face_photo, motion_pair, relative_epe
from merprep.features.resize import area_average
from merprep.flow import estimate
from merprep.flow.tvl1 import TvL1Parameters, level_sizes

Array = NDArray[np.float64]


def _reference(onset: Array, apex: Array, settings: TvL1Parameters) -> Array:
    """Follow the equations of merprep.flow.tvl1 step by step in float64, whole images at a time."""
    flow: Array | None = None
    for height, width in level_sizes(*onset.shape, settings.scales, settings.scale_step)[::-1]:
        first, second = (area_average(image, (int(height), int(width))).astype(float) for image in (onset, apex))
        w = np.zeros((2, height, width)) if flow is None else _grown(flow, int(height), int(width))
        p = np.zeros((2, 2, height, width))
        for _ in range(settings.warps):
            warped, valid = _warped(second, w)
            g = np.stack([_central(warped, 1), _central(warped, 0)]) * valid
            rho0 = (warped - first) * valid - (g * w).sum(0)
            for _ in range(settings.iterations):
                bound = settings.attachment * settings.tightness
                d = np.clip(-(rho0 + (g * w).sum(0)) / np.maximum((g * g).sum(0), 1e-6), -bound, bound)
                w = w + d * g + settings.tightness * np.stack([_divergence(*p[0]), _divergence(*p[1])])
                ratio = settings.time_step / settings.tightness
                for component in range(2):
                    gradient = np.stack(_forward(w[component]))
                    p[component] = (p[component] + ratio * gradient) / (1 + ratio * np.hypot(*gradient))
            if settings.median:
                w = np.stack([_median(component) for component in w])
        flow = w
    assert flow is not None
    return flow


def _central(image: Array, axis: int) -> Array:
    padded = np.pad(image, 1, mode="edge")
    inner = padded[1:-1] if axis == 1 else padded[:, 1:-1]
    return (np.take(inner, range(2, inner.shape[axis]), axis) - np.take(inner, range(inner.shape[axis] - 2), axis)) / 2


def _forward(field: Array) -> tuple[Array, Array]:
    return np.diff(field, axis=1, append=field[:, -1:]), np.diff(field, axis=0, append=field[-1:])


def _divergence(p1: Array, p2: Array) -> Array:
    return np.diff(p1, axis=1, prepend=0) + np.diff(p2, axis=0, prepend=0)


def _median(field: Array) -> Array:
    rows = np.pad(field, ((0, 0), (2, 2)), mode="edge")
    field = np.median([rows[:, k : k + field.shape[1]] for k in range(5)], axis=0)
    columns = np.pad(field, ((2, 2), (0, 0)), mode="edge")
    return np.asarray(np.median([columns[k : k + field.shape[0]] for k in range(5)], axis=0))


def _warped(image: Array, w: Array) -> tuple[Array, Array]:
    height, width = image.shape
    y, x = np.mgrid[:height, :width] + w[::-1]
    valid = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    result = np.zeros(image.shape)
    for i in range(-1, 3):
        for j in range(-1, 3):
            rows = np.clip(np.floor(y).astype(int) + i, 0, height - 1)
            columns = np.clip(np.floor(x).astype(int) + j, 0, width - 1)
            result += _keys(np.floor(y) + i - y) * _keys(np.floor(x) + j - x) * image[rows, columns]
    return result, valid.astype(float)


def _keys(t: Array) -> Array:
    t = np.abs(t)
    a = -0.625
    near, far = ((a + 2) * t - (a + 3)) * t * t + 1, a * (((t - 5) * t + 8) * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _grown(flow: Array, height: int, width: int) -> Array:
    scale = np.array([width / flow.shape[2], height / flow.shape[1]])[:, None, None]
    for axis, size in ((1, height), (2, width)):
        old = flow.shape[axis]
        position = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.minimum(position.astype(int), old - 2)
        part = (position - low).reshape([size if k == axis else 1 for k in range(3)])
        flow = np.take(flow, low, axis) * (1 - part) + np.take(flow, low + 1, axis) * part
    return flow * scale


@pytest.mark.parametrize(("size", "amplitude"), [(48, 0.5), (61, 1.5)])
@pytest.mark.parametrize("median", [True, False])
def test_the_compiled_engine_agrees_with_a_plain_float64_reference(size: int, amplitude: float, median: bool) -> None:
    pair = motion_pair(size, amplitude, seed=3)
    settings = TvL1Parameters(median=median)
    reference = _reference(pair.onset.astype(float), pair.apex.astype(float), settings)
    flow = estimate(pair.onset, pair.apex, median=median)
    assert np.hypot(*(flow - reference)).mean() < 1e-3


def test_the_engine_agrees_with_the_reference_under_other_parameters() -> None:
    pair = motion_pair(50, 1.0, seed=4)
    settings = TvL1Parameters(attachment=0.1, tightness=0.3, scales=3, scale_step=0.5, warps=2, iterations=7)
    reference = _reference(pair.onset.astype(float), pair.apex.astype(float), settings)
    flow = estimate(pair.onset, pair.apex, **settings.model_dump())
    assert np.hypot(*(flow - reference)).mean() < 1e-3


def _errors(size: int, amplitude: float, seeds: range) -> tuple[float, float]:
    pairs = [motion_pair(size, amplitude, seed=seed) for seed in seeds]
    onset, apex = np.stack([pair.onset for pair in pairs]), np.stack([pair.apex for pair in pairs])
    errors = [
        np.mean([relative_epe(flow, pair.flow) for flow, pair in zip(estimate(onset, apex, name), pairs, strict=True)])
        for name in ("tvl1", "opencv-tvl1")
    ]
    return float(errors[0]), float(errors[1])


@pytest.mark.parametrize(("size", "amplitude"), [(112, 0.25), (112, 1.0)])
def test_micro_motion_is_found_more_accurately_than_by_opencv(size: int, amplitude: float) -> None:
    ours, opencv = _errors(size, amplitude, range(1000, 1003))
    assert ours < opencv


@pytest.mark.slow
@pytest.mark.parametrize("size", [112, 224])
@pytest.mark.parametrize("amplitude", [0.25, 0.5, 1.0, 2.0])
def test_every_cell_of_the_suite_is_below_opencv_on_seeds_that_tuning_never_saw(size: int, amplitude: float) -> None:
    ours, opencv = _errors(size, amplitude, range(5000, 5006))
    assert ours < 0.95 * opencv


@pytest.mark.slow
@pytest.mark.parametrize("amplitude", [0.25, 1.0, 2.0])
def test_motion_made_by_opencvs_own_interpolation_is_found_more_accurately_too(amplitude: float) -> None:
    ours, opencv = [], []
    for seed in range(5):
        rng = np.random.default_rng(9000 + seed)
        photo, field = face_photo(224), bump_field(224, amplitude, rng)
        y, x = np.mgrid[:224, :224] + field[::-1]
        onset = cv2.remap(photo.astype(np.float32), x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC)
        images = [np.clip(np.rint(i + rng.normal(size=i.shape)), 0, 255).astype(np.uint8) for i in (onset, photo)]
        ours.append(relative_epe(estimate(*images), field))
        opencv.append(relative_epe(estimate(*images, "opencv-tvl1"), field))
    assert np.mean(ours) < 0.95 * np.mean(opencv)


def test_large_motion_in_plain_regions_stays_finite() -> None:
    onset = np.zeros((64, 64), np.uint8)
    apex = np.zeros((64, 64), np.uint8)
    onset[20:40, 20:40], apex[30:50, 12:32] = 255, 255
    assert np.isfinite(estimate(onset, apex)).all()
