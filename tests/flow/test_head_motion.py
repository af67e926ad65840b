"""Head motion is found beside an expression, taken out exactly, and what is left is as exact as on a still head."""

from __future__ import annotations

import numpy as np
import pytest

from merprep.bench.head_motion import head_motion_errors, moved_pair
from merprep.errors import FlowError
from merprep.flow import estimator
from merprep.flow.head_motion import HeadMotion, after, fit_head_motion, half, inverse, without_head_motion
from merprep.flow.steady import steady_fields

_TURN = np.array([[np.cos(0.02), -np.sin(0.02), 3.0], [np.sin(0.02), np.cos(0.02), -1.0]])
_SHEAR = np.array([[1.01, 0.02, 1.0], [0.0, 0.99, 2.0]])


def _field(matrix: np.ndarray, size: int = 64) -> np.ndarray:
    return HeadMotion(matrix, 0.0, 1.0).field((size, size))


@pytest.mark.parametrize(("matrix", "model"), [(_TURN, "similarity"), (_TURN, "affine"), (_SHEAR, "affine")])
def test_a_rigid_field_is_found_exactly_and_leaves_nothing(matrix: np.ndarray, model: str) -> None:
    flow = _field(matrix)
    found = fit_head_motion(flow, model)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-9)
    assert np.abs(without_head_motion(flow, found.matrix)).max() < 1e-5


def test_an_expression_on_a_third_of_the_face_does_not_move_the_fit() -> None:
    flow = _field(_TURN)
    flow[:, 20:55, 10:50] += np.array([0.8, -0.5])[:, None, None]
    np.testing.assert_allclose(_field(fit_head_motion(flow).matrix), _field(_TURN), atol=1e-6)


def test_only_the_region_counts() -> None:
    flow = _field(_TURN)
    flow[:, :, :40] = 0  # a background that does not move with the head, larger than the face
    region = np.zeros((64, 64), bool)
    region[:, 40:] = True
    np.testing.assert_allclose(fit_head_motion(flow, region=region).matrix, _TURN, atol=1e-8)


def test_what_moved_before_the_head_is_what_remains() -> None:
    y, x = np.mgrid[:64, :64].astype(float)
    expression = np.stack([0.7 * np.exp(-((x - 20) ** 2 + (y - 40) ** 2) / 60), np.zeros_like(x)])
    moved = np.stack([x, y]) + expression
    whole = np.tensordot(_TURN[:, :2], moved, 1) + _TURN[:, 2][:, None, None] - np.stack([x, y])
    np.testing.assert_allclose(without_head_motion(whole, _TURN), expression, atol=1e-5)


def test_affine_maps_compose_invert_and_halve() -> None:
    np.testing.assert_allclose(after(inverse(_SHEAR), _SHEAR), np.eye(2, 3), atol=1e-12)
    np.testing.assert_allclose(after(half(_SHEAR), half(_SHEAR)), _SHEAR, atol=1e-12)


def test_the_same_motion_is_found_whatever_the_images_brightness() -> None:
    pair, head = moved_pair(64, 0.5, shift=2.0, angle=1.0, seed=4)
    onset, apex = (image[None].astype(np.float32) for image in (pair.onset, pair.apex))
    for scale in (1.0, 0.8):
        found = steady_fields(estimator("tvl1"), scale * onset, scale * apex)[1][0]
        assert np.hypot(*(_field(found) - _field(head))).mean() < 0.15


def test_each_pair_of_a_batch_has_its_own_head_motion_and_the_order_does_not_matter() -> None:
    made = [moved_pair(64, 0.5, shift=shift, angle=0.5, seed=seed)[0] for seed, shift in ((1, 0.0), (2, 3.0))]
    onset, apex = (np.stack([getattr(p, n) for p in made]).astype(np.float32) for n in ("onset", "apex"))
    fields, heads = steady_fields(estimator("tvl1"), onset, apex)
    other, others = steady_fields(estimator("tvl1"), onset[::-1].copy(), apex[::-1].copy())
    np.testing.assert_array_equal(fields, other[::-1])
    np.testing.assert_array_equal(heads, others[::-1])
    assert np.hypot(*heads[1][:, 2]) > 1 > np.hypot(*heads[0][:, 2])


def test_a_pair_in_whole_grey_levels_is_the_same_beside_one_that_is_not() -> None:
    made = [moved_pair(48, 0.5, shift=1.0, angle=0.5, seed=seed)[0] for seed in (1, 2)]
    onset, apex = (np.stack([getattr(p, n) for p in made]).astype(np.float32) for n in ("onset", "apex"))
    onset[1], apex[1] = onset[1] + 0.25, apex[1] + 0.25
    together, _ = steady_fields(estimator("tvl1"), onset, apex)
    for k in range(2):
        np.testing.assert_array_equal(together[k], steady_fields(estimator("tvl1"), onset[[k]], apex[[k]])[0][0])


def test_a_fit_without_enough_face_is_refused() -> None:
    with pytest.raises(FlowError, match="Too little of the face"):
        fit_head_motion(_field(_TURN), region=np.zeros((64, 64), bool))
    with pytest.raises(FlowError, match="another size"):
        fit_head_motion(_field(_TURN), image=np.zeros((32, 32)))
    with pytest.raises(FlowError, match="one flow field"):
        fit_head_motion(np.zeros((1, 2, 8, 8)))


@pytest.mark.slow
def test_a_moved_head_costs_at_most_a_quarter_of_the_accuracy_of_a_still_one() -> None:
    for row in head_motion_errors(motions=[(3.0, 1.0)], pairs=4, first_seed=7000):
        assert row.ratio <= 1.25, row
        assert row.strain_ratio <= 1.0, row
