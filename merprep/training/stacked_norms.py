"""Batch norm of several networks, each by the statistics of its own true clips; with ReLU, on a CPU in few passes."""

from __future__ import annotations

from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from merprep.training.stacked_layers import StackedBatchNorm2d, innermost


class StackedNormReLU(StackedBatchNorm2d):
    """`NormReLU`."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (networks * B, C, H, W) to the same shape; places without a true clip become 0 in training."""
        if self.stack.in_one or not self.training:
            return functional.relu(super().forward(x))
        self.num_batches_tracked += 1
        sizes = self.stack.true(x.shape[0] // self.stack.networks)
        return cast("Tensor", _NormReLU.apply(x, self.weight, self.bias, sizes, self))  # type: ignore[no-untyped-call]


class _NormReLU(torch.autograd.Function):
    """Batch norm of one network after another, and what is above 0 of it.

    With d the deviation of a channel's n values x, z = (x - mean) / d, and g the slopes that come back over the cut,
    the way back is dL/dx = scale / d (g - mean(g) - z mean(g z)).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, sizes: list[int], norm: StackedBatchNorm2d
    ) -> Tensor:
        from merprep.training.stacked_kernels import moments, norm_and_cut

        values = innermost(x)
        found, counts = _made(values, sizes), _counts(values, sizes)
        each = list(zip(_listed(values, sizes), _listed(found, sizes), strict=True))
        sums = torch.zeros(2, len(sizes), values.shape[3], dtype=torch.float64)
        for number, (own, _) in enumerate(each):
            moments(own, sums[0, number].numpy(), sums[1, number].numpy())
        mean, square = sums / counts
        variance = (square - mean.square()).clamp(min=0)
        norm.remember(slice(None), mean, variance * counts / (counts - 1).clamp(min=1))
        deviation = (variance + norm.eps).sqrt()
        slope = weight.double() / deviation
        lines = slope, bias.double() - mean * slope
        for (own, out), *line in zip(each, *(values_of.to(x.dtype).numpy() for values_of in lines), strict=True):
            norm_and_cut(own, *line, out)
        ctx.save_for_backward(values, found, weight, mean, deviation, counts)
        ctx.sizes = sizes
        return found.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from merprep.training.stacked_kernels import cut_back, norm_back

        values, found, weight, mean, deviation, counts = ctx.saved_tensors
        back = _made(values, ctx.sizes)
        each = [_listed(of, ctx.sizes) for of in (innermost(gradients[0]), found, values, back)]
        total, by_z = sums = torch.zeros(2, len(weight), values.shape[3], dtype=torch.float64)
        for number, (slopes, outputs, own, cut) in enumerate(zip(*each, strict=True)):
            cut_back(slopes, outputs, own, mean[number].numpy(), cut, *sums[:, number].numpy())
        by_z /= deviation
        by_slope = weight.double() / deviation
        by_value = -by_slope * by_z / counts / deviation
        lines = by_slope, by_value, -by_slope * total / counts - by_value * mean
        for own, cut, *line in zip(each[2], each[3], *(line.to(weight.dtype).numpy() for line in lines), strict=True):
            norm_back(cut, own, *line)
        return back.permute(0, 3, 1, 2), by_z.to(weight.dtype), total.to(weight.dtype), None, None


def _made(values: Tensor, sizes: list[int]) -> Tensor:
    """Return room for as many values, which are 0 where there is no true clip."""
    whole = min(sizes) * len(sizes) == len(values)
    return torch.empty_like(values) if whole else torch.zeros_like(values)


def _counts(values: Tensor, sizes: list[int]) -> Tensor:
    """Return how many values a channel of each network has, (networks, 1)."""
    return torch.tensor(sizes, dtype=torch.float64)[:, None] * (values.shape[1] * values.shape[2])


def _listed(values: Tensor, sizes: list[int]) -> list[NDArray[Any]]:
    """Return the true clips of each network, of (B, H, W, C), as (N, C) that share their memory."""
    parts = torch.split(values, len(values) // len(sizes))
    return [part[:size].flatten(0, 2).numpy() for part, size in zip(parts, sizes, strict=True)]
