"""TV-L1 over a batch of pairs on any torch device: the order of the steps, and the steps in plain torch.

The GPU engine takes the same steps by Triton kernels (`tvl1_launch.py`). The plain ones are slow and need nothing but
torch; tests hold both to the CPU engine. Symbols are those of `tvl1.py`, where the equations stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from merprep.flow.noise import adapted_batch
from merprep.flow.tvl1 import CUBIC, LEAST_GRADIENT, TvL1Parameters, level_sizes
from merprep.flow.tvl1_pyramid import Resampling, weights

if TYPE_CHECKING:
    from torch import Tensor


class Steps(Protocol):
    """What a level consists of; tensors are contiguous float32 on one device."""

    def resampled(self, planes: Tensor, kind: Resampling, height: int, width: int) -> Tensor:
        """Return (P, h, w) planes at another size."""

    def linearised(self, onset: Tensor, apex: Tensor, flow: Tensor) -> Tensor:
        """Return rho and the gradient by x and y (equation 2), (N, 3, h, w), from (N, h, w) and (N, 2, h, w)."""

    def iterated(self, flow: Tensor, duals: Tensor, data: Tensor, settings: TvL1Parameters) -> tuple[Tensor, Tensor]:
        """Return flow (N, 2, h, w) and duals (N, 4, h, w) after the iterations of one warp (equations 3 to 5)."""

    def filtered(self, flow: Tensor) -> Tensor:
        """Return the flow after medians of five along rows, then columns."""


def solve(onset: Tensor, apex: Tensor, settings: TvL1Parameters, steps: Steps) -> Tensor:
    """Compute the flow of a batch where it lies; nothing returns to the host in between.

    Parameters
    ----------
    onset, apex : (N, H, W) float32 tensors
        Grey, 0 to 255, on one device.
    settings : TvL1Parameters
    steps : Steps

    Returns
    -------
    (N, 2, H, W) float32 tensor
        On the same device.

    Examples
    --------
    >>> images = torch.zeros(1, 16, 16)
    >>> solve(images, images, TvL1Parameters(), PlainSteps()).shape
    torch.Size([1, 2, 16, 16])
    """
    count, size = len(onset), (onset.shape[1], onset.shape[2])
    flow: Tensor | None = None
    if settings.adapt_to_noise:
        onset, apex = adapted_batch(onset, apex)
    for height, width in level_sizes(*size, settings.scales, settings.scale_step)[::-1].tolist():
        same = (height, width) == size
        first, second = (images if same else steps.resampled(images, "area", height, width) for images in (onset, apex))
        flow = onset.new_zeros((count, 2, height, width)) if flow is None else _grown(flow, height, width, steps)
        duals = onset.new_zeros((count, 4, height, width))
        for _ in range(settings.warps):
            data = steps.linearised(first, second, flow)
            flow, duals = steps.iterated(flow, duals, data, settings)
            if settings.median:
                flow = steps.filtered(flow)
    assert flow is not None  # noqa: S101 - a pyramid has at least one level
    return flow


def _grown(flow: Tensor, height: int, width: int, steps: Steps) -> Tensor:
    count, _, old_height, old_width = flow.shape
    grown = steps.resampled(flow.view(count * 2, old_height, old_width), "linear", height, width)
    grown = grown.view(count, 2, height, width)
    grown[:, 0] *= width / old_width
    grown[:, 1] *= height / old_height
    return grown


class PlainSteps:
    """The steps in plain torch.

    Examples
    --------
    >>> PlainSteps().resampled(torch.ones(1, 4, 4), "area", 2, 2).tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """

    def resampled(self, planes: Tensor, kind: Resampling, height: int, width: int) -> Tensor:
        """See `Steps.resampled`."""
        rows, columns = (
            torch.tensor(weights(kind, old, new), device=planes.device)
            for old, new in zip(planes.shape[1:], (height, width), strict=True)
        )
        return (rows @ planes.double() @ columns.T).float()

    def linearised(self, onset: Tensor, apex: Tensor, flow: Tensor) -> Tensor:
        """See `Steps.linearised`."""
        warped, inside = _warped(apex, flow)
        padded = torch.nn.functional.pad(warped[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
        g_x = 0.5 * (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) * inside
        g_y = 0.5 * (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) * inside
        rho = (warped - onset) * inside - g_x * flow[:, 0] - g_y * flow[:, 1]
        return torch.stack([rho, g_x, g_y], 1)

    def iterated(self, flow: Tensor, duals: Tensor, data: Tensor, settings: TvL1Parameters) -> tuple[Tensor, Tensor]:
        """See `Steps.iterated`."""
        rho, g = data[:, :1], data[:, 1:]
        squared = (g * g).sum(1, keepdim=True).clamp_min(LEAST_GRADIENT)
        bound, ratio = settings.attachment * settings.tightness, settings.time_step / settings.tightness
        p_x, p_y = duals[:, ::2], duals[:, 1::2]
        for _ in range(settings.iterations):
            d = (-(rho + (g * flow).sum(1, keepdim=True)) / squared).clamp(-bound, bound)
            divergence = p_x.diff(dim=3, prepend=0 * p_x[..., :1]) + p_y.diff(dim=2, prepend=0 * p_y[..., :1, :])
            flow = flow + d * g + settings.tightness * divergence
            w_x = flow.diff(dim=3, append=flow[..., -1:])
            w_y = flow.diff(dim=2, append=flow[..., -1:, :])
            length = 1 + ratio * torch.sqrt(w_x * w_x + w_y * w_y)
            p_x, p_y = (p_x + ratio * w_x) / length, (p_y + ratio * w_y) / length
        return flow, torch.stack([p_x, p_y], 2).flatten(1, 2)

    def filtered(self, flow: Tensor) -> Tensor:
        """See `Steps.filtered`."""
        padded = torch.nn.functional.pad(flow, (2, 2, 0, 0), mode="replicate")
        flow = padded.unfold(3, 5, 1).median(-1).values
        padded = torch.nn.functional.pad(flow, (0, 0, 2, 2), mode="replicate")
        return padded.unfold(2, 5, 1).median(-1).values


def _warped(images: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return images(x + flow(x)) by Keys' cubic, and 1 where that lies inside."""
    height, width = images.shape[1:]
    y, x = torch.meshgrid(*(torch.arange(n, device=images.device) for n in (height, width)), indexing="ij")
    x, y = x + flow[:, 0], y + flow[:, 1]
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    i, j = x.long(), y.long()
    pixels, result = images.flatten(1), torch.zeros_like(images)
    for row, row_weight in zip(range(-1, 3), _cubic(y - j), strict=True):
        for column, column_weight in zip(range(-1, 3), _cubic(x - i), strict=True):
            at = (j + row).clamp(0, height - 1) * width + (i + column).clamp(0, width - 1)
            result += row_weight * column_weight * pixels.gather(1, at.flatten(1)).view_as(result)
    return result, inside.float()


def _cubic(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    w0 = CUBIC * (((t - 2) * t + 1) * t)
    w1 = ((CUBIC + 2) * t - (CUBIC + 3)) * t * t + 1
    w3 = CUBIC * (1 - t) * t * t
    return w0, w1, 1 - w0 - w1 - w3, w3
