"""RCN-A: a small recurrent convolutional network with an attention that has no parameters of its own.

Xia et al., "Revealing the invisible with model and data shrinking for composite-database micro-expression
recognition", IEEE Transactions on Image Processing 29, 2020 (arXiv 2006.09674).
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from merprep.errors import ModelError

_STEM_KERNEL = 5
# What is divided by: a map that is the same everywhere has no largest place.
_FLAT = 1e-12


class NormedConv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels: int, filters: int, kernel: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, padding=padding)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, filters, H', W')."""
        return functional.relu(self.norm(self.conv(x)))


class Recurrent(nn.Module):
    """A recurrent convolution unrolled twice: the same weights see the input and what they made of it."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.forth = NormedConv(filters, filters, 1, 0)
        self.back = NormedConv(filters, filters, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, filters, H, W) to the same shape."""
        y = self.forth(x)
        for _ in range(2):
            y = self.back(x + y)
        return cast("Tensor", y)


def class_attention(x: Tensor, weight: Tensor) -> Tensor:
    """Say where the classifier looks: its own weights on `x`, stretched to 0 to 1 per class, averaged over classes.

    Parameters
    ----------
    x : (B, C, P, P) float32
        With stacked networks, the batches of all of them one after another.
    weight : (classes, C * P * P) or (networks, classes, C * P * P) float32

    Returns
    -------
    (B, 1, P, P) float32

    Examples
    --------
    >>> import torch
    >>> class_attention(torch.tensor([[[[1.0, 2.0], [3.0, 5.0]]]]), torch.ones(3, 4)).flatten().tolist()
    [0.0, 0.25, 0.5, 1.0]
    """
    batch, channels, height, width = x.shape
    networks = weight.shape[0] if weight.dim() == 3 else 1
    maps = x.view(networks, -1, 1, channels, height * width)
    seen = (weight.view(networks, 1, -1, channels, height * width) * maps).mean(dim=3)
    seen = seen - seen.amin(dim=-1, keepdim=True)
    seen = seen / seen.amax(dim=-1, keepdim=True).clamp(min=_FLAT)
    return seen.mean(dim=2).view(batch, 1, height, width)


class RCNA(nn.Module):
    """The recurrent network with attention.

    Parameters
    ----------
    num_classes : int
    channels : int
        Input channels.
    filters : int
        Of every convolution.
    pooled : int
        Side of the map that the classifier sees.
    dropout : float
        After each max-pool.

    Raises
    ------
    ModelError
        Where a number is not positive.

    Examples
    --------
    >>> import torch
    >>> [sum(p.numel() for p in RCNA(filters=f, pooled=side).parameters()) for f, side in ((32, 5), (64, 7))]
    [15331, 55747]
    >>> RCNA()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    stackable = True

    def __init__(
        self, *, num_classes: int = 3, channels: int = 3, filters: int = 64, pooled: int = 7, dropout: float = 0.5
    ) -> None:
        super().__init__()
        if min(num_classes, channels, filters, pooled) < 1 or not 0 <= dropout < 1:
            raise ModelError(
                "RCN-A cannot be built with these numbers",
                expected="num_classes, channels, filters and pooled >= 1, 0 <= dropout < 1",
                found=f"{num_classes}, {channels}, {filters}, {pooled}, dropout={dropout}",
            )
        self.channels = channels
        self.stem = NormedConv(channels, filters, _STEM_KERNEL, 0)
        self.recurrent = Recurrent(filters)
        self.dropout = nn.Dropout(dropout)
        self.pool = nn.AdaptiveAvgPool2d(pooled)
        self.head = nn.Linear(filters * pooled**2, num_classes)
        self.apply(_initialised)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) float32, sides of at least 8, to logits (B, num_classes)."""
        if x.dim() != 4 or x.shape[1] != self.channels or min(x.shape[2:]) < _STEM_KERNEL + 3:
            raise ModelError(
                "The input does not fit RCN-A",
                expected=f"(B, {self.channels}, H, W) with sides of at least {_STEM_KERNEL + 3}",
                found=str(tuple(x.shape)),
                mend="compute features with these channels and a larger `merprep flow --size`",
            )
        x = self.dropout(functional.max_pool2d(self.stem(x), 2))
        attention = class_attention(self.pool(x), self.head.weight)
        x = self.dropout(functional.max_pool2d(self.recurrent(x), 2))
        return cast("Tensor", self.head((self.pool(x) * attention).flatten(1)))


def _initialised(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        nn.init.zeros_(module.bias)
