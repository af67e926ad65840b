"""What happens to stored pictures on their way into a network: cropping, changing, drawing frames, normalising.

Pictures stay uint8 until a batch of them is looked at, so that a whole database fits into memory, or onto the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.errors import ModelError
from merprep.models.presets import InputSpec
from merprep.training.precision import in_single
from merprep.training.recipe import Augmentation, Recipe

# Of ImageNet's training pictures, red, green, blue, in units of full scale.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
# Grey levels: what a micro-expression changes, so that it is no small number beside a token's position.
_SMALL_CHANGE = 10
_GREY_MEAN, _GREY_DEVIATION = 0.449, 0.226


@dataclass(frozen=True)
class Preparation:
    """Turns stored pictures, (B, C, [T,] S, S) uint8, into a network's input, float32.

    Parameters
    ----------
    spec : InputSpec
    augmentation : Augmentation
        Applied to the pictures while training, before they are normalised.
    """

    spec: InputSpec
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __call__(self, stored: Tensor, *, training: bool = False) -> Tensor:
        """Return (B, C, [T,] size, size) float32; random draws come from torch's own generator.

        Examples
        --------
        >>> spec = InputSpec(representation="apex", channels=("gray",), size=4)
        >>> Preparation(spec)(torch.full((1, 1, 4, 4), 7, dtype=torch.uint8)).unique().tolist()
        [7.0]
        """
        if self.spec.frames and self.spec.sampling == "random":
            stored = drawn_frames(stored, self.spec)
        pictures = stored.flatten(1, 2) if self.spec.frames else stored
        pictures = self._sized(pictures.float(), training)
        if training:
            pictures = changed(pictures, self.augmentation)
        if self.spec.frames:
            pictures = pictures.view(*stored.shape[:3], *pictures.shape[-2:])
        return self._normalised(pictures)

    def _sized(self, pictures: Tensor, training: bool) -> Tensor:
        size, wide = self.spec.size, self.spec.train_size
        if training and wide:
            return random_piece(_resized(pictures, wide), size)
        return _resized(pictures, size)

    def _normalised(self, pictures: Tensor) -> Tensor:
        if self.spec.normalisation == "none":
            return pictures
        if self.spec.normalisation == "onset-difference":
            return (pictures - pictures[:, :, -2:-1]) / _SMALL_CHANGE
        mean, deviation = _colours(len(self.spec.channels), pictures.device, pictures.dtype)
        shape = (-1, *[1] * (pictures.dim() - 2))
        return (pictures / 255 - mean.view(shape)) / deviation.view(shape)


@cache
def _colours(channels: int, device: torch.device, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each colour; kept, for nothing may be brought to a device while it records."""
    grey = channels == 1
    mean, deviation = ([_GREY_MEAN], [_GREY_DEVIATION]) if grey else (_MEAN, _DEVIATION)
    return torch.tensor(mean, dtype=kind, device=device), torch.tensor(deviation, dtype=kind, device=device)


def attach(network: nn.Module, spec: InputSpec, augmentation: Augmentation | None = None) -> nn.Module:
    """Let a network take stored pictures: they are prepared each time before it sees them. Maps are left as they are.

    The network's own weights and their names do not change.

    Examples
    --------
    >>> spec = InputSpec(representation="apex", channels=("gray",), size=2)
    >>> network = attach(nn.Flatten(), spec)
    >>> network(torch.ones(1, 1, 4, 4, dtype=torch.uint8)).tolist()
    [[1.0, 1.0, 1.0, 1.0]]
    """
    if not spec.is_picture:
        return network
    preparation = Preparation(spec, augmentation or Augmentation())

    def prepared(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        # The network may compute in bfloat16; places between pixels are finer than that.
        with in_single(inputs[0].device):
            return (preparation(inputs[0], training=module.training), *inputs[1:])

    network.register_forward_pre_hook(prepared)
    return network


def on_maps(recipe: Recipe, spec: InputSpec) -> Recipe:
    """Return the recipe without the changes that pictures have undergone before a network sees them."""
    return recipe.model_copy(update={"augmentation": Augmentation()}) if spec.is_picture else recipe


def seen_at_once(spec: InputSpec) -> int:
    """Return how many clips are tested in one batch: pictures are large once they are numbers."""
    return 32 if spec.is_picture else 256


def check_changes(augmentation: Augmentation, spec: InputSpec) -> None:
    """Raise where a recipe changes pictures in a way that is for maps, or the other way round.

    Raises
    ------
    ModelError
    """
    asked = {"shift": augmentation.shift, "blend": augmentation.blend}
    wrong = [name for name, value in asked.items() if spec.is_picture and value]
    wrong += ["brightness"] if augmentation.brightness and not spec.is_picture else []
    if wrong:
        raise ModelError(
            f"The augmentation {', '.join(wrong)} is not for this input",
            found=spec.representation,
            mend="pictures are shifted by train_size, a setting of the input, and not blended; only pictures have a "
            "brightness",
        )


def drawn_frames(stored: Tensor, spec: InputSpec) -> Tensor:
    """Draw the video's frames at random, without repetition, in order; (B, C, T, S, S) to (B, C, N + 2, S, S).

    Clips with fewer frames than are wanted are padded as `spec` says.
    """
    batch, device = len(stored), stored.device
    keys, counts = stored[:, :, -3:-1], stored[:, 0, -1, 0, 0].long()
    places = stored.shape[2] - 3
    # Ranks of random numbers, those of places beyond the clip's last frame being the highest.
    order = torch.rand(batch, places, device=device)
    order = order + (torch.arange(places, device=device) >= counts[:, None])
    drawn = order.argsort(dim=1)[:, : spec.frames].sort(dim=1).values
    before = (spec.frames - counts).clamp(min=0) // 2
    padded = torch.arange(spec.frames, device=device) - before[:, None]
    short = counts[:, None] < spec.frames
    chosen = torch.where(short, padded.clamp(min=0).minimum(counts[:, None] - 1), drawn)
    video = stored[torch.arange(batch, device=device)[:, None], :, chosen].movedim(1, 2)
    if spec.padding == "zeros":
        outside = short & ((padded < 0) | (padded >= counts[:, None]))
        video = video * ~outside[:, None, :, None, None]
    return torch.cat([video, keys], dim=2)


def random_piece(pictures: Tensor, size: int) -> Tensor:
    """Cut a piece of `size` out of each of (B, C, S, S), at a place drawn for each clip."""
    batch, channels, side, _ = pictures.shape
    if side == size:
        return pictures
    device = pictures.device
    starts = torch.randint(0, side - size + 1, (2, batch, 1), device=device)
    rows = (starts[0] + torch.arange(size, device=device))[:, None, :, None]
    columns = (starts[1] + torch.arange(size, device=device))[:, None, None, :]
    clips = torch.arange(batch, device=device)[:, None, None, None]
    return pictures[clips, torch.arange(channels, device=device)[None, :, None, None], rows, columns]


def changed(pictures: Tensor, augmentation: Augmentation) -> Tensor:
    """Mirror, turn and brighten (B, C, S, S) pictures, all channels and frames of a clip alike.

    Examples
    --------
    >>> row = torch.tensor([0.0, 10.0]).expand(1, 1, 2, 2)
    >>> changed(row, Augmentation(flip=1))[0, 0, 0].tolist()
    [10.0, 0.0]
    """
    batch, device = len(pictures), pictures.device
    if augmentation.flip:
        drawn = torch.rand(batch, 1, 1, 1, device=device) < augmentation.flip
        pictures = torch.where(drawn, pictures.flip(-1), pictures)
    if augmentation.rotation:
        pictures = _turned(pictures, augmentation.rotation)
    if augmentation.brightness:
        pictures = pictures + _spread(batch, augmentation.brightness, device)
    if augmentation.noise:
        pictures = pictures + augmentation.noise * torch.randn_like(pictures)
    return pictures


def _spread(batch: int, most: float, device: torch.device) -> Tensor:
    return ((torch.rand(batch, device=device) * 2 - 1) * most)[:, None, None, None]


def _turned(pictures: Tensor, degrees: float) -> Tensor:
    angles = _spread(len(pictures), math.radians(degrees), pictures.device)[:, 0, 0]
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    turn = torch.stack([torch.cat([cos, -sin, zero], dim=1), torch.cat([sin, cos, zero], dim=1)], dim=1)
    grid = functional.affine_grid(turn, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _resized(pictures: Tensor, side: int) -> Tensor:
    if pictures.shape[-1] == side:
        return pictures
    return functional.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
