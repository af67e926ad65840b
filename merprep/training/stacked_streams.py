"""STSTNet's three streams, of several networks, as one convolution whose results never leave the cache.

The streams see the same input, so their filters are one convolution of 16. On a CPU its output is the largest thing in
the whole training and is only ever looked at for statistics and for the largest of nine values, so it is made lot by
lot and thrown away, and made again on the way back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.models.ststnet import Stream, Streams
from merprep.training.stacked_layers import Stack, StackedBatchNorm2d, StackedConv2d, StackedLayer

# Clips whose convolution fits beside a core: 16 of 16 x 30 x 30 float32 are 0.9 MB.
_LOT = 16
_PADDING, _POOL = 2, 3


class StackedStreams(StackedLayer):
    """`Streams` of several networks."""

    def __init__(self, stack: Stack, layers: Sequence[nn.Module]) -> None:
        super().__init__(stack, [nn.Identity()])
        joined = [_joined(cast("Streams", layer)) for layer in layers]
        self.conv = StackedConv2d(stack, [conv for conv, _ in joined])
        self.norm = StackedBatchNorm2d(stack, [norm for _, norm in joined])

    def forward(self, x: Tensor) -> Tensor:
        """Map (networks * B, C, 28, 28) to (networks * B, filters, 10, 10)."""
        if self.stack.in_one or not self.training:
            normed = self.norm(functional.relu(self.conv(x)))
            return functional.max_pool2d(normed, _POOL, stride=_POOL, padding=1)
        self.norm.num_batches_tracked += 1
        sizes = self.stack.true(x.shape[0] // self.stack.networks)
        pooled = _PooledNorm.apply(  # type: ignore[no-untyped-call]
            x, self.conv.weight, self.conv.bias, self.norm.weight, self.norm.bias, sizes, self.norm
        )
        return cast("Tensor", pooled)

    def give_back(self, number: int, layer: nn.Module) -> None:
        """Copy what network `number` has learnt into streams of its own."""
        conv, norm = _joined(cast("Streams", layer))
        self.conv.give_back(number, conv)
        self.norm.give_back(number, norm)
        start = 0
        for stream in cast("Streams", layer):
            start = _cut(cast("Stream", stream), conv, norm, start)


def _joined(streams: Streams) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    parts = [cast("Stream", stream) for stream in streams]
    first = parts[0].conv
    filters = sum(part.conv.out_channels for part in parts)
    conv, norm = nn.Conv2d(first.in_channels, filters, 3, padding=_PADDING), nn.BatchNorm2d(filters)
    conv, norm = conv.to(first.weight), norm.to(first.weight)
    for own, all_of in ((conv, [part.conv for part in parts]), (norm, [part.norm for part in parts])):
        state = {
            name: values if not values.dim() else torch.cat([part.state_dict()[name] for part in all_of])
            for name, values in all_of[0].state_dict().items()
        }
        own.load_state_dict(state)
    return conv, norm


def _cut(stream: Stream, conv: nn.Conv2d, norm: nn.BatchNorm2d, start: int) -> int:
    """Give a stream its part of joined layers, from filter `start` on, and return where the next one starts."""
    end = start + stream.conv.out_channels
    for own, whole in ((stream.conv, conv), (stream.norm, norm)):
        state = whole.state_dict()
        own.load_state_dict({name: values[start:end] if values.dim() else values for name, values in state.items()})
    return end


class _PooledNorm(torch.autograd.Function):
    """Convolution, ReLU, batch norm by each network's true clips, max-pool; nothing but pooled values is kept.

    Batch norm is a line through every value, so the largest of nine normed values is the normed largest, or smallest
    where the line falls. With z the normed values, s scale over deviation, and n values a filter, the way back through
    the statistics is dL/dy = s (dL/dz - mean(dL/dz) - z0 mean(dL/dz z0)), z0 being z before scale and shift; dL/dz is
    0 but where a value was the largest.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor, sizes: list[int],
        norm: StackedBatchNorm2d,
    ) -> Tensor:  # fmt: skip
        rows = x.shape[0] // len(sizes)
        found, places, statistics = [], [], []
        for number, size in enumerate(sizes):
            sign = torch.where(scale[number] < 0, -1.0, 1.0).to(x.dtype)
            lots = [_seen(y, sign) for _, y in _convolved(x[number * rows :][:size], weight[number], bias[number])]
            pooled = torch.cat([lot[0] for lot in lots])
            places.append(torch.cat([lot[1] for lot in lots]))
            count = size * lots[0][4]
            mean = torch.stack([lot[2] for lot in lots]).sum(dim=0) / count
            variance = torch.stack([lot[3] for lot in lots]).sum(dim=0) / count - mean.square()
            norm.remember(number, mean, variance * count / max(count - 1, 1))
            deviation = (variance + norm.eps).sqrt()
            normed = ((pooled - mean) / deviation).to(x.dtype)
            statistics.append((normed, mean, deviation, count))
            whole = torch.zeros(rows, *normed.shape[1:], dtype=x.dtype)
            torch.addcmul(shift[number], normed, scale[number], out=whole[:size])
            found.append(whole)
        ctx.save_for_backward(x, weight, bias, scale)
        ctx.sizes, ctx.places, ctx.statistics = sizes, places, statistics
        side = round(found[0].shape[1] ** 0.5)
        return torch.cat(found).view(len(x), side, side, -1).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, scale = ctx.saved_tensors
        rows = x.shape[0] // len(ctx.sizes)
        given = gradients[0].permute(0, 2, 3, 1).reshape(len(x), -1, scale.shape[1])
        grads = [torch.empty_like(values) for values in (weight, bias, scale, scale)]
        for number, size in enumerate(ctx.sizes):
            own = given[number * rows :][:size]
            normed, mean, deviation, count = ctx.statistics[number]
            to_shift, to_scale = own.sum(dim=(0, 1)), (own * normed).sum(dim=(0, 1))
            slope = scale[number] / deviation
            # What every value gets through mean and deviation: a line in the value itself.
            by_value = -slope * to_scale / count / deviation
            level = -slope * to_shift / count - by_value * mean
            lines = (slope.to(x.dtype), by_value.to(x.dtype), level.to(x.dtype))
            images = x[number * rows :][:size]
            to_weight, to_bias = _to_filters(images, weight[number], bias[number], own, ctx.places[number], lines)
            for grad, values in zip(grads, (to_weight, to_bias, to_scale, to_shift), strict=True):
                grad[number] = values
        return None, *grads, None, None


def _convolved(images: Tensor, weight: Tensor, bias: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield lots of clips and their convolutions after ReLU, (B, H * W, filters), channels innermost."""
    for lot in torch.split(images, _LOT):
        y = functional.conv2d(lot, weight, bias, padding=_PADDING).relu_()
        yield lot, y.contiguous(memory_format=torch.channels_last)


def _seen(y: Tensor, sign: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """Return extreme values (B, 100, filters), their places, and sums, sums of squares and number of values."""
    flat = y.permute(0, 2, 3, 1).flatten(0, 2)
    signed = y if bool((sign > 0).all()) else y * sign[:, None, None]
    extreme, places = functional.max_pool2d(signed, _POOL, stride=_POOL, padding=1, return_indices=True)
    sums, squares = flat.sum(dim=0).double(), flat.square().sum(dim=0).double()
    return _listed(extreme) * sign, _listed(places), sums, squares, y.shape[2] * y.shape[3]


def _listed(values: Tensor) -> Tensor:
    return values.permute(0, 2, 3, 1).flatten(1, 2)


def _to_filters(
    images: Tensor, weight: Tensor, bias: Tensor, given: Tensor, places: Tensor, lines: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    slope, by_value, level = lines
    to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(bias)
    start = 0
    for lot, y in _convolved(images, weight, bias):
        part = slice(start, start + len(lot))
        start += len(lot)
        grad = torch.addcmul(level[:, None, None], y, by_value[:, None, None])
        grad.permute(0, 2, 3, 1).view(len(lot), -1, len(bias)).scatter_add_(1, places[part], given[part] * slope)
        grad = torch.ops.aten.threshold_backward(grad, y, 0)
        parts = torch.ops.aten.convolution_backward(
            grad, lot, weight, list(bias.shape), [1, 1], [_PADDING] * 2, [1, 1], False, [0, 0], 1, [False, True, True]
        )
        to_weight += parts[1]
        to_bias += parts[2]
    return to_weight, to_bias
