"""Layers that several networks share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class PooledConv(nn.Conv2d):
    """A convolution of step 1 and, of every two by two of its values, the largest.

    One layer, because the convolution's own output, the largest tensor of a small network, is then nobody else's
    business: folds that are trained side by side never write it down whole.

    Examples
    --------
    >>> import torch
    >>> PooledConv(3, 8, 3, padding=1)(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 8, 14, 14])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H' // 2, W' // 2)."""
        return functional.max_pool2d(super().forward(x), 2)


class NormReLU(nn.BatchNorm2d):
    """Batch norm, and what is above 0 of it; one layer, so that folds side by side write the norm down only once.

    Examples
    --------
    >>> import torch
    >>> NormReLU(8)(torch.zeros(2, 8, 4, 4)).shape
    torch.Size([2, 8, 4, 4])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return functional.relu(super().forward(x))
