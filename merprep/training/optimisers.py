"""Optimisers and learning-rate schedules of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from merprep.errors import TrainingError
from merprep.training.recipe import Recipe

# Where torch has one kernel for a whole step; elsewhere it takes one for each operation.
_FUSED = ("cpu", "cuda")


@runtime_checkable
class Layered(Protocol):
    """A network whose parameters stand in layers, counted from the input."""

    def layer_of(self, name: str) -> tuple[int, int]:
        """Return the layer of a parameter, and the number of the top layer."""


def optimiser_of(network: nn.Module, recipe: Recipe, *, recorded: bool = False) -> torch.optim.Optimizer:
    """Return the optimiser of a recipe, its parameters grouped by learning rate and weight decay.

    Parameters
    ----------
    network : nn.Module
        Where it will be trained.
    recipe : Recipe
    recorded : bool
        Whether its steps may be recorded (`merprep.training.replay`): learning rates and counts of steps then stand in
        tensors.

    Raises
    ------
    TrainingError
        Where the recipe lowers the rate layer by layer, and the network does not say what its layers are.

    Examples
    --------
    >>> recipe = Recipe(weight_decay=0.05, decay_matrices_only=True, bias_rate=2, learning_rate=1)
    >>> groups = optimiser_of(nn.Linear(2, 2), recipe).param_groups
    >>> [(group["lr"], group["weight_decay"]) for group in groups]
    [(1.0, 0.05), (2.0, 0.0)]
    """
    device = next(network.parameters()).device
    # Fused: one pass over all parameters, which for small networks saves a fifth of the whole training.
    way = "fused" if device.type in _FUSED else "foreach"
    settings: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, way: True}
    groups = _groups(network, recipe)
    if recorded:
        # The GPU's kernels read single precision; elsewhere a rate is what it would be as a number.
        kind = torch.float32 if device.type == "cuda" else torch.float64
        for group in groups:
            group["lr"] = torch.tensor(group["lr"], dtype=kind, device=device)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, **settings)
    settings["capturable"] = recorded and device.type == "cuda"
    adam = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    return adam(groups, **settings)


def _groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = recipe.learning_rate * _layer_scale(network, name, recipe)
        rate *= recipe.bias_rate if name.endswith("bias") else 1.0
        decays = parameter.dim() > 1 or not recipe.decay_matrices_only
        found.setdefault((rate, recipe.weight_decay if decays else 0.0), []).append(parameter)
    return [
        {"params": params, "lr": rate, "initial_lr": rate, "weight_decay": decay}
        for (rate, decay), params in found.items()
    ]


def _layer_scale(network: nn.Module, name: str, recipe: Recipe) -> float:
    if recipe.layer_decay == 1:
        return 1.0
    if not isinstance(network, Layered):
        raise TrainingError(
            f"{type(network).__name__} has no layers by which a learning rate could fall",
            expected="a network with `layer_of`, as HSTA",
            found=f"layer_decay={recipe.layer_decay}",
            mend="set layer_decay to 1",
        )
    layer, top = network.layer_of(name)
    return recipe.layer_decay ** (top - layer)


def rate_factor(recipe: Recipe, batches: int) -> Callable[[int], float]:
    """Return by what the learning rate is multiplied at each step, from 0; `batches` is the number of an epoch.

    Examples
    --------
    >>> factor = rate_factor(Recipe(schedule="step", step_iterations=2, iterations=6), 3)
    >>> [round(factor(step), 3) for step in range(6)]
    [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    >>> factor = rate_factor(Recipe(schedule="cosine", warmup_epochs=1, epochs=2), 3)
    >>> [round(factor(step), 2) for step in range(6)]
    [0.0, 0.5, 1.0, 1.0, 0.75, 0.25]
    """
    total = recipe.steps(batches)
    rising = min(round(recipe.warmup_epochs * batches), total)
    lowest = recipe.minimum_learning_rate / recipe.learning_rate

    def factor(step: int) -> float:
        if step < rising:
            return step / max(rising - 1, 1)
        if recipe.schedule == "step":
            return recipe.step_factor ** (step // recipe.steps_between(batches))
        if recipe.schedule == "cosine":
            fall = 0.5 * (1 + math.cos(math.pi * (step - rising) / max(total - rising, 1)))
            return lowest + (1 - lowest) * fall
        return 1.0

    return factor


class Rates:
    """Sets the learning rates of a training's steps.

    Not one of torch's schedules: those hold the optimiser in a circle, so that its memory on a GPU would not be free
    when the next fold begins.

    Parameters
    ----------
    optimiser : torch.optim.Optimizer
        From `optimiser_of`.
    recipe : Recipe
    batches : int
        Of an epoch.

    Examples
    --------
    >>> recipe = Recipe(schedule="step", step_iterations=1, learning_rate=1)
    >>> optimiser = optimiser_of(nn.Linear(2, 2), recipe)
    >>> Rates(optimiser, recipe, 3).set(2)
    >>> round(optimiser.param_groups[0]["lr"], 4)
    0.01
    """

    def __init__(self, optimiser: torch.optim.Optimizer, recipe: Recipe, batches: int) -> None:
        self.groups = optimiser.param_groups
        self.factor = rate_factor(recipe, batches)
        self._last = 1.0

    def set(self, step: int) -> None:
        """Set all rates to what they are at a step, counted from 0."""
        factor = self.factor(step)
        if factor == self._last:
            return
        self._last = factor
        for group in self.groups:
            rate = group["initial_lr"] * factor
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
