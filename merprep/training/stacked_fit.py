"""Trains several networks of one kind side by side, each on its own clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.training.augment import Drawn, Mirror, changed, draw
from merprep.training.batches import batch_count, batches_of, epoch_size
from merprep.training.fit import checked_loss, class_weights, memory_told
from merprep.training.optimisers import optimiser_of, rate_factor
from merprep.training.recipe import Recipe
from merprep.training.stacked import StackedNetwork

# Batches are filled up to a multiple of this, so that few different lengths occur, and vectors come out even.
_ROUNDED = 32

StackObserver = Callable[[int, StackedNetwork], None]


@dataclass(frozen=True)
class Side:
    """What one of the networks is trained on.

    Parameters
    ----------
    images : (N, C, H, W) float32
    labels : (N,) int64
    generator : torch.Generator
        Draws order and augmentation, on the device of `images`.
    name : str
        Told where its loss is no longer a number.
    """

    images: Tensor
    labels: Tensor
    generator: torch.Generator
    name: str = ""


def fit_stacked(
    networks: Sequence[nn.Module],
    sides: Sequence[Side],
    recipe: Recipe,
    *,
    n_classes: int,
    mirror: Mirror,
    dropout: Sequence[torch.Generator],
    observe: StackObserver | None = None,
) -> list[float]:
    """Train `networks` in place, each on its own side, with as many batches an epoch for all of them.

    Every network sees the batches, and gets the random draws, that it would get alone: its result does not depend on
    the others but for rounding. Where there are fewer sides, each is that of equally many networks, one after another,
    which see the same batches.

    Parameters
    ----------
    networks : sequence of nn.Module
        On the device of the images; see `merprep.training.stacked.is_stackable`.
    sides : sequence of Side
        One a network, or one for each so many.
    recipe : Recipe
    n_classes : int
    mirror : Mirror
    dropout : sequence of torch.Generator
        One a network.
    observe : callable, optional
        Called with the epoch (from 0) and the stack, in evaluation mode, after every epoch.

    Returns
    -------
    list of float
        Mean loss of the last epoch, of each network.

    Raises
    ------
    TrainingError
        Where a loss is no longer a number.
    DeviceError
        Where the device has no memory left.
    """
    stacked = StackedNetwork(networks, dropout)
    optimiser = optimiser_of(stacked, recipe)
    (batches, _), *others = {batch_shape(side.labels, recipe) for side in sides}
    if others:
        raise ValueError("networks with batches of different shapes cannot be stacked")
    steps = recipe.steps(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate_factor(recipe, batches))
    each = len(networks) // len(sides)
    loss_of = _Loss(sides, recipe, n_classes, each)
    means = [math.nan] * len(networks)
    for epoch in range(math.ceil(steps / batches)):
        stacked.train()
        count = min(batches, steps - epoch * batches)
        total = torch.zeros(len(networks), device=sides[0].images.device)
        with memory_told():
            for batch in islice(_batches(sides, recipe, mirror), count):
                losses = loss_of(stacked(batch.images, batch.sizes), batch)
                optimiser.zero_grad()
                torch.autograd.backward(losses.sum())
                optimiser.step()
                schedule.step()
                total += losses.detach()
        means = (total / count).tolist()
        for number, mean in enumerate(means):
            checked_loss(mean, epoch, recipe, sides[number // each].name)
        stacked.eval()
        if observe is not None:
            observe(epoch, stacked)
    stacked.unstack(networks)
    return means


@dataclass(frozen=True)
class _Batch:
    """What all networks see in one step.

    `images` are (sides, B, C, H, W); `classes` (sides, B) int64, -1 where there is no clip, and `shares` (sides, B),
    one or two of each: of what is blended, the classes of both clips and by how much they count. `sizes` are the true
    clips of each side.
    """

    images: Tensor
    classes: list[Tensor]
    shares: list[Tensor]
    sizes: list[int]


class _Loss:
    """Cross-entropy of each network, weighted by its own classes; places without a clip (label -1) weigh nothing."""

    def __init__(self, sides: Sequence[Side], recipe: Recipe, n_classes: int, each: int) -> None:
        own = [class_weights(side.labels, n_classes, recipe) for side in sides]
        like, self.each = sides[0].images, each
        weights = torch.stack([like.new_ones(n_classes) if weights is None else weights for weights in own])
        self.weights = weights.repeat_interleave(each, dim=0)
        self.smoothing = recipe.label_smoothing / n_classes
        self.sharp = 1 - recipe.label_smoothing

    def __call__(self, logits: Tensor, batch: _Batch) -> Tensor:
        """Map (networks, B, classes) to (networks,)."""
        costs = -functional.log_softmax(logits, dim=2)
        total = weight = costs.new_zeros(())
        for classes, shares in zip(batch.classes, batch.shares, strict=True):
            own, weighed = self._of(costs, *(each.repeat_interleave(self.each, dim=0) for each in (classes, shares)))
            total, weight = total + own, weight + weighed
        return total / weight

    def _of(self, costs: Tensor, labels: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        there = (labels >= 0) * shares
        right = labels.clamp(min=0)
        weight = self.weights.gather(1, right) * there
        loss = self.sharp * weight * costs.gather(2, right[:, :, None])[:, :, 0]
        if self.smoothing:
            loss = loss + self.smoothing * there * (costs * self.weights[:, None]).sum(dim=2)
        return loss.sum(dim=1), weight.sum(dim=1)


def _batches(sides: Sequence[Side], recipe: Recipe, mirror: Mirror) -> Iterator[_Batch]:
    """Yield what all networks see, batch after batch."""
    orders = [batches_of(side.labels, recipe, side.generator) for side in sides]
    for chosen in zip(*orders, strict=True):
        sizes = [len(rows) for rows in chosen]
        images = torch.cat([side.images[rows] for side, rows in zip(sides, chosen, strict=True)])
        labels = torch.cat([side.labels[rows] for side, rows in zip(sides, chosen, strict=True)])
        drawn = Drawn()
        if not recipe.augmentation.is_off:
            shapes = [(size, *images.shape[1:]) for size in sizes]
            each = [draw(s, recipe.augmentation, side.generator) for s, side in zip(shapes, sides, strict=True)]
            drawn = Drawn.joined(each)
            images = changed(images, drawn, recipe.augmentation, mirror)
        classes, shares = [labels], [torch.ones_like(labels, dtype=images.dtype)]
        if drawn.partner is not None and drawn.share is not None:
            classes, shares = [labels, labels[drawn.partner]], [1 - drawn.share, drawn.share]
        rows = _places(max(sizes), recipe)
        yield _Batch(
            padded(images, sizes, 0, rows),
            [padded(own, sizes, -1, rows) for own in classes],
            [padded(own, sizes, 0, rows) for own in shares],
            sizes,
        )


def padded(values: Tensor, sizes: Sequence[int], filler: float, rows: int) -> Tensor:
    """Bring lots of unequal `sizes`, one after another, to one length.

    Parameters
    ----------
    values : (sum of sizes, ...)
    sizes : sequence of int
    filler : float
    rows : int

    Returns
    -------
    (lots, rows, ...)

    Examples
    --------
    >>> padded(torch.tensor([1, 2, 3]), [1, 2], 0, 2).tolist()
    [[1, 0], [2, 3]]
    """
    if min(sizes) == rows:
        return values.reshape(len(sizes), rows, *values.shape[1:])
    filled = values.new_full((len(sizes), rows, *values.shape[1:]), filler)
    for row, part in zip(filled, torch.split(values, list(sizes)), strict=True):
        row[: len(part)] = part
    return filled


def batch_shape(labels: Tensor, recipe: Recipe) -> tuple[int, int]:
    """Return how many batches an epoch of these clips has, and the places of its last one.

    Networks can be stacked where both are equal. Places depend on a network's own clips alone, and so does all that is
    computed for it, whichever networks it is stacked with.

    Examples
    --------
    >>> batch_shape(torch.zeros(435, dtype=torch.int64), Recipe(batch_size=64))
    (7, 64)
    """
    batches = batch_count(labels, recipe)
    last = min(recipe.batch_size, epoch_size(labels, recipe) - (batches - 1) * recipe.batch_size)
    return batches, _places(last, recipe)


def _places(size: int, recipe: Recipe) -> int:
    return min(recipe.batch_size, -(-size // _ROUNDED) * _ROUNDED)
