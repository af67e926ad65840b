"""Augmentation of a batch of maps that respects what their channels mean."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from merprep.errors import ModelError
from merprep.models.presets import InputSpec
from merprep.training.inputs import horizontal_channels
from merprep.training.recipe import Augmentation

# The mosaic as published is the face transposed: its halves are not left and right.
_UNMIRRORABLE = ("htnet-published",)


@dataclass(frozen=True)
class Mirror:
    """What mirroring a face does to a network's input: flip it, and turn some channels around their zero."""

    channels: tuple[int, ...]
    zero: float

    @classmethod
    def of(cls, spec: InputSpec) -> Mirror:
        """Read the rule off the input's channels and normalisation.

        Examples
        --------
        >>> Mirror.of(InputSpec(channels=("strain", "v", "u"), normalisation="minmax-255"))
        Mirror(channels=(2,), zero=127.5)
        """
        zero = 127.5 if spec.normalisation == "minmax-255" else 0.0
        return cls(tuple(horizontal_channels(spec.channels)), zero)

    def __call__(self, images: Tensor) -> Tensor:
        """Mirror (B, C, H, W)."""
        mirrored = images.flip(-1)
        for channel in self.channels:
            mirrored[:, channel] = 2 * self.zero - mirrored[:, channel]
        return mirrored


def check_augmentation(augmentation: Augmentation, spec: InputSpec) -> None:
    """Raise where a mirrored face has no meaning in the representation."""
    if augmentation.flip and spec.region_set in _UNMIRRORABLE:
        raise ModelError(
            f"Mirroring is not defined for the mosaic {spec.region_set!r}, which is transposed against the face",
            mend="set flip to 0, or take mosaic:anatomical or map",
        )


def augment(images: Tensor, augmentation: Augmentation, mirror: Mirror, generator: torch.Generator) -> Tensor:
    """Return changed copies of a batch, (B, C, H, W) float32; the draws come from `generator` alone.

    Examples
    --------
    >>> images = torch.ones(2, 1, 4, 4)
    >>> changed = augment(images, Augmentation(flip=1), Mirror((0,), 0.0), torch.Generator().manual_seed(0))
    >>> changed.unique().tolist()
    [-1.0]
    """
    count, device = len(images), images.device
    if augmentation.flip:
        drawn = torch.rand(count, generator=generator, device=device) < augmentation.flip
        images = torch.where(drawn[:, None, None, None], mirror(images), images)
    if augmentation.shift:
        images = _shifted(images, augmentation.shift, generator)
    if augmentation.noise:
        images = images + augmentation.noise * torch.randn(images.shape, generator=generator, device=device)
    return images


def _shifted(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    count, channels, height, width = images.shape
    device = images.device
    padded = functional.pad(images, (most, most, most, most), mode="replicate")
    starts = torch.randint(0, 2 * most + 1, (2, count, 1), generator=generator, device=device)
    rows = (starts[0] + torch.arange(height, device=device))[:, None, :, None]
    columns = (starts[1] + torch.arange(width, device=device))[:, None, None, :]
    clips = torch.arange(count, device=device)[:, None, None, None]
    return padded[clips, torch.arange(channels, device=device)[None, :, None, None], rows, columns]
