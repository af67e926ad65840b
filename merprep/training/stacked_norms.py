"""Batch norm of several networks, each by the statistics of its own true clips; with ReLU, on a CPU in few passes."""

from __future__ import annotations

from typing import Any, cast

import torch
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

        values = innermost(x.detach())
        found, statistics, rows = torch.zeros_like(values), [], len(x) // len(sizes)
        for number, size in enumerate(sizes):
            own, out = (_listed(each, number * rows, size) for each in (values, found))
            sums = torch.zeros(2, own.shape[1], dtype=torch.float64)
            moments(own.numpy(), *sums.numpy())
            mean, square = sums / len(own)
            variance = (square - mean.square()).clamp(min=0)
            norm.remember(number, mean, variance * len(own) / max(len(own) - 1, 1))
            deviation = (variance + norm.eps).sqrt()
            slope = weight[number].detach().double() / deviation
            level = bias[number].detach().double() - mean * slope
            norm_and_cut(own.numpy(), slope.to(x.dtype).numpy(), level.to(x.dtype).numpy(), out.numpy())
            statistics.append((mean, deviation))
        ctx.save_for_backward(values, found, weight)
        ctx.sizes, ctx.statistics = sizes, statistics
        return found.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from merprep.training.stacked_kernels import cut_back, norm_back

        values, found, weight = ctx.saved_tensors
        given = innermost(gradients[0])
        back, rows = torch.zeros_like(values), len(values) // len(ctx.sizes)
        to_weight, to_bias = torch.empty_like(weight), torch.empty_like(weight)
        for number, (size, (mean, deviation)) in enumerate(zip(ctx.sizes, ctx.statistics, strict=True)):
            slopes, outputs, own, cut = (
                _listed(each, number * rows, size).numpy() for each in (given, found, values, back)
            )
            sums = torch.zeros(2, own.shape[1], dtype=torch.float64)
            cut_back(slopes, outputs, own, mean.numpy(), cut, *sums.numpy())
            total, by_z = sums[0], sums[1] / deviation
            by_slope = weight[number].double() / deviation
            by_value = -by_slope * by_z / len(own) / deviation
            level = -by_slope * total / len(own) - by_value * mean
            norm_back(cut, own, *(line.to(weight.dtype).numpy() for line in (by_slope, by_value, level)))
            to_weight[number], to_bias[number] = by_z, total
        return back.permute(0, 3, 1, 2), to_weight, to_bias, None, None


def _listed(values: Tensor, first: int, count: int) -> Tensor:
    """Return some clips of (B, H, W, C) as (N, C)."""
    return values[first : first + count].flatten(0, 2)
