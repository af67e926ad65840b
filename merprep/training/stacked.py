"""Several networks of one kind as one, and back."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from merprep.models.htnet import Position, Projection
from merprep.models.layers import NormReLU, PooledConv
from merprep.models.ststnet import Streams
from merprep.training.stacked_layers import (
    Stack,
    StackedBatchNorm2d,
    StackedConv2d,
    StackedDropout,
    StackedLayer,
    StackedLayerNorm,
    StackedLinear,
    StackedPosition,
)
from merprep.training.stacked_norms import StackedNormReLU
from merprep.training.stacked_pooling import StackedPooledConv
from merprep.training.stacked_streams import StackedStreams

STACKED: dict[type[nn.Module], type[StackedLayer]] = {
    nn.Linear: StackedLinear,
    Projection: StackedLinear,
    nn.Conv2d: StackedConv2d,
    PooledConv: StackedPooledConv,
    nn.BatchNorm2d: StackedBatchNorm2d,
    NormReLU: StackedNormReLU,
    nn.LayerNorm: StackedLayerNorm,
    nn.Dropout: StackedDropout,
    Position: StackedPosition,
    Streams: StackedStreams,
}


class StackedNetwork(nn.Module):
    """Networks that are trained side by side; see `merprep.training.stacked_layers`.

    Parameters
    ----------
    networks : sequence of nn.Module
        Of one class that says ``stackable``, built with the same arguments.
    generators : sequence of torch.Generator
        For dropout, one a network.
    """

    def __init__(self, networks: Sequence[nn.Module], generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.stack = Stack(len(networks), list(generators))
        self.in_one = False
        self.network = copy.deepcopy(networks[0])
        self.places = _places(self.network)
        for name in self.places:
            parent, _, own = name.rpartition(".")
            layers = [network.get_submodule(name) for network in networks]
            setattr(self.network.get_submodule(parent), own, STACKED[type(layers[0])](self.stack, layers))

    def forward(self, x: Tensor, sizes: Sequence[int] = ()) -> Tensor:
        """Map (sides, B, C, H, W) to logits (networks, B, classes), each side being seen by equally many networks.

        Parameters
        ----------
        x : Tensor
        sizes : sequence of int
            How many of the B places of each side are true clips; empty where all are.
        """
        rows, each = x.shape[1], self.stack.networks // x.shape[0]
        self.stack.in_one = self.in_one or x.is_cuda
        self.stack.sizes = [] if all(size == rows for size in sizes) else [size for size in sizes for _ in range(each)]
        flat = x.flatten(0, 1)
        if not x.is_cuda and flat.dim() == 4:
            # Convolution, pooling and batch norm are all faster on a CPU with channels innermost.
            flat = flat.contiguous(memory_format=torch.channels_last)
        if each > 1:
            flat = torch.cat([part for part in torch.split(flat, rows) for _ in range(each)])
        logits: Tensor = self.network(flat)
        return logits.view(-1, rows, logits.shape[-1])

    def unstack(self, networks: Sequence[nn.Module]) -> None:
        """Give each of `networks` its own trained parameters and statistics."""
        for name in self.places:
            stacked = cast("StackedLayer", self.network.get_submodule(name))
            for number, network in enumerate(networks):
                stacked.give_back(number, network.get_submodule(name))


def _places(network: nn.Module, prefix: str = "") -> list[str]:
    """Return the names of the largest parts of a network that have a stacked form."""
    found = []
    for name, module in network.named_children():
        known = type(module) in STACKED
        found += [prefix + name] if known else _places(module, f"{prefix}{name}.")
    return found


def dropout_generator(device: str, seed: int) -> torch.Generator:
    """Return what a network's dropout is drawn from: not what order and augmentation come from."""
    return torch.Generator(device).manual_seed(seed + 1)


def with_own_dropout(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Let a network that is trained alone draw the same dropout as in a stack; changed in place, and returned."""
    stack = Stack(1, [generator])
    for name, module in list(network.named_modules()):
        if type(module) is nn.Dropout and name:
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, StackedDropout(stack, [module]))
    return network


def is_stackable(network: nn.Module) -> bool:
    """Whether networks like this one can be trained side by side.

    Its class must say so (``stackable = True``: it treats each clip of a batch by itself but in batch norm and
    dropout), and all its parameters must stand in layers that are known here.

    Examples
    --------
    >>> from merprep.models import build
    >>> is_stackable(build("ststnet")), is_stackable(nn.Sequential(nn.Linear(2, 2)))
    (True, False)
    """
    if not getattr(network, "stackable", False):
        return False
    return all(_is_known(module) for module in network.modules())


def _is_known(module: nn.Module) -> bool:
    if type(module) in STACKED:
        return _is_plain(module)
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return not own and not isinstance(module, StackedLayer)


def _is_plain(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        plain = module.groups == 1 and module.dilation == (1, 1) and module.bias is not None
        return plain and module.padding_mode == "zeros" and not isinstance(module.padding, str)
    if isinstance(module, nn.BatchNorm2d):
        return module.affine and module.track_running_stats and module.momentum is not None
    if isinstance(module, nn.LayerNorm):
        return len(module.normalized_shape) == 1 and module.weight is not None and module.bias is not None
    return True
