"""flow-cnn: a small convolutional network over the whole map, a baseline that trains in minutes on a laptop.

Each block pools before it normalises and cuts: max-pooling passes over the largest tensors once, and everything after
it works on a quarter of the values.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from merprep.errors import ModelError
from merprep.models.layers import NormReLU, PooledConv


class Block(nn.Module):
    """Convolution, max-pool to half the size, batch norm, ReLU, dropout."""

    def __init__(self, channels: int, filters: int, dropout: float) -> None:
        super().__init__()
        self.conv = PooledConv(channels, filters, 3, padding=1)
        self.norm = NormReLU(filters)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, filters, H // 2, W // 2)."""
        return cast("Tensor", self.dropout(self.norm(self.conv(x))))


class FlowCNN(nn.Module):
    """Blocks of doubling depth and halving size, then one linear layer over all places.

    Parameters
    ----------
    num_classes : int
    channels : int
        Input channels.
    image_size : int
        Side of the square input in pixels.
    filters : sequence of int
        One number a block.
    block_dropout : float
        After each block.
    dropout : float
        Before the linear layer.

    Raises
    ------
    ModelError
        Where a number is not positive, or the map is too small for the blocks.

    Examples
    --------
    >>> import torch
    >>> network = FlowCNN()
    >>> sum(parameter.numel() for parameter in network.parameters())
    18291
    >>> network(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    stackable = True

    def __init__(
        self,
        *,
        num_classes: int = 3,
        channels: int = 3,
        image_size: int = 28,
        filters: Sequence[int] = (24, 48),
        block_dropout: float = 0.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        side = image_size >> len(filters)
        if min(num_classes, channels, side, *filters) < 1 or not (0 <= dropout < 1 and 0 <= block_dropout < 1):
            raise ModelError(
                "flow-cnn cannot be built with these numbers",
                expected="classes, channels and filters >= 1, 0 <= dropout < 1, a side that halves once a block",
                found=f"{num_classes}, {channels}, {list(filters)}, image_size={image_size}, dropout={dropout}",
            )
        self.channels, self.image_size = channels, image_size
        widths = (channels, *filters)
        self.blocks = nn.Sequential(*(Block(a, b, block_dropout) for a, b in pairwise(widths)))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1] * side**2, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, image_size, image_size) float32 to logits (B, num_classes)."""
        expected = (self.channels, self.image_size, self.image_size)
        if x.dim() != 4 or tuple(x.shape[1:]) != expected:
            raise ModelError(
                "The input does not fit flow-cnn",
                expected=f"(B, {', '.join(map(str, expected))})",
                found=str(tuple(x.shape)),
                mend="compute features at this size (`merprep flow --size N`) or build the network with image_size=N",
            )
        return cast("Tensor", self.head(self.dropout(self.blocks(x).flatten(1))))
