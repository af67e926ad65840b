from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.errors import ImageError, UnknownNameError, UsageError
from merprep.temporal import interpolate, linear_weights, tim_weights

SIZES = st.integers(1, 60)


def by_singular_values(frames: np.ndarray, length: int) -> np.ndarray:
    """TIM as in the paper, step by step: project on the left singular vectors, embed, invert, add the mean."""
    count = len(frames)
    columns = frames.reshape(count, -1).T.astype(np.float64)
    mean = columns.mean(axis=1, keepdims=True)
    left, sizes, right = np.linalg.svd(columns - mean, full_matrices=False)
    left, scores = left[:, : count - 1], np.diag(sizes[: count - 1]) @ right[: count - 1]
    adjacency = np.diag(np.ones(count - 1), 1) + np.diag(np.ones(count - 1), -1)
    laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
    _, vectors = np.linalg.eigh(laplacian)
    embedded = vectors[:, 1:].T  # rows y_k, up to sign and length
    embedding = np.linalg.solve(scores @ scores.T, scores @ embedded.T)  # W: W^T scores = y
    k = np.arange(1, count)[:, None]
    first = np.sin(np.pi * k / count + np.pi * (count - k) / (2 * count))[:, 0]
    ratio = embedded[:, 0] / first  # each eigenvector is a multiple of the curve's samples
    t = np.linspace(1 / count, 1, length)
    curve = ratio[:, None] * np.sin(np.pi * k * t + np.pi * (count - k) / (2 * count))
    new = left @ np.linalg.solve(embedding.T, curve) + mean
    return new.T.reshape(length, *frames.shape[1:])


@pytest.mark.parametrize(("count", "length"), [(3, 7), (9, 20), (20, 10), (12, 12)])
def test_tim_by_weights_is_tim_by_singular_values(count: int, length: int) -> None:
    frames = np.random.default_rng(count).normal(size=(count, 6, 7))
    assert np.allclose(interpolate(frames, length), by_singular_values(frames, length), atol=1e-9)


@given(SIZES, SIZES)
def test_weights_of_every_new_frame_add_up_to_one(count: int, length: int) -> None:
    for weights in (tim_weights(count, length), linear_weights(count, length)):
        assert weights.shape == (length, count)
        assert np.allclose(weights.sum(axis=1), 1)


@given(SIZES)
def test_interpolation_to_the_same_length_changes_nothing(count: int) -> None:
    assert np.allclose(tim_weights(count, count), np.eye(count), atol=1e-9)
    assert np.allclose(linear_weights(count, count), np.eye(count), atol=1e-9)


@pytest.mark.parametrize("method", ["tim", "linear"])
def test_first_and_last_frame_are_kept(method: str) -> None:
    clip = np.random.default_rng(1).integers(0, 256, (11, 8, 9, 3)).astype(np.uint8)
    for length in (5, 30):
        result = interpolate(clip, length, method)
        assert result.dtype == np.uint8
        assert result.shape == (length, 8, 9, 3)
        assert (result[[0, -1]] == clip[[0, -1]]).all()


def test_a_cosine_that_the_graph_knows_is_interpolated_exactly() -> None:
    count, length, k = 10, 37, 3
    t, fine = np.arange(1, count + 1) / count, np.linspace(1 / count, 1, length)
    phase = np.pi * (count - k) / (2 * count)
    clip = np.sin(np.pi * k * t + phase)[:, None, None] * np.ones((1, 2, 2))
    assert np.allclose(interpolate(clip, length)[:, 0, 0], np.sin(np.pi * k * fine + phase))


def test_a_straight_course_stays_straight_when_interpolated_linearly() -> None:
    clip = np.linspace(0, 1, 6)[:, None, None] * np.ones((1, 2, 2))
    assert np.allclose(interpolate(clip, 41, "linear")[:, 1, 1], np.linspace(0, 1, 41))


@pytest.mark.parametrize("method", ["tim", "linear"])
def test_a_still_clip_stays_still_and_one_frame_is_repeated(method: str) -> None:
    still = np.full((5, 4, 4), 77, np.uint8)
    assert (interpolate(still, 9, method) == 77).all()
    assert (interpolate(still[:1], 4, method) == 77).all()
    assert interpolate(still, 1, method).shape == (1, 4, 4)


def test_wrong_calls_of_interpolation_are_refused() -> None:
    clip = np.zeros((3, 4, 4), np.uint8)
    with pytest.raises(UnknownNameError):
        interpolate(clip, 5, "cubic")
    with pytest.raises(UsageError):
        interpolate(clip, 0)
    with pytest.raises(ImageError):
        interpolate(clip.astype(np.int32), 5)
