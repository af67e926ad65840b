"""In which numbers a network computes: float32 throughout, or its products in bfloat16.

Weights, their gradients, the optimiser's state, statistics of batch norm, softmax and loss are float32 either way.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from merprep.errors import UsageError
from merprep.training.device import SMALL

PRECISIONS = ("auto", "float32", "bfloat16")


def resolve_precision(asked: str, device: str, parameters: int) -> str:
    """Return ``float32`` or ``bfloat16``; ``auto`` takes the second for large networks on a GPU that has it.

    Raises
    ------
    UsageError
        Where there is no such precision.

    Examples
    --------
    >>> resolve_precision("auto", "cpu", 139_582_982), resolve_precision("bfloat16", "cpu", 1683)
    ('float32', 'bfloat16')
    """
    if asked not in PRECISIONS:
        raise UsageError("There is no such precision", found=asked, expected=", ".join(PRECISIONS))
    if asked != "auto":
        return asked
    large = device.startswith("cuda") and parameters >= SMALL
    return "bfloat16" if large and torch.cuda.is_bf16_supported(including_emulation=False) else "float32"


def computing(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Within it, networks compute in this precision."""
    if precision != "bfloat16":
        return nullcontext()
    # Without the cache: weights that were cast in one step must not be taken for those of the next.
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


def in_single(device: torch.device) -> AbstractContextManager[None]:
    """Within it, numbers are those that they are, also inside `computing`."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def logits_of(network: nn.Module, images: Tensor, precision: str) -> Tensor:
    """Return what a network says of a batch, (B, classes), in float32 at least.

    Examples
    --------
    >>> logits_of(nn.Linear(2, 3), torch.ones(1, 2), "bfloat16").dtype
    torch.float32
    """
    with computing(precision, images.device):
        logits: Tensor = network(images)
    return logits.float() if logits.dtype == torch.bfloat16 else logits


def precision_notes(precision: str) -> list[str]:
    """Say where a network did not compute in float32 throughout."""
    if precision == "float32":
        return []
    return ["products were computed in bfloat16; weights, optimiser and loss in float32"]
