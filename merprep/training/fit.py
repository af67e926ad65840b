"""Trains one network on one set of clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import torch
from torch import Tensor, nn

from merprep.errors import DeviceError, TrainingError
from merprep.training.augment import Mirror, augment
from merprep.training.batches import batch_count, batches_of
from merprep.training.optimisers import optimiser_of, rate_factor
from merprep.training.recipe import Recipe

Observer = Callable[[int, nn.Module], None]


def fit(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    n_classes: int,
    mirror: Mirror,
    generator: torch.Generator,
    observe: Observer | None = None,
) -> float:
    """Train `network` in place.

    Parameters
    ----------
    network : nn.Module
        On the device of `images`.
    images : (N, C, H, W) float32
    labels : (N,) int64
    recipe : Recipe
    n_classes : int
        Declared classes; a class without clips gets no weight.
    mirror : Mirror
        What the augmentation's flip does to this input.
    generator : torch.Generator
        Draws order and augmentation, on the device of `images`.
    observe : callable, optional
        Called with the epoch (from 0) and the network, in evaluation mode, after every epoch.

    Returns
    -------
    float
        Mean loss of the last epoch.

    Raises
    ------
    TrainingError
        Where the loss is no longer a number.
    DeviceError
        Where the device has no memory left.
    """
    batches = batch_count(labels, recipe)
    steps = recipe.steps(batches)
    optimiser = optimiser_of(network, recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate_factor(recipe, batches))
    loss_of = nn.CrossEntropyLoss(class_weights(labels, n_classes, recipe), label_smoothing=recipe.label_smoothing)

    def one_epoch(count: int) -> float:
        total = torch.zeros((), device=images.device)
        for chosen in islice(batches_of(labels, recipe, generator), count):
            batch = images[chosen]
            if not recipe.augmentation.is_off:
                batch = augment(batch, recipe.augmentation, mirror, generator)
            loss = loss_of(network(batch), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach()
        return float(total) / count

    mean = math.nan
    for epoch in range(math.ceil(steps / batches)):
        network.train()
        with memory_told():
            mean = checked_loss(one_epoch(min(batches, steps - epoch * batches)), epoch, recipe)
        network.eval()
        if observe is not None:
            observe(epoch, network)
    return mean


@contextmanager
def memory_told() -> Iterator[None]:
    """Say what to do where the device's memory is not enough."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            "The device has no memory left for training",
            found=str(error).split(".", maxsplit=1)[0],
            mend="use a smaller preset, --jobs 1, or --device cpu",
        ) from error


def probabilities(network: nn.Module, images: Tensor, batch_size: int = 256) -> Tensor:
    """Return class probabilities (N, classes) float32 on the CPU; `network` must be in evaluation mode."""
    with torch.no_grad():
        parts = [network(part).softmax(dim=1).float().cpu() for part in torch.split(images, batch_size)]
    return torch.cat(parts)


def class_weights(labels: Tensor, n_classes: int, recipe: Recipe) -> Tensor | None:
    """Return what a clip of each class weighs in the loss, (n_classes,) float32, or None where all weigh the same."""
    if not recipe.class_weight_power:
        return None
    counts = torch.bincount(labels, minlength=n_classes).to(torch.get_default_dtype())
    present = counts > 0
    balanced = counts.sum() / (present.sum() * counts.clamp(min=1))
    return torch.where(present, balanced**recipe.class_weight_power, torch.zeros_like(balanced))


def checked_loss(loss: float, epoch: int, recipe: Recipe, fold: str = "") -> float:
    """Return a loss that is a number, and raise for one that is not."""
    if math.isfinite(loss):
        return loss
    raise TrainingError(
        "The loss is no longer a number",
        where=f"epoch {epoch + 1}" + (f", fold {fold}" if fold else ""),
        found=str(loss),
        mend=f"lower the learning rate (now {recipe.learning_rate:g}), and look for NaN in the feature file",
    )
