"""What a network says of clips that it does not learn from, at any time or after every epoch."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from merprep.training.augment import Mirror
from merprep.training.precision import logits_of
from merprep.training.replay import Recorder, Work, replayed


def probabilities(
    network: nn.Module,
    images: Tensor,
    at_once: int = 256,
    precision: str = "float32",
    mirror: Mirror | None = None,
) -> Tensor:
    """Return class probabilities (N, classes) float32 where the images are; `network` must be in evaluation mode.

    Where `mirror` is given they are the mean of a clip's and of its mirror image's.
    """
    with torch.no_grad():
        parts = [logits_of(network, part, precision).softmax(dim=1).float() for part in torch.split(images, at_once)]
        if mirror is None:
            return torch.cat(parts)
        return (torch.cat(parts) + probabilities(network, mirror(images), at_once, precision)) / 2


class Watcher:
    """Looks at the same clips after every epoch; what it saw stays on the device until it is asked for.

    Parameters
    ----------
    images : (N, ...)
        On the network's device.
    at_once : int
        How many are looked at in one batch.
    precision : str
    mirror : Mirror, optional
        How clips are mirrored to be looked at a second time; None where they are not.
    recorder : Recorder, optional
        Records the look, where steps are recorded.

    Attributes
    ----------
    ends : list of float
        When each look began, which is when an epoch of training had ended; seconds of `time.perf_counter`.

    Examples
    --------
    >>> watcher = Watcher(torch.ones(3, 2), 256)
    >>> for epoch in range(2):
    ...     watcher(epoch, nn.Linear(2, 4))
    >>> watcher.history().shape
    (2, 3, 4)
    """

    def __init__(
        self,
        images: Tensor,
        at_once: int,
        precision: str = "float32",
        mirror: Mirror | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.images, self.at_once, self.precision = images, at_once, precision
        self.mirror, self.recorder = mirror, recorder
        self.ends: list[float] = []
        self._look: Work | None = None
        self._seen: list[Tensor] = []
        self._last: Tensor | None = None

    def __call__(self, epoch: int, network: nn.Module) -> None:
        """Look at all clips with a network in evaluation mode, always the same one."""
        del epoch
        self.ends.append(time.perf_counter())
        if self._look is None:
            self._look = replayed(partial(self._looked, network), self.recorder)
        self._look()
        if self._last is not None:
            self._seen.append(self._last.clone())

    def _looked(self, network: nn.Module) -> None:
        found = probabilities(network, self.images, self.at_once, self.precision, self.mirror)
        if self._last is None:
            self._last = torch.empty_like(found)
        self._last.copy_(found)

    def history(self) -> NDArray[np.float32]:
        """Return the probabilities after every epoch, (E, N, classes) float32."""
        return torch.stack(self._seen).cpu().numpy()
