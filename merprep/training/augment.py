"""Augmentation of a batch of maps that respects what their channels mean.

What is drawn stands apart from what is done with it: draws are few numbers a clip, made for each batch from one
generator a network, so they are the same however many networks are trained at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from merprep.errors import ModelError
from merprep.models.presets import InputSpec
from merprep.training.inputs import horizontal_channels
from merprep.training.recipe import Augmentation, Recipe

# The mosaic as published is the face transposed: its halves are not left and right.
_UNMIRRORABLE = ("htnet-published",)
# Channels that a mirrored face only moves, u apart, whose sign turns; and those that a turned one does.
_MIRRORED = frozenset(
    ("u", "v", "strain", "magnitude", "divergence", "strain_xx", "strain_yy", "strain-swapped-axes",
     "strain-without-shear")
)  # fmt: skip
_TURNED = frozenset(("u", "v", "strain", "magnitude", "divergence", "curl"))
# Flow whose channels were each stretched from smallest to largest: the middle stands for no motion.
_MIDDLES = {"minmax-255": 127.5}


@dataclass(frozen=True)
class Mirror:
    """What mirroring and turning a face do to a network's input: it moves, and so does the direction of its motion.

    Parameters
    ----------
    channels : tuple of int
        Positions of horizontal flow, which a mirror negates.
    zero : float
        The value that stands for no motion.
    vertical : tuple of int
        Positions of vertical flow, one for each of `channels`, where there is any.
    """

    channels: tuple[int, ...]
    zero: float
    vertical: tuple[int, ...] = ()

    @classmethod
    def of(cls, spec: InputSpec) -> Mirror:
        """Read the rule off the input's channels and normalisation.

        Examples
        --------
        >>> Mirror.of(InputSpec(channels=("strain", "v", "u"), normalisation="minmax-255"))
        Mirror(channels=(2,), zero=127.5, vertical=(1,))
        """
        vertical = tuple(index for index, name in enumerate(spec.channels) if name == "v")
        return cls(tuple(horizontal_channels(spec.channels)), _MIDDLES.get(spec.normalisation, 0.0), vertical)

    def __call__(self, images: Tensor) -> Tensor:
        """Mirror (B, C, H, W)."""
        mirrored = images.flip(-1)
        self.turn_back(mirrored, torch.ones(len(images), dtype=torch.bool, device=images.device))
        return mirrored

    def turn_back(self, images: Tensor, chosen: Tensor) -> None:
        """Negate the horizontal flow of the chosen clips, (B,) bool, in place."""
        sign = 1 - 2 * chosen.to(images.dtype)[:, None, None]
        for channel in self.channels:
            values = images[:, channel]
            values.sub_(self.zero).mul_(sign).add_(self.zero) if self.zero else values.mul_(sign)

    def turned(self, images: Tensor, angles: Tensor) -> Tensor:
        """Turn the flow vectors of (B, C, H, W), not their places, by (B,) angles in radians, from x towards y."""
        turned = images.clone()
        cosine, sine = torch.cos(angles)[:, None, None], torch.sin(angles)[:, None, None]
        for across, down in zip(self.channels, self.vertical, strict=True):
            u, v = images[:, across] - self.zero, images[:, down] - self.zero
            turned[:, across] = cosine * u - sine * v + self.zero
            turned[:, down] = sine * u + cosine * v + self.zero
        return turned


def mirror_for_tests(recipe: Recipe, spec: InputSpec) -> Mirror | None:
    """Return how clips are mirrored to be tested a second time, or None where they are not.

    Raises
    ------
    ModelError
        Where a mirrored clip has no meaning in the representation.
    """
    if not recipe.test_mirrored:
        return None
    if spec.is_picture:
        raise ModelError("Only maps are tested a second time as their mirror image", mend="set test_mirrored to false")
    check_augmentation(Augmentation(flip=1), spec)
    return Mirror.of(spec)


def check_augmentation(augmentation: Augmentation, spec: InputSpec) -> None:
    """Raise where a mirrored or turned face has no meaning in the representation."""
    if augmentation.flip and spec.region_set in _UNMIRRORABLE:
        raise ModelError(
            f"Mirroring is not defined for the mosaic {spec.region_set!r}, which is transposed against the face",
            mend="set flip to 0 and test_mirrored to false, or take mosaic:anatomical or map",
        )
    if spec.is_picture:
        return
    for asked, name, known in ((augmentation.flip, "flip", _MIRRORED), (augmentation.rotation, "rotation", _TURNED)):
        unknown = [channel for channel in spec.channels if channel not in known]
        if asked and unknown:
            raise ModelError(
                f"There is no rule for what {name} does to the channel {', '.join(map(repr, unknown))}",
                expected=", ".join(sorted(known)),
                mend=f"set {name} to 0 (and test_mirrored to false), or leave the channel out",
            )
    if augmentation.rotation and spec.region_set is not None:
        raise ModelError(
            "Turning is not defined for a mosaic, whose quarters do not turn around one centre",
            found=spec.representation,
            mend="set rotation to 0, or take map",
        )
    if augmentation.rotation and {"u", "v"} & set(spec.channels) not in ({"u", "v"}, set()):
        raise ModelError(
            "Turning a face mixes horizontal and vertical flow, and the input has only one of them",
            found=", ".join(spec.channels),
            mend="set rotation to 0, or take both u and v",
        )


@dataclass(frozen=True)
class Drawn:
    """What was drawn for some clips; None where a change is off.

    Parameters
    ----------
    flip : (N,) bool
    angle : (N,) float32
        Radians, from x towards y.
    shift : (N, 2) int64
        By how many pixels a clip's content moves up and to the left.
    noise : (N, C, H, W) float32
        Of standard deviation 1.
    partner : (N,) int64
        Places, among these clips, of those that are blended in.
    share : (N,) float32
        Of the partner.
    """

    flip: Tensor | None = None
    angle: Tensor | None = None
    shift: Tensor | None = None
    noise: Tensor | None = None
    partner: Tensor | None = None
    share: Tensor | None = None

    @staticmethod
    def joined(parts: Sequence[Drawn]) -> Drawn:
        """Return the draws of several lots of clips, one after another."""
        if len(parts) == 1:
            return parts[0]
        starts = accumulate((0 if part.partner is None else len(part.partner) for part in parts), initial=0)
        parts = [
            part if part.partner is None else replace(part, partner=part.partner + start)
            for part, start in zip(parts, starts, strict=False)
        ]
        columns = [[getattr(part, item.name) for part in parts] for item in fields(Drawn)]
        return Drawn(*(None if column[0] is None else torch.cat(column) for column in columns))


def draw(shape: Sequence[int], augmentation: Augmentation, generator: torch.Generator) -> Drawn:
    """Draw the changes of a batch of `shape` (N, C, H, W), on the device of `generator`.

    Examples
    --------
    >>> draw((2, 3, 8, 8), Augmentation(flip=1), torch.Generator()).flip.tolist()
    [True, True]
    """
    count, device = shape[0], generator.device
    flip = angle = shift = noise = partner = share = None
    if augmentation.flip:
        flip = torch.rand(count, generator=generator, device=device) < augmentation.flip
    if augmentation.rotation:
        most = math.radians(augmentation.rotation)
        angle = (torch.rand(count, generator=generator, device=device) * 2 - 1) * most
    if augmentation.shift:
        most = augmentation.shift
        shift = torch.randint(-most, most + 1, (count, 2), generator=generator, device=device)
    if augmentation.noise or augmentation.flow_noise:
        noise = torch.randn(tuple(shape), generator=generator, device=device)
    if augmentation.blend:
        # The order of random numbers: a permutation that a GPU can draw while it records.
        partner = torch.rand(count, generator=generator, device=device).argsort()
        share = torch.rand(count, generator=generator, device=device) * augmentation.blend
    return Drawn(flip, angle, shift, noise, partner, share)


def changed(images: Tensor, drawn: Drawn, augmentation: Augmentation, mirror: Mirror) -> Tensor:
    """Return mirrored, turned, shifted, noisy and blended copies of a batch, (B, C, H, W) float32.

    Examples
    --------
    >>> drawn = Drawn(flip=torch.tensor([True, False]))
    >>> changed(torch.ones(2, 1, 4, 4), drawn, Augmentation(), Mirror((0,), 0.0))[:, 0, 0, 0].tolist()
    [-1.0, 1.0]
    """
    if drawn.flip is not None or drawn.shift is not None:
        images = _moved(images, drawn.flip, drawn.shift)
    if drawn.flip is not None:
        mirror.turn_back(images, drawn.flip)
    if drawn.angle is not None:
        images = _rotated(mirror.turned(images, drawn.angle), drawn.angle)
    if drawn.noise is not None:
        images = images + drawn.noise * _noise_level(images, augmentation)
    if drawn.partner is not None and drawn.share is not None:
        images = torch.lerp(images, images[drawn.partner], drawn.share[:, None, None, None])
    return images


def _noise_level(images: Tensor, augmentation: Augmentation) -> Tensor | float:
    if not augmentation.flow_noise:
        return augmentation.noise
    own = images.std(dim=(2, 3), keepdim=True)
    return (augmentation.noise**2 + (augmentation.flow_noise * own) ** 2).sqrt()


def _moved(images: Tensor, flips: Tensor | None, shifts: Tensor | None) -> Tensor:
    # One look-up of places on the flattened map, which is several times faster than flipping and indexing by axes.
    count, channels, height, width = images.shape
    rows = torch.arange(height, device=images.device).expand(count, -1)
    columns = torch.arange(width, device=images.device).expand(count, -1)
    if shifts is not None:
        rows = (rows + shifts[:, :1]).clamp(0, height - 1)
        columns = (columns + shifts[:, 1:]).clamp(0, width - 1)
    if flips is not None:
        columns = torch.where(flips[:, None], width - 1 - columns, columns)
    places = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, -1).expand(-1, channels, -1)
    return images.reshape(count, channels, -1).gather(2, places).view(images.shape)


def _rotated(images: Tensor, angles: Tensor) -> Tensor:
    # Where a turned place came from: the inverse rotation about the centre, in units of half a side.
    cosine, sine = torch.cos(angles), torch.sin(angles)
    ratio, nothing = images.shape[-2] / images.shape[-1], torch.zeros_like(angles)
    rows = [cosine, sine * ratio, nothing, -sine / ratio, cosine, nothing]
    grid = functional.affine_grid(torch.stack(rows, dim=1).view(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
