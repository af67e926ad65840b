"""Micro-Attention: a ten-layer residual network whose units amplify the places that matter, on the apex frame alone.

Wang et al., "Micro-attention for micro-expression recognition", Neurocomputing 410:354-362, 2020 (arXiv 1811.02360).
Pre-activation residual units of widths 64, 128, 256 and 512; behind each, a map between 0 and 1 is drawn from the
unit's three depths (shortcut, first convolution, second convolution), and the unit's sum z goes on as z (1 + map): the
gate lies between 1 and 2, it can amplify and never suppress.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.errors import ModelError

# Caffe's defaults, which the published network keeps.
EPS = 1e-5
KEPT = 0.999
_HEAD_BIAS = 0.2


class BatchNorm(nn.BatchNorm2d):
    """Batch norm whose moving averages are Caffe's: 0.999 of the old kept, freed from the start at zero.

    The average after t batches is the weighted sum of all batches divided by the sum of their weights, so that a
    network trained for a few hundred batches can be tested too. Written step by step it is
    :math:`m_t = m_{t-1} + a_t (x_t - m_{t-1})` with :math:`a_t = (1 - k) / (1 - k^t)`, k = 0.999.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        if not self.training:
            return super().forward(x)
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        y = functional.batch_norm(x, mean, variance, self.weight, self.bias, training=True, momentum=1, eps=self.eps)
        # Counted on the device: a number of Python's would stay the same in steps that are recorded once and repeated.
        share = (1 - KEPT) / (1 - KEPT ** self.num_batches_tracked.add_(1).double())
        for average, found in ((self.running_mean, mean), (self.running_var, variance)):
            average.lerp_(found, share.to(average.dtype))
        return y


class Unit(nn.Module):
    """A residual unit and its micro-attention.

    With p the unit's input (batch norm and ReLU before it where the unit shrinks), k the shortcut, a and b the two
    convolutions: z = b + k, and the output is z (1 + sigmoid(mean over channels of a 1 x 1 convolution of [k, a, b])).
    """

    def __init__(self, channels: int, width: int, *, shrinks: bool) -> None:
        super().__init__()
        stride = 2 if shrinks else 1
        self.norm1 = BatchNorm(channels) if shrinks else None
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.norm2 = BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if shrinks else None
        self.attention = nn.Conv2d(3 * width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, width, H', W'), where H' is H or its half, rounded up."""
        z, gate = self.summed(x)
        return z * gate

    def summed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual sum, (B, width, H', W'), and the gate in (1, 2), (B, 1, H', W')."""
        p = x if self.norm1 is None else functional.relu(self.norm1(x))
        k = p if self.shortcut is None else self.shortcut(p)
        a = functional.relu(self.norm2(self.conv1(p)))
        b = self.conv2(a)
        # The published mean is a frozen 1 x 1 convolution of equal weights.
        mask = self.attention(torch.cat([k, a, b], dim=1)).mean(dim=1, keepdim=True).sigmoid()
        # Far from zero a sigmoid is rounded to its limits, which it never reaches.
        nearest = torch.finfo(mask.dtype).eps
        return b + k, 1 + mask.clamp(nearest, 1 - nearest)


class MicroAttention(nn.Module):
    """The network of the published layer table.

    Parameters
    ----------
    num_classes : int
    image_size : int
        Side of the input in pixels.
    widths : sequence of int
        Channels of the units, the stem's being the first; every unit but the first halves the map.
    channels : int
        Input channels; 1 is grey, as published.

    Raises
    ------
    ModelError
        Where a number is not positive.

    Examples
    --------
    >>> network = MicroAttention(widths=(4, 8), image_size=32)
    >>> network(torch.zeros(2, 1, 32, 32)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        *,
        num_classes: int = 5,
        image_size: int = 224,
        widths: Sequence[int] = (64, 128, 256, 512),
        channels: int = 1,
    ) -> None:
        super().__init__()
        if not widths or min(num_classes, image_size, channels, *widths) < 1:
            raise ModelError(
                "Micro-Attention cannot be built with these numbers",
                expected="num_classes, image_size, channels and all widths >= 1",
                found=f"{num_classes}, {image_size}, {channels}, {list(widths)}",
            )
        self.image_size, self.channels, self.widths = image_size, channels, tuple(widths)
        self.data_norm = BatchNorm(channels)
        self.stem = nn.Conv2d(channels, widths[0], 7, stride=2, padding=3)
        self.stem_norm = BatchNorm(widths[0])
        self.units = nn.ModuleList(
            Unit(widths[max(index - 1, 0)], width, shrinks=index > 0) for index, width in enumerate(widths)
        )
        self.norm = BatchNorm(widths[-1])
        self.head = nn.Linear(widths[-1], num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for part in self.modules():
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(part.weight, mode="fan_in")
                if part.bias is not None:
                    nn.init.zeros_(part.bias)
        nn.init.constant_(self.head.bias, _HEAD_BIAS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, image_size, image_size) float32, raw grey values from 0 to 255, to (B, num_classes)."""
        self._check_input(x)
        x = functional.relu(self.stem_norm(self.stem(self.data_norm(x))))
        x = functional.max_pool2d(x, 3, stride=2, ceil_mode=True)
        for unit in self.units:
            x = unit(x)
        return cast("Tensor", self.head(functional.relu(self.norm(x)).mean(dim=(2, 3))))

    def gates(self, x: Tensor) -> list[Tensor]:
        """Return the gate of every unit, each (B, 1, H, W) with values in (1, 2): where the network looks."""
        self._check_input(x)
        x = functional.relu(self.stem_norm(self.stem(self.data_norm(x))))
        x = functional.max_pool2d(x, 3, stride=2, ceil_mode=True)
        found = []
        for unit in self.units:
            z, gate = cast("Unit", unit).summed(x)
            found.append(gate)
            x = z * gate
        return found

    def _check_input(self, x: Tensor) -> None:
        expected = (self.channels, self.image_size, self.image_size)
        if x.dim() != 4 or tuple(x.shape[1:]) != expected:
            raise ModelError(
                "The input does not fit Micro-Attention",
                expected=f"(B, {', '.join(map(str, expected))})",
                found=str(tuple(x.shape)),
                mend="give the network image_size and channels as its input has them, or change the input",
            )

    def caffe_layer(self, name: str) -> tuple[str, int]:
        """Return the Caffe layer that holds one of our tensors, and its place among the layer's blobs.

        Statistics of batch norm stand in its ``bn`` layer, its scale and shift in the ``scale`` layer behind it.

        Examples
        --------
        >>> network = MicroAttention()
        >>> network.caffe_layer("units.1.conv1.weight"), network.caffe_layer("units.1.norm2.running_var")
        (('layer_128_1_conv1', 0), ('layer_128_1_bn2', 1))
        """
        place, _, kind = name.rpartition(".")
        unit = re.fullmatch(r"units\.(\d+)\.(\w+)", place)
        layer = _LAYERS[place] if unit is None else _UNIT_LAYERS[unit[2]].format(self.widths[int(unit[1])])
        if "bn" not in layer:
            return layer, int(kind == "bias")
        if kind.startswith("running"):
            return layer, int(kind == "running_var")
        if kind == "num_batches_tracked":
            return layer, 2
        return layer.replace("bn", "scale"), int(kind == "bias")


_LAYERS: Mapping[str, str] = {
    "data_norm": "data_bn",
    "stem": "conv1",
    "stem_norm": "conv1_bn",
    "norm": "last_bn",
    "head": "classifier-Expressions",
}
_UNIT_LAYERS: Mapping[str, str] = {
    "norm1": "layer_{}_1_bn1",
    "conv1": "layer_{}_1_conv1",
    "norm2": "layer_{}_1_bn2",
    "conv2": "layer_{}_1_conv2",
    "shortcut": "layer_{}_1_conv_expand",
    "attention": "mask_Concat_{}_1x1",
}
