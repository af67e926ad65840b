from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.errors import ImageError, UsageError
from merprep.temporal import sample_uniformly, uniform_indices


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(["ends", "middles"]))
def test_sampled_indices_exist_never_fall_and_are_evenly_spread(count: int, n: int, at: str) -> None:
    indices = uniform_indices(count, n, at=at)
    steps = np.diff(indices)
    assert len(indices) == n
    assert 0 <= indices.min() <= indices.max() < count
    assert (steps >= 0).all()
    assert np.ptp(steps) <= 1 if n > 1 else indices[0] == count // 2


@given(st.integers(2, 300), st.integers(2, 300))
def test_sampling_at_the_ends_takes_first_and_last_frame(count: int, n: int) -> None:
    indices = uniform_indices(count, n)
    assert (indices[0], indices[-1]) == (0, count - 1)


def test_sampling_as_many_frames_as_there_are_changes_nothing() -> None:
    clip = np.random.default_rng(0).integers(0, 255, (7, 4, 5, 3)).astype(np.uint8)
    assert (sample_uniformly(clip, 7) == clip).all()
    assert (sample_uniformly(clip, 7, at="middles") == clip).all()


def test_sampling_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        uniform_indices(5, 0)
    with pytest.raises(UsageError):
        uniform_indices(5, 3, at="start")
    with pytest.raises(ImageError):
        sample_uniformly(np.zeros((4, 4), np.uint8), 2)
    with pytest.raises(ImageError):
        sample_uniformly(np.full((4, 4, 4), np.nan), 2)
