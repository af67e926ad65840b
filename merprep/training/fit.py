"""Trains one network on one set of clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from merprep.errors import DeviceError, TrainingError
from merprep.training.augment import Mirror, augment
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
    batches = math.ceil(len(images) / recipe.batch_size)
    optimiser = _optimiser(network, recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _factor(recipe, batches))
    loss_of = nn.CrossEntropyLoss(_weights(labels, n_classes, recipe), label_smoothing=recipe.label_smoothing)

    def one_epoch() -> float:
        total = torch.zeros((), device=images.device)
        for chosen in _batches(labels, recipe, generator):
            batch = images[chosen]
            if not recipe.augmentation.is_off:
                batch = augment(batch, recipe.augmentation, mirror, generator)
            loss = loss_of(network(batch), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach()
        return float(total) / batches

    mean = math.nan
    for epoch in range(recipe.epochs):
        network.train()
        with _memory_told():
            mean = _checked(one_epoch(), epoch, recipe)
        network.eval()
        if observe is not None:
            observe(epoch, network)
    return mean


@contextmanager
def _memory_told() -> Iterator[None]:
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


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    # Fused: one pass over all parameters, which for small networks saves a fifth of the whole training.
    settings: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=recipe.momentum, **settings)
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    return kind(network.parameters(), **settings)


def _factor(recipe: Recipe, batches: int) -> Callable[[int], float]:
    total, warmup = recipe.epochs * batches, recipe.warmup_epochs * batches

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        fall = 0.5 * (1 + math.cos(math.pi * step / total)) if recipe.schedule == "cosine" else 1.0
        return rise * fall

    return factor


def _weights(labels: Tensor, n_classes: int, recipe: Recipe) -> Tensor | None:
    if not recipe.class_weight_power:
        return None
    counts = torch.bincount(labels, minlength=n_classes).float()
    present = counts > 0
    balanced = counts.sum() / (present.sum() * counts.clamp(min=1))
    return torch.where(present, balanced**recipe.class_weight_power, torch.zeros_like(balanced))


def _batches(labels: Tensor, recipe: Recipe, generator: torch.Generator) -> Iterator[Tensor]:
    count, device = len(labels), labels.device
    if recipe.order == "shuffled":
        order = torch.randperm(count, generator=generator, device=device)
    elif recipe.order == "by-class":
        order = torch.argsort(labels, stable=True)
    else:
        order = torch.arange(count, device=device)
    yield from torch.split(order, recipe.batch_size)


def _checked(loss: float, epoch: int, recipe: Recipe) -> float:
    if math.isfinite(loss):
        return loss
    raise TrainingError(
        "The loss is no longer a number",
        where=f"epoch {epoch + 1} of {recipe.epochs}",
        found=str(loss),
        mend=f"lower the learning rate (now {recipe.learning_rate:g}), and look for NaN in the feature file",
    )
