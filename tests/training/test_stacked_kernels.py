"""The compiled passes of networks side by side, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.models.layers import NormReLU, PooledConv
from merprep.training.stacked_layers import Stack
from merprep.training.stacked_norms import StackedNormReLU
from merprep.training.stacked_pooling import StackedPooledConv

KINDS = [torch.float32, torch.float64]


def _innermost(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sides", [(8, 8), (7, 9), (2, 3)])
def test_a_pooled_convolution_and_its_way_back_are_those_of_torch(kind: torch.dtype, sides: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layers = [PooledConv(3, 5, 3, padding=1).to(kind) for _ in range(2)]
    stacked = StackedPooledConv(Stack(2), layers)
    # More clips than are convolved at once.
    x = _innermost(torch.randn(80, 3, *sides, dtype=kind)).requires_grad_()
    weights = torch.randn(80, 5, sides[0] // 2, sides[1] // 2, dtype=kind)
    found = stacked(x)
    (to_x,) = torch.autograd.grad((found * weights).sum(), x, retain_graph=True)
    torch.autograd.backward((found * weights).sum())
    within = 1e-4 if kind == torch.float32 else 1e-10
    for number, layer in enumerate(layers):
        own = slice(40 * number, 40 * number + 40)
        given = x[own].detach().requires_grad_()
        expected = layer(given)
        torch.autograd.backward((expected * weights[own]).sum())
        assert torch.allclose(found[own], expected, atol=within)
        assert torch.allclose(to_x[own], given.grad, atol=within)
        assert torch.allclose(stacked.weight.grad[number], layer.weight.grad, atol=10 * within)
        assert torch.allclose(stacked.bias.grad[number], layer.bias.grad, atol=10 * within)


def test_of_equal_values_the_first_is_the_largest_and_what_is_no_number_comes_out() -> None:
    layer = PooledConv(1, 1, 1)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.fill_(0)
    stacked = StackedPooledConv(Stack(1), [layer])
    x = torch.tensor([[1.0, 1.0, 2.0, torch.nan], [1.0, 1.0, 3.0, 5.0]]).view(1, 1, 2, 4).requires_grad_()
    found = stacked(x)
    assert found[0, 0, 0, 0] == 1
    assert torch.isnan(found[0, 0, 0, 1])
    torch.autograd.backward(found.sum())
    expected = torch.zeros(1, 1, 2, 4)
    # Torch hands the slope to the last of the values that are no numbers, and so does this.
    places = functional.max_pool2d(x.detach(), 2, return_indices=True)[1].flatten()
    expected.view(-1)[places] = 1
    assert torch.equal(x.grad, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[6, 6], [5, 2]])
def test_norm_and_cut_and_their_way_back_are_those_of_torch(kind: torch.dtype, sizes: list[int]) -> None:
    torch.manual_seed(1)
    layers = [NormReLU(4).to(kind) for _ in range(2)]
    for layer in layers:
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    stacked = StackedNormReLU(Stack(2, sizes=sizes), layers)
    x = _innermost(5 + 2 * torch.randn(12, 4, 5, 3, dtype=kind)).requires_grad_()
    weights = torch.randn(12, 4, 5, 3, dtype=kind)
    found = stacked(x)
    torch.autograd.backward((found * weights).sum())
    within = 1e-4 if kind == torch.float32 else 1e-10
    for number, (layer, size) in enumerate(zip(layers, sizes, strict=True)):
        own, rest = slice(6 * number, 6 * number + size), slice(6 * number + size, 6 * number + 6)
        given = x[own].detach().requires_grad_()
        expected = layer(given)
        torch.autograd.backward((expected * weights[own]).sum())
        assert torch.allclose(found[own], expected, atol=within)
        assert torch.allclose(x.grad[own], given.grad, atol=within)
        assert not found[rest].any()
        assert not x.grad[rest].any()
        for name in ("weight", "bias"):
            assert torch.allclose(getattr(stacked, name).grad[number], getattr(layer, name).grad, atol=10 * within)
        for name in ("running_mean", "running_var"):
            assert torch.allclose(getattr(stacked, name)[number], getattr(layer, name), atol=within)
    stacked.eval()
    assert torch.allclose(stacked(x)[:6], layers[0].eval()(x[:6]), atol=within)


def test_a_map_that_is_no_number_makes_the_norm_none_either() -> None:
    stacked = StackedNormReLU(Stack(1), [NormReLU(2)])
    x = torch.randn(3, 2, 4, 4)
    x[1, 1, 2, 2] = torch.nan
    found = stacked(x)
    assert torch.isfinite(found[:, 0]).all()
    assert torch.isnan(found[:, 1]).all()
