"""Our TV-L1: against a plain float64 reference, and against OpenCV on motion that is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from merprep.bench.known_motion import bump_field, face_photo, motion_pair, relative_epe
from merprep.flow import estimate
from merprep.flow.tvl1 import TvL1Parameters
from merprep.flow.tvl1_reference import reference_flow


@pytest.mark.parametrize(("size", "amplitude"), [(48, 0.5), (61, 1.5)])
@pytest.mark.parametrize("median", [True, False])
def test_the_compiled_engine_agrees_with_a_plain_float64_reference(size: int, amplitude: float, median: bool) -> None:
    pair = motion_pair(size, amplitude, seed=3)
    settings = TvL1Parameters(median=median)
    reference = reference_flow(pair.onset, pair.apex, settings)
    flow = estimate(pair.onset, pair.apex, median=median)
    assert np.hypot(*(flow - reference)).mean() < 1e-3


def test_the_engine_agrees_with_the_reference_under_other_parameters() -> None:
    pair = motion_pair(50, 1.0, seed=4)
    settings = TvL1Parameters(attachment=0.1, tightness=0.3, scales=3, scale_step=0.5, warps=2, iterations=7)
    reference = reference_flow(pair.onset, pair.apex, settings)
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
