"""STSTNet: three shallow convolutional streams over horizontal flow, vertical flow and optical strain.

Liong et al., "Shallow triple stream three-dimensional CNN (STSTNet) for micro-expression recognition", FG 2019
(arXiv 1902.03634). This is the variant of the authors' PyTorch port (1,683 parameters at 3 classes), whose log they
publish: convolutions padded by 2, batch norm after the ReLU, element-wise dropout after each max-pool.
"""

from __future__ import annotations

import re
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.errors import ModelError

FILTERS = (3, 5, 8)
IMAGE_SIZE = 28
# 28 padded to 30 by the convolution, max-pooled to 10, averaged to 5.
_POOLED = 5


class Stream(nn.Module):
    """One stream: convolution, ReLU, batch norm, max-pool."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, padding=2)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, 28, 28) to (B, filters, 10, 10)."""
        return functional.max_pool2d(self.norm(functional.relu(self.conv(x))), 3, stride=3, padding=1)


class Streams(nn.ModuleList):
    """The streams side by side, their filters joined."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, 28, 28) to (B, all filters, 10, 10)."""
        return torch.cat([stream(x) for stream in self], dim=1)


class STSTNet(nn.Module):
    """The triple-stream network.

    Parameters
    ----------
    num_classes : int
    channels : int
        Input channels, all seen by every stream.
    dropout : float

    Raises
    ------
    ModelError
        Where a number is not positive.

    Examples
    --------
    >>> network = STSTNet()
    >>> sum(parameter.numel() for parameter in network.parameters())
    1683
    >>> network(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    stackable = True

    def __init__(self, *, num_classes: int = 3, channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        if min(num_classes, channels) < 1 or not 0 <= dropout < 1:
            raise ModelError(
                "STSTNet cannot be built with these numbers",
                expected="num_classes and channels >= 1, 0 <= dropout < 1",
                found=f"num_classes={num_classes}, channels={channels}, dropout={dropout}",
            )
        self.channels = channels
        self.streams = Streams(Stream(channels, filters) for filters in FILTERS)
        # Each value of each stream is dropped by itself, so that dropping after joining them is the same.
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(sum(FILTERS) * _POOLED**2, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, 28, 28) float32 to logits (B, num_classes)."""
        expected = (self.channels, IMAGE_SIZE, IMAGE_SIZE)
        if x.dim() != 4 or tuple(x.shape[1:]) != expected:
            raise ModelError(
                "The input does not fit STSTNet",
                expected=f"(B, {', '.join(map(str, expected))})",
                found=str(tuple(x.shape)),
                mend=f"compute features at this size (`merprep flow --size {IMAGE_SIZE}`)",
            )
        joined = self.dropout(self.streams(x))
        return cast("Tensor", self.head(functional.avg_pool2d(joined, 2).flatten(1)))

    @staticmethod
    def published_name(name: str) -> str:
        """Return the published implementation's name of one of our tensors.

        Examples
        --------
        >>> STSTNet.published_name("streams.0.norm.running_var")
        'bn1.running_var'
        """
        match = re.fullmatch(r"streams\.(\d+)\.(conv|norm)\.(\w+)", name)
        if match is None:
            return name.replace("head.", "fc.")
        kind = "conv" if match[2] == "conv" else "bn"
        return f"{kind}{int(match[1]) + 1}.{match[3]}"

    @staticmethod
    def published_shape(name: str, shape: torch.Size) -> tuple[int, ...]:
        """Return the published shape of one of our tensors: the same."""
        del name
        return tuple(shape)
