"""OFF-ApexNet: two convolutional streams, one over horizontal and one over vertical flow.

Gan et al., "OFF-ApexNet on micro-expression recognition system", Signal Processing: Image Communication 74, 2019
(arXiv 1805.08699). The layout is that of the PyTorch port whose parameters are counted: 2,664,475 at 3 classes.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.errors import ModelError
from merprep.models.layers import PooledConv

IMAGE_SIZE = 28
_FILTERS = (6, 16)
# Two max-pools halve 28 to 7.
_POOLED = 7


class FlowStream(nn.Module):
    """One stream: two 5 x 5 convolutions that keep the size, each with ReLU and max-pool."""

    def __init__(self) -> None:
        super().__init__()
        self.first = PooledConv(1, _FILTERS[0], 5, padding=2)
        self.second = PooledConv(_FILTERS[0], _FILTERS[1], 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 1, 28, 28) to (B, 784)."""
        # The larger of two values is taken before negative ones are cut: the same result for a quarter of the work.
        x = functional.relu(self.first(x))
        return functional.relu(self.second(x)).flatten(1)


class OFFApexNet(nn.Module):
    """The two-stream network.

    Parameters
    ----------
    num_classes : int
    hidden : int
        Width of the two fully connected layers.
    dropout : float
        After each of them.

    Raises
    ------
    ModelError
        Where a number is not positive.

    Examples
    --------
    >>> network = OFFApexNet()
    >>> sum(parameter.numel() for parameter in network.parameters())
    2664475
    >>> network(torch.zeros(2, 2, 28, 28)).shape
    torch.Size([2, 3])
    """

    stackable = True

    def __init__(self, *, num_classes: int = 3, hidden: int = 1024, dropout: float = 0.5) -> None:
        super().__init__()
        if min(num_classes, hidden) < 1 or not 0 <= dropout < 1:
            raise ModelError(
                "OFF-ApexNet cannot be built with these numbers",
                expected="num_classes and hidden >= 1, 0 <= dropout < 1",
                found=f"num_classes={num_classes}, hidden={hidden}, dropout={dropout}",
            )
        self.horizontal = FlowStream()
        self.vertical = FlowStream()
        self.joint = nn.Linear(2 * _FILTERS[1] * _POOLED**2, hidden)
        self.deep = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 2, 28, 28) float32, u and v, to logits (B, num_classes)."""
        if x.dim() != 4 or tuple(x.shape[1:]) != (2, IMAGE_SIZE, IMAGE_SIZE):
            raise ModelError(
                "The input does not fit OFF-ApexNet",
                expected=f"(B, 2, {IMAGE_SIZE}, {IMAGE_SIZE})",
                found=str(tuple(x.shape)),
                mend=f"compute features with u and v at this size (`merprep flow --size {IMAGE_SIZE}`)",
            )
        x = torch.cat([self.horizontal(x[:, :1]), self.vertical(x[:, 1:])], dim=1)
        x = self.dropout(functional.relu(self.joint(x)))
        x = self.dropout(functional.relu(self.deep(x)))
        return cast("Tensor", self.head(x))
