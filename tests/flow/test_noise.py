"""Noise is measured beside texture and motion, quiet pairs stay as they are, and noisy ones lose less motion."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from merprep.bench.head_motion import moved_pair
from merprep.bench.known_motion import MotionPair, motion_pair, relative_epe
from merprep.flow import estimate
from merprep.flow.noise import adapted, adapted_batch, noise_level
from merprep.flow.tvl1 import TvL1Parameters
from merprep.flow.tvl1_batch import PlainSteps, solve
from merprep.flow.tvl1_reference import reference_flow


def _floats(pair: MotionPair) -> tuple[np.ndarray, np.ndarray]:
    return pair.onset.astype(np.float32), pair.apex.astype(np.float32)


@pytest.mark.parametrize("size", [56, 112, 224])
@pytest.mark.parametrize("noise", [0, 1, 2, 4, 8])
def test_the_level_is_that_of_the_noise_whatever_the_face_and_its_motion(size: int, noise: int) -> None:
    for face, amplitude in ((0, 0.25), (1, 2.0)):
        pair = motion_pair(size, amplitude, seed=3, noise=noise, face=face)
        assert abs(noise_level(*_floats(pair)) - noise) <= max(1, noise // 4) * (noise != 1)


@pytest.mark.parametrize("size", [112, 224])
def test_a_head_that_moves_is_not_taken_for_noise(size: int) -> None:
    assert noise_level(*_floats(moved_pair(size, 0.5, shift=3.0, angle=1.0, seed=2)[0])) < 2


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_quiet_pairs_are_not_touched(noise: float) -> None:
    pair = motion_pair(96, 1.0, seed=5, noise=noise)
    first, second = _floats(pair)
    changed = adapted(first, second)
    assert changed[0] is first
    assert changed[1] is second
    np.testing.assert_array_equal(
        estimate(pair.onset, pair.apex), estimate(pair.onset, pair.apex, adapt_to_noise=False)
    )


def test_a_batch_of_quiet_and_noisy_pairs_is_changed_as_each_pair_alone() -> None:
    pairs = [_floats(motion_pair(57, 1.0, seed=k, noise=noise, face=k)) for k, noise in enumerate((0, 1, 2, 4, 7))]
    onset, apex = (np.stack([pair[k] for pair in pairs]) for k in range(2))
    together = adapted_batch(torch.from_numpy(onset), torch.from_numpy(apex))
    for index, pair in enumerate(pairs):
        for found, expected in zip(together, adapted(*pair), strict=True):
            # A pixel on the edge between two steps may fall to either side.
            assert (np.abs(found[index].numpy() - expected) > 1e-3).mean() < 1e-3


def test_engines_agree_on_a_noisy_pair() -> None:
    pair = motion_pair(49, 1.0, seed=8, noise=4.0)
    flow = estimate(pair.onset, pair.apex)
    assert np.hypot(*(flow - reference_flow(pair.onset, pair.apex))).mean() < 1e-3
    tensors = [torch.from_numpy(image)[None] for image in _floats(pair)]
    plain = solve(*tensors, TvL1Parameters(), PlainSteps())[0].numpy()
    assert np.hypot(*(flow - plain)).mean() < 1e-2


@pytest.mark.parametrize(("size", "amplitude"), [(56, 1.0), (112, 0.5)])
def test_noisy_motion_is_found_more_accurately_than_without_and_than_by_opencv(size: int, amplitude: float) -> None:
    errors = []
    for seed in range(8000, 8003):
        pair = motion_pair(size, amplitude, seed=seed, noise=4.0, face=seed % 4)
        fields = [estimate(pair.onset, pair.apex), estimate(pair.onset, pair.apex, adapt_to_noise=False),
                  estimate(pair.onset, pair.apex, "opencv-tvl1")]  # fmt: skip
        errors.append([relative_epe(field, pair.flow) for field in fields])
    ours, without, opencv = np.mean(errors, axis=0)
    assert ours < 0.8 * without
    assert ours < 0.9 * opencv
