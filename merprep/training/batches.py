"""Which clips stand in which batch of an epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from merprep.training.recipe import Recipe


def batches_of(labels: Tensor, recipe: Recipe, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the positions of each batch's clips, for one epoch.

    Parameters
    ----------
    labels : (N,) int64
        Of the training clips.
    recipe : Recipe
        Its `order`, `batch_size` and `drop_last` count.
    generator : torch.Generator
        On the device of `labels`.

    Examples
    --------
    >>> labels = torch.tensor([1, 0, 1])
    >>> [batch.tolist() for batch in batches_of(labels, Recipe(order="by-class", batch_size=2), torch.Generator())]
    [[1, 0], [2]]
    """
    order = _order(labels, recipe, generator)
    yield from torch.split(order, recipe.batch_size)[: batch_count(labels, recipe)]


def batch_count(labels: Tensor, recipe: Recipe) -> int:
    """Return how many batches an epoch has; a batch that is not full is dropped on request, unless it is the only one.

    Examples
    --------
    >>> labels = torch.tensor([0, 0, 0, 1])
    >>> batch_count(labels, Recipe(order="equalised", batch_size=4)), batch_count(labels, Recipe(batch_size=3))
    (2, 2)
    """
    count = epoch_size(labels, recipe)
    whole = count // recipe.batch_size
    return max(whole, 1) if recipe.drop_last else math.ceil(count / recipe.batch_size)


def epoch_size(labels: Tensor, recipe: Recipe) -> int:
    """Return how many clips an epoch's order has, before a last batch is dropped."""
    if recipe.order != "equalised":
        return len(labels)
    sizes = torch.bincount(labels)
    return int(sizes.max() * (sizes > 0).sum())


def _order(labels: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    count, device = len(labels), labels.device
    if recipe.order == "shuffled":
        return torch.randperm(count, generator=generator, device=device)
    if recipe.order == "by-class":
        return torch.argsort(labels, stable=True)
    if recipe.order == "balanced":
        weights = 1 / torch.bincount(labels)[labels].float()
        return torch.multinomial(weights, count, replacement=True, generator=generator)
    if recipe.order == "equalised":
        return _equalised(labels, generator)
    return torch.arange(count, device=device)


def _equalised(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return every clip once, and clips of the smaller classes again until all are as large as the largest."""
    device = labels.device
    sizes = torch.bincount(labels)
    parts = [torch.arange(len(labels), device=device)]
    for number in range(len(sizes)):
        own = torch.nonzero(labels == number).flatten()
        if len(own):
            more = int(sizes.max()) - len(own)
            parts.append(own[torch.randint(len(own), (more,), generator=generator, device=device)])
    together = torch.cat(parts)
    return together[torch.randperm(len(together), generator=generator, device=device)]
