"""`PooledConv` of several networks; on a CPU, lot by lot beside a core."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from merprep.training.stacked_layers import StackedConv2d

# Clips whose convolution fits beside a core: 16 of 16 x 28 x 28 float32 are 0.8 MB.
_LOT = 16
_POOL = [2, 2]


class StackedPooledConv(StackedConv2d):
    """`PooledConv`."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (networks * B, in, H, W) to (networks * B, out, H' // 2, W' // 2)."""
        if self.stack.in_one:
            return functional.max_pool2d(self.in_one(x), 2)
        found = _ConvPool.apply(x, self.weight, self.bias, self.padding)  # type: ignore[no-untyped-call]
        return cast("Tensor", found)


class _ConvPool(torch.autograd.Function):
    """Convolution and max-pool of one lot after another; of the convolution, only the places of maxima are kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: tuple[int, int]) -> Tensor:
        found, places = [], []
        for own, filters, shift in zip(torch.split(x, len(x) // len(weight)), weight, bias, strict=True):
            for lot in torch.split(own, _LOT):
                y = functional.conv2d(lot, filters, shift, padding=padding)
                pooled, place = functional.max_pool2d(y, 2, return_indices=True)
                found.append(pooled)
                places.append(place)
        ctx.save_for_backward(x, weight)
        ctx.places, ctx.padding, ctx.sides = places, padding, tuple(y.shape[2:])
        return torch.cat(found)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0], True, True]
        given = gradients[0].contiguous(memory_format=torch.channels_last)
        to_x, to_weight, to_bias = [], torch.zeros_like(weight), torch.zeros_like(weight[:, :, 0, 0, 0])
        rows, places = len(x) // len(weight), iter(ctx.places)
        for number, (own, back) in enumerate(zip(torch.split(x, rows), torch.split(given, rows), strict=True)):
            for lot, grad in zip(torch.split(own, _LOT), torch.split(back, _LOT), strict=True):
                whole = _unpooled(grad, next(places), ctx.sides)
                filters = [weight.shape[1]]
                parts = torch.ops.aten.convolution_backward(
                    whole, lot, weight[number], filters, [1, 1], ctx.padding, [1, 1], False, [0, 0], 1, wanted
                )
                to_x.append(parts[0])
                to_weight[number] += parts[1]
                to_bias[number] += parts[2]
        return torch.cat(to_x) if wanted[0] else None, to_weight, to_bias, None


def _unpooled(grad: Tensor, places: Tensor, sides: tuple[int, int]) -> Tensor:
    # The operator asks for what was pooled, of which it looks at nothing but the shape.
    like = torch.empty(*grad.shape[:2], *sides, dtype=grad.dtype, memory_format=torch.channels_last)
    found = torch.ops.aten.max_pool2d_with_indices_backward(grad, like, _POOL, _POOL, [0, 0], [1, 1], False, places)
    return cast("Tensor", found)
