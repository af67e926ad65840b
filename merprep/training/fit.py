"""Trains one network on one set of clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice

import torch
from torch import Tensor, nn

from merprep.errors import DeviceError, TrainingError
from merprep.training.augment import Mirror
from merprep.training.batches import batch_count, batches_of
from merprep.training.optimisers import Rates
from merprep.training.recipe import Recipe
from merprep.training.replay import Recorder, failed_capture_told, replayed
from merprep.training.step import Step

# Of memory that runs out elsewhere than in torch's own allocator on the GPU.
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "STATUS_ALLOC_FAILED")

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
    precision: str = "float32",
    recorder: Recorder | None = None,
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
    precision : str
        ``float32`` or ``bfloat16``; see `merprep.training.precision`.
    recorder : Recorder, optional
        Records the steps, once for each length of batch; None takes them one after the other.

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
    step = Step(
        network, images, labels, recipe, weights=class_weights(labels, n_classes, recipe), mirror=mirror,
        generator=generator, precision=precision, recorded=recorder is not None,
    )  # fmt: skip
    rates = Rates(step.optimiser, recipe, batches)
    take = replayed(step, recorder)

    def one_epoch(first: int, count: int) -> float:
        step.total.zero_()
        for number, chosen in enumerate(islice(batches_of(labels, recipe, generator), count)):
            rates.set(first + number)
            take(chosen)
        return float(step.total) / count

    mean = math.nan
    with recorder.lane() if recorder else nullcontext():
        for epoch in range(math.ceil(steps / batches)):
            first = epoch * batches
            network.train()
            with failed_capture_told(recorder), memory_told():
                mean = checked_loss(one_epoch(first, min(batches, steps - first)), epoch, recipe)
                network.eval()
                if observe is not None:
                    observe(epoch, network)
    return mean


@contextmanager
def memory_told() -> Iterator[None]:
    """Say what to do where the device's memory is not enough."""
    try:
        yield
    except RuntimeError as error:
        found = str(error)
        if not isinstance(error, torch.cuda.OutOfMemoryError) and not any(sign in found for sign in _OUT_OF_MEMORY):
            raise
        raise DeviceError(
            "The device has no memory left for training",
            found=found.split(".", maxsplit=1)[0],
            mend="let fewer processes share it (--jobs 1), take a preset with a smaller batch_size or a smaller "
            "network, or --device cpu; finished folds are kept",
        ) from error


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
