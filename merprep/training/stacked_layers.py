"""Layers of several networks of one kind as one layer: parameters stacked, one batch after another.

A stacked layer holds the parameters of `networks` layers, (networks, ...), and maps (networks * B, ...), the batches of
all of them one after another. Everything between such layers that treats each clip by itself (pooling, ReLU, reshaping)
needs no change, and no network sees anything of another.

Batches of unequal length are filled up to B; batch norm and dropout, which alone look beyond a clip, work on the true
clips only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

# Dropout compares 16 random bits, four clips' worth to each 64-bit draw.
_STEPS = 1 << 16


@dataclass
class Stack:
    """What the layers of one stack share.

    Parameters
    ----------
    networks : int
    generators : list of torch.Generator
        Each network's own randomness.
    sizes : list of int
        True clips of each network in the present batch; empty where all places are true clips.
    in_one : bool
        Whether all networks go through each layer in one product, as a GPU likes it, or one after another.
    """

    networks: int
    generators: list[torch.Generator] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    in_one: bool = False

    def true(self, rows: int) -> list[int]:
        """Return how many of `rows` places hold a true clip, for each network."""
        return self.sizes or [rows] * self.networks


def innermost(x: Tensor) -> Tensor:
    """Return (B, C, H, W) as contiguous (B, H, W, C), as it is where its channels are innermost already."""
    return x.permute(0, 2, 3, 1).contiguous()


class StackedLayer(nn.Module):
    """A layer of several networks; a subclass a kind of layer."""

    def __init__(self, stack: Stack, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.stack = stack
        for name, _ in layers[0].named_parameters(recurse=False):
            values = torch.stack([cast("Tensor", getattr(layer, name)).detach() for layer in layers])
            self.register_parameter(name, nn.Parameter(values))
        for name, _ in layers[0].named_buffers(recurse=False):
            self.register_buffer(name, torch.stack([cast("Tensor", getattr(layer, name)) for layer in layers]))

    def give_back(self, number: int, layer: nn.Module) -> None:
        """Copy what network `number` has learnt into a layer of its own."""
        with torch.no_grad():
            for name, values in [*self.named_parameters(recurse=False), *self.named_buffers(recurse=False)]:
                cast("Tensor", getattr(layer, name)).copy_(values[number])

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(self.stack.networks, -1, x.shape[-1])


class StackedLinear(StackedLayer):
    """`nn.Linear`, and `Projection`."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, stack: Stack, layers: Sequence[nn.Linear]) -> None:
        super().__init__(stack, layers)
        if "bias" not in self._parameters:
            self.bias = None

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """Map (networks * B, ..., in) to (networks * B, ..., out), from output `first` on."""
        weight = self.weight[:, first:].transpose(1, 2)
        if self.bias is None:
            y = torch.bmm(self._split(x), weight)
        else:
            y = torch.baddbmm(self.bias[:, None, first:], self._split(x), weight)
        return y.view(*x.shape[:-1], y.shape[-1])


class StackedConv2d(StackedLayer):
    """`nn.Conv2d`: one call a network on a CPU, where one is fast; one product of patches for all on a GPU."""

    weight: Tensor
    bias: Tensor

    def __init__(self, stack: Stack, layers: Sequence[nn.Conv2d]) -> None:
        super().__init__(stack, layers)
        self.padding = cast("tuple[int, int]", layers[0].padding)
        self.stride = cast("tuple[int, int]", layers[0].stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (networks * B, in, H, W) to (networks * B, out, H', W')."""
        return self.in_one(x) if self.stack.in_one else self.one_by_one(x)

    def one_by_one(self, x: Tensor) -> Tensor:
        """Convolve network after network."""
        parts = torch.split(x, x.shape[0] // self.stack.networks)
        found = [
            functional.conv2d(part, weight, bias, self.stride, self.padding)
            for part, weight, bias in zip(parts, self.weight, self.bias, strict=True)
        ]
        return found[0] if len(found) == 1 else torch.cat(found)

    def in_one(self, x: Tensor) -> Tensor:
        """Convolve all networks in one batched product of patches and filters."""
        kernel = self.weight.shape[-2:]
        axes = zip(x.shape[2:], self.padding, kernel, self.stride, strict=True)
        sides = [(side + 2 * padding - reach) // step + 1 for side, padding, reach, step in axes]
        patches = functional.unfold(x, kernel, padding=self.padding, stride=self.stride).transpose(1, 2)
        weight = self.weight.flatten(2).transpose(1, 2)
        y = torch.baddbmm(self.bias[:, None], self._split(patches), weight)
        return y.view(x.shape[0], *sides, y.shape[-1]).permute(0, 3, 1, 2)


class StackedBatchNorm2d(StackedLayer):
    """`nn.BatchNorm2d`, with statistics of each network's true clips alone."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, stack: Stack, layers: Sequence[nn.BatchNorm2d]) -> None:
        super().__init__(stack, layers)
        self.eps, self.momentum = layers[0].eps, cast("float", layers[0].momentum)

    def forward(self, x: Tensor) -> Tensor:
        """Map (networks * B, C, H, W) to the same shape; places without a true clip become 0 in training."""
        if self.training:
            self.num_batches_tracked += 1
        return self.in_one(x) if self.stack.in_one else self.one_by_one(x)

    def remember(self, networks: int | slice, mean: Tensor, variance: Tensor) -> None:
        """Bring a batch's statistics into the running ones of some networks."""
        with torch.no_grad():
            self.running_mean[networks].lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var[networks].lerp_(variance.to(self.running_var.dtype), self.momentum)

    def one_by_one(self, x: Tensor) -> Tensor:
        """Normalise network after network."""
        rows = x.shape[0] // self.stack.networks
        if self.training:
            running = (self.running_mean, self.running_var, self.momentum, self.eps)
            normed = _TrainingNorm.apply(x, self.weight, self.bias, self.stack.true(rows), *running)  # type: ignore[no-untyped-call]
            return cast("Tensor", normed)
        own = zip(torch.split(x, rows), self.running_mean, self.running_var, self.weight, self.bias, strict=True)
        return torch.cat([functional.batch_norm(*part, training=False, eps=self.eps) for part in own])

    def in_one(self, x: Tensor) -> Tensor:
        """Normalise all networks together, with a mask over the true clips."""
        y = x.view(self.stack.networks, -1, *x.shape[1:])
        if self.training:
            mean, variance, mask = self._measured(y)
        else:
            mean, variance, mask = self.running_mean, self.running_var, None
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        y = torch.addcmul(shift[:, None, :, None, None], y, scale[:, None, :, None, None])
        return (y if mask is None else y * mask).view(x.shape)

    def _measured(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows = y.shape[1]
        sizes = torch.tensor(self.stack.true(rows), device=y.device)
        mask = (torch.arange(rows, device=y.device) < sizes[:, None])[:, :, None, None, None].to(y.dtype)
        count = (sizes * y.shape[3] * y.shape[4])[:, None]
        mean = (y * mask).sum(dim=(1, 3, 4)) / count
        variance = ((y - mean[:, None, :, None, None]).square() * mask).sum(dim=(1, 3, 4)) / count
        self.remember(slice(None), mean, variance * count / (count - 1).clamp(min=1))
        return mean, variance, mask


class _TrainingNorm(torch.autograd.Function):
    """Batch norm of one network after another, with running statistics.

    Written out, because slices of a tensor that has its channels innermost lose that order on their way back.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, sizes: list[int], mean: Tensor, var: Tensor,
        momentum: float, eps: float,
    ) -> Tensor:  # fmt: skip
        y, kept, rows = torch.zeros_like(x), [], x.shape[0] // len(sizes)
        for number, size in enumerate(sizes):
            own = slice(number * rows, number * rows + size)
            settings = (weight[number], bias[number], mean[number], var[number], True, momentum, eps)
            y[own], *statistics = torch.ops.aten.native_batch_norm(x[own], *settings)
            kept += statistics
        ctx.save_for_backward(x, weight, *kept)
        ctx.sizes, ctx.eps = sizes, eps
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *kept = ctx.saved_tensors
        given = gradients[0].contiguous(memory_format=torch.channels_last)
        found, rows = torch.zeros_like(x), x.shape[0] // len(ctx.sizes)
        weights, biases = torch.empty_like(weight), torch.empty_like(weight)
        for number, size in enumerate(ctx.sizes):
            own = slice(number * rows, number * rows + size)
            settings = (weight[number], None, None, *kept[2 * number : 2 * number + 2], True, ctx.eps, [True] * 3)
            parts = torch.ops.aten.native_batch_norm_backward(given[own], x[own], *settings)
            found[own], weights[number], biases[number] = parts
        return found, weights, biases, None, None, None, None, None


class StackedLayerNorm(StackedLayer):
    """`nn.LayerNorm` over the last axis."""

    weight: Tensor
    bias: Tensor

    def __init__(self, stack: Stack, layers: Sequence[nn.LayerNorm]) -> None:
        super().__init__(stack, layers)
        self.eps = layers[0].eps

    def forward(self, x: Tensor) -> Tensor:
        """Map (networks * B, ..., C) to the same shape."""
        normed = functional.layer_norm(x, x.shape[-1:], eps=self.eps)
        return torch.addcmul(self.bias[:, None], self._split(normed), self.weight[:, None]).view(x.shape)


class StackedPosition(StackedLayer):
    """HTNet's `Position`."""

    weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Map (networks * B, S, C) to the same shape."""
        networks, tokens = self.weight.shape
        return (x.view(networks, -1, tokens, x.shape[-1]) + self.weight[:, None, :, None]).view(x.shape)


class StackedDropout(StackedLayer):
    """`nn.Dropout`; each network draws from its own generator, so that its draws do not depend on the others."""

    def __init__(self, stack: Stack, layers: Sequence[nn.Dropout]) -> None:
        super().__init__(stack, layers)
        # A probability in steps of 1 / 65,536, and the same one in the scale of what is kept.
        self.dropped = round(layers[0].p * _STEPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (networks * B, ...) to the same shape."""
        if not self.training or not self.dropped:
            return x
        return x * self._mask(x)

    def _mask(self, x: Tensor) -> Tensor:
        rows = x.shape[0] // self.stack.networks
        each = x[0].numel()
        bits = torch.zeros(self.stack.networks, -(-rows * each // 4), dtype=torch.int64, device=x.device)
        for own, size, generator in zip(bits, self.stack.true(rows), self.stack.generators, strict=True):
            # The draws of a batch depend on its true clips alone, not on how far it was filled up.
            own[: -(-size * each // 4)].random_(-(1 << 63), None, generator=generator)
        kept = bits.view(torch.int16)[:, : rows * each] >= self.dropped - _STEPS // 2
        return kept.reshape(x.shape).to(x.dtype) * (_STEPS / (_STEPS - self.dropped))
