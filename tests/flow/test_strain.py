"""Strain on fields whose strain is known (facts of continuum mechanics, not of any implementation)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from merprep.errors import FlowError
from merprep.flow import strain
from merprep.flow.strain import (
    curl,
    divergence,
    strain_components,
    strain_swapped_axes,
    strain_without_shear,
)

_Y, _X = np.mgrid[:64, :64].astype(np.float64)
_S = 0.02


def _field(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.stack([u, v]).astype(np.float32)


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_strain_of_a_translation_is_zero(u: float, v: float) -> None:
    assert strain(_field(0 * _X + u, 0 * _X + v)).max() <= 1e-5


def test_strain_of_a_rotation_is_zero_to_first_order() -> None:
    assert strain(_field(-_S * _Y, _S * _X)).max() <= 1e-5
    # A true rotation leaves cos(angle) - 1 on the diagonal, and nothing of first order.
    true = _field((np.cos(_S) - 1) * _X - np.sin(_S) * _Y, np.sin(_S) * _X + (np.cos(_S) - 1) * _Y)
    np.testing.assert_allclose(strain(true), np.sqrt(2) * (1 - np.cos(_S)), atol=2e-6)


@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        ("stretch in x", _field(_S * _X, 0 * _X), 0.0200),
        ("stretch in y", _field(0 * _X, _S * _Y), 0.0200),
        ("isotropic expansion", _field(_S * _X, _S * _Y), 0.0283),
        ("pure shear", _field(_S * _Y, _S * _X), 0.0283),
    ],
)
def test_strain_has_its_analytic_value_borders_included(name: str, field: NDArray[np.float32], expected: float) -> None:
    np.testing.assert_allclose(strain(field), expected, atol=5e-5, err_msg=name)


def test_strain_of_a_batch_is_the_strain_of_each_field() -> None:
    fields = np.random.default_rng(0).normal(size=(3, 4, 2, 16, 20)).astype(np.float32)
    together = strain(fields)
    assert together.shape == (3, 4, 16, 20)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together[1, 2], strain(fields[1, 2]))


@pytest.mark.parametrize("shape", [(16, 16), (3, 16, 16), (2, 1, 16), (2, 0, 0)])
def test_what_is_no_field_has_no_strain(shape: tuple[int, ...]) -> None:
    with pytest.raises(FlowError, match="at least 2 by 2"):
        strain(np.zeros(shape, np.float32))


def test_strain_is_the_length_of_its_components_and_the_wrong_recipes_differ_from_it() -> None:
    flow = np.random.default_rng(3).normal(size=(2, 2, 12, 14))
    xx, yy, xy = np.moveaxis(strain_components(flow), -3, 0)
    np.testing.assert_allclose(strain(flow), np.sqrt(xx**2 + yy**2 + 2 * xy**2), rtol=1e-5)
    np.testing.assert_allclose(divergence(flow), xx + yy, atol=1e-6)
    for wrong in (strain_swapped_axes, strain_without_shear):
        assert np.abs(wrong(flow) - strain(flow)).mean() > 0.05


def test_a_turn_has_curl_alone_and_a_growth_divergence_alone() -> None:
    y, x = 0.01 * np.mgrid[:16, :16]
    turn, growth = np.stack([-y, x]), np.stack([x, y])
    np.testing.assert_allclose(curl(turn), 0.02, atol=1e-7)
    np.testing.assert_allclose(divergence(growth), 0.02, atol=1e-7)
    assert not np.abs(divergence(turn)).max() > 1e-7
    assert not np.abs(curl(growth)).max() > 1e-7
