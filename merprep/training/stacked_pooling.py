"""`PooledConv` of several networks; on a CPU, lot by lot beside a core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from merprep.training.stacked_layers import StackedConv2d, innermost

# Clips that are convolved at once: of more, the output no longer fits beside a core; of fewer, each costs more.
_LOT = 64


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
        from merprep.training.stacked_kernels import pool

        axes = zip(x.shape[2:], padding, weight.shape[3:], strict=True)
        height, width = (side + 2 * by - reach + 1 for side, by, reach in axes)
        found = torch.empty(len(x), height // 2, width // 2, weight.shape[1], dtype=x.dtype)
        places = torch.empty(found.shape, dtype=torch.uint8)
        for number, lot in _lots(len(x), len(weight)):
            y = functional.conv2d(x[lot], weight[number], bias[number], padding=padding)
            pool(innermost(y).numpy(), found[lot].numpy(), places[lot].numpy())
        ctx.save_for_backward(x, weight, places)
        ctx.padding, ctx.sides = padding, (height, width)
        return found.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, places = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0], True, True]
        to_x, to_weight, to_bias = [], torch.zeros_like(weight), torch.zeros_like(weight[:, :, 0, 0, 0])
        given = innermost(gradients[0])
        for number, lot in _lots(len(x), len(weight)):
            whole = _unpooled(given[lot], places[lot], ctx.sides)
            filters = [weight.shape[1]]
            parts = torch.ops.aten.convolution_backward(
                whole, x[lot], weight[number], filters, [1, 1], ctx.padding, [1, 1], False, [0, 0], 1, wanted
            )
            to_x.append(parts[0])
            to_weight[number] += parts[1]
            to_bias[number] += parts[2]
        return torch.cat(to_x) if wanted[0] else None, to_weight, to_bias, None


def _lots(clips: int, networks: int) -> Iterator[tuple[int, slice]]:
    """Yield the clips that are convolved at once, and the number of their network."""
    rows = clips // networks
    for number in range(networks):
        for first in range(number * rows, (number + 1) * rows, _LOT):
            yield number, slice(first, min(first + _LOT, (number + 1) * rows))


def _unpooled(grad: Tensor, places: Tensor, sides: tuple[int, int]) -> Tensor:
    from merprep.training.stacked_kernels import unpool

    height, width = sides
    # An odd last row or column is in no pool, and gets nothing back.
    made = torch.zeros if height % 2 or width % 2 else torch.empty
    whole = made(len(grad), height, width, grad.shape[3], dtype=grad.dtype)
    unpool(grad.numpy(), places.numpy(), whole.numpy())
    return whole.permute(0, 3, 1, 2)
