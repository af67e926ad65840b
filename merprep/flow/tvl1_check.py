"""Whether the kernels compute on a device what they should, asked before they are first used there.

Kernels are compiled on the user's machine, for a device and by versions that no test may have met. A wrong flow looks
like a flow, so each process compares once, on a small pair, with the same steps in plain torch.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from merprep.errors import DeviceError
from merprep.flow.tvl1 import TvL1Parameters
from merprep.flow.tvl1_batch import PlainSteps, solve

if TYPE_CHECKING:
    from torch import Tensor

# Two levels, two launches of `iterate` (the second with fewer iterations), four tiles: what can differ is there.
_SETTINGS = TvL1Parameters(scales=2, warps=1, iterations=6)
_HEIGHT, _WIDTH = 60, 70
_FURTHEST = 1e-2  # px, in the mean


@cache
def check_kernels(device: str) -> None:
    """Compute one small pair by the kernels and by plain torch, and compare; once in a process and device.

    Raises
    ------
    DeviceError
        Where the kernels cannot be built or run, or their flow is not that of plain torch.
    """
    onset, apex = example(device)
    expected = solve(onset, apex, _SETTINGS, PlainSteps())
    try:
        from merprep.flow.tvl1_launch import TritonSteps

        found = solve(onset, apex, _SETTINGS, TritonSteps())
        distance = float((found - expected).square().sum(1).sqrt().mean())
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a compiler, a driver or a version: whatever it is, the user needs to know the way out
        raise DeviceError(
            "The kernels of optical flow cannot be built or run on this device",
            where=device,
            found=f"{type(error).__name__}: {str(error).strip()[:300]}",
            mend="Triton needs a C compiler (gcc) and a recent NVIDIA driver; or use --device cpu (device='cpu')",
        ) from error
    judge(distance, device)


def judge(distance: float, device: str) -> None:
    """Raise where kernels are too far from plain torch.

    Parameters
    ----------
    distance : float
        In the mean, px; not a number where the kernels' flow is none.

    Raises
    ------
    DeviceError

    Examples
    --------
    >>> judge(1e-6, "cuda")
    """
    if distance <= _FURTHEST:
        return
    raise DeviceError(
        "The kernels of optical flow compute something else on this device than they should",
        where=device,
        expected=f"a mean distance from plain torch of at most {_FURTHEST} px",
        found=f"{distance:.3g} px",
        mend="use --device cpu (device='cpu'), and report it with what `merprep doctor` prints",
    )


def example(device: str) -> tuple[Tensor, Tensor]:
    """Return a smooth pair that moves by about half a pixel, (1, 60, 70) float32 each.

    Examples
    --------
    >>> onset, apex = example("cpu")
    >>> onset.shape, bool((onset - apex).abs().max() > 5)
    (torch.Size([1, 60, 70]), True)
    """
    y, x = (torch.arange(n, dtype=torch.float32, device=device) for n in (_HEIGHT, _WIDTH))

    def pattern(shift: float) -> Tensor:
        waves = torch.sin((x[None, :] - shift) / 3) * torch.cos((y[:, None] + shift / 2) / 4)
        return (128 + 60 * waves + 20 * torch.sin((x[None, :] * 0.7 + y[:, None] - shift) / 5))[None].contiguous()

    return pattern(0.0), pattern(0.5)
