"""What `estimate` promises of every method: sign, axes, shapes, and a clear refusal of what it cannot use."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from merprep.errors import ConfigError, DeviceError, FlowError, UnknownNameError, UsageError
from merprep.flow import estimate, methods

# RAFT needs torchvision and its weights, and sees no texture of sines; tests/flow/test_more_methods.py has its own.
CLASSICAL = [method for method in methods() if method != "raft"]


def _texture(size: int, dx: float = 0.0, dy: float = 0.0) -> NDArray[np.float32]:
    """Draw a smooth texture that has moved by (dx, dy)."""
    y, x = np.mgrid[:size, :size].astype(np.float64)
    x, y = x - dx, y - dy
    waves = np.sin(x / 2.3 + y / 7.1) + np.cos(y / 3.1 - x / 9.7) + np.sin((x + y) / 4.3)
    return (128 + 35 * waves).astype(np.float32)


def _inner(field: NDArray[np.float32]) -> NDArray[np.float32]:
    return field[..., 12:-12, 12:-12]


@pytest.mark.parametrize("method", CLASSICAL)
def test_what_moves_right_and_up_has_positive_u_and_negative_v(method: str) -> None:
    flow = estimate(_texture(96), _texture(96, 1.0, -0.5), method)
    assert flow.shape == (2, 96, 96)
    assert flow.dtype == np.float32
    assert np.median(_inner(flow)[0]) == pytest.approx(1.0, abs=0.2)
    assert np.median(_inner(flow)[1]) == pytest.approx(-0.5, abs=0.2)


@pytest.mark.parametrize("method", CLASSICAL)
def test_a_batch_gives_the_flow_of_each_pair(method: str) -> None:
    onset = np.stack([_texture(64), _texture(64, 3, 1), _texture(64, 0, 2)]).astype(np.uint8)
    apex = np.stack([_texture(64, 1), _texture(64, 3, 1.5), _texture(64, -0.5, 2)]).astype(np.uint8)
    together = estimate(onset, apex, method)
    assert together.shape == (3, 2, 64, 64)
    for index in range(3):
        np.testing.assert_array_equal(together[index], estimate(onset[index], apex[index], method))


def test_threads_do_not_change_the_result() -> None:
    onset = np.stack([_texture(48, k) for k in range(5)])
    apex = np.stack([_texture(48, k + 0.3, 0.2 * k) for k in range(5)])
    np.testing.assert_array_equal(estimate(onset, apex, threads=1), estimate(onset, apex, threads=3))


def test_equal_images_do_not_move() -> None:
    assert not estimate(_texture(64), _texture(64)).any()


def test_images_of_8_bits_and_the_same_as_floats_give_the_same_flow() -> None:
    onset, apex = _texture(64).astype(np.uint8), _texture(64, 0.5).astype(np.uint8)
    np.testing.assert_array_equal(estimate(onset, apex), estimate(onset.astype(np.float32), apex.astype(np.float32)))


@settings(max_examples=15, deadline=None)
@given(height=st.integers(16, 70), width=st.integers(16, 70), seed=st.integers(0, 99))
def test_any_size_from_16_on_gives_a_finite_field(height: int, width: int, seed: int) -> None:
    onset, apex = np.random.default_rng(seed).integers(0, 256, (2, height, width), np.uint8)
    flow = estimate(onset, apex)
    assert flow.shape == (2, height, width)
    assert np.isfinite(flow).all()


def test_turning_the_images_turns_the_flow() -> None:
    onset, apex = _texture(64), _texture(64, 0.7, 0.3)
    flow = estimate(onset, apex)
    turned = estimate(onset.T, apex.T)
    # Not to the bit: the median runs along rows first.
    assert np.abs(turned[::-1].transpose(0, 2, 1) - flow).mean() < 0.01


def test_a_flipped_pair_has_the_flipped_flow_with_u_negated() -> None:
    onset, apex = _texture(64), _texture(64, 0.7, 0.3)
    flow = estimate(onset, apex)
    flipped = estimate(onset[:, ::-1], apex[:, ::-1])[:, :, ::-1] * np.array([-1, 1])[:, None, None]
    assert np.abs(flipped - flow)[:, 4:-4, 4:-4].mean() < 0.02


_GREY = np.zeros((32, 32), np.uint8)


@pytest.mark.parametrize(
    ("onset", "apex", "message"),
    [
        (_GREY, np.zeros((32, 33), np.uint8), "differ in size"),
        (np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32, 3), np.uint8), "colour channels"),
        (np.zeros((2, 32, 32, 3), np.uint8), np.zeros((2, 32, 32, 3), np.uint8), "colour channels"),
        (np.zeros((32, 32, 3), np.uint8), _GREY, "onset has colour channels"),
        (_GREY, np.zeros((32, 32, 3), np.uint8), "apex has colour channels"),
        (np.zeros((32, 32, 1), np.uint8), np.zeros((32, 32, 1), np.uint8), "one channel"),
        (_GREY, None, "apex is not an image"),
        ("onset.png", "apex.png", "cv2.imread"),
        ([[1, 2], [3]], _GREY, "not an image"),
        (_GREY.astype(np.uint16), _GREY.astype(np.uint16), "type"),
        (_GREY, _GREY.astype(np.uint16), "apex has a type"),
        (_GREY.astype(np.int64), _GREY.astype(np.int64), "type"),
        (np.zeros((0, 32, 32), np.uint8), np.zeros((0, 32, 32), np.uint8), "empty"),
        (np.zeros((8, 40), np.uint8), np.zeros((8, 40), np.uint8), "too small"),
        (np.zeros(32, np.uint8), np.zeros(32, np.uint8), "not an image"),
        (np.full((32, 32), np.nan, np.float32), np.zeros((32, 32), np.float32), "not numbers"),
        (np.full((32, 32), 0.5, np.float32), np.zeros((32, 32), np.float32), "another scale"),
        (np.zeros((32, 32), np.float32), np.full((32, 32), 4000, np.float32), "another scale"),
    ],
)
def test_images_that_cannot_be_used_are_refused_with_the_reason(
    onset: NDArray[np.generic], apex: NDArray[np.generic], message: str
) -> None:
    with pytest.raises(FlowError) as caught:
        estimate(onset, apex)
    assert message in str(caught.value)


def test_nan_is_found_in_the_image_that_has_it() -> None:
    apex = np.full((3, 32, 32), 7, np.float32)
    apex[2, 5, 5] = np.nan
    with pytest.raises(FlowError) as caught:
        estimate(np.zeros((3, 32, 32), np.float32), apex)
    assert "image 2" in str(caught.value)


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="tvl-1") as caught:
        estimate(_GREY, _GREY, "tvl-1")
    assert "did you mean 'tvl1'" in str(caught.value)


def test_a_device_that_a_method_cannot_use_is_an_error_and_auto_is_not() -> None:
    with pytest.raises(DeviceError, match="'farneback' cannot run on cuda"):
        estimate(_GREY, _GREY, "farneback", device="cuda")
    with pytest.raises(UsageError, match="no such device"):
        estimate(_GREY, _GREY, device="gpu")
    assert estimate(_GREY, _GREY, device="auto").shape == (2, 32, 32)


def test_there_is_at_least_one_thread() -> None:
    with pytest.raises(UsageError, match="one thread or more"):
        estimate(_GREY, _GREY, threads=0)


def test_an_unknown_or_impossible_parameter_is_an_error() -> None:
    with pytest.raises(ConfigError, match="warp"):
        estimate(_GREY, _GREY, warp=3)
    with pytest.raises(ConfigError, match="warps"):
        estimate(_GREY, _GREY, warps=0)


def test_the_room_is_imported_and_tvl1_runs_without_opencv() -> None:
    code = (
        "import sys; sys.modules['cv2'] = None\n"
        "import numpy as np\n"
        "from merprep.flow import estimate, strain\n"
        "strain(estimate(np.zeros((32, 32), np.uint8), np.zeros((32, 32), np.uint8)))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
