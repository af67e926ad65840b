"""What an epoch of one network costs: its steps one after the other, and recorded, in both precisions."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from merprep.bench.train import CLIPS, PERSONS

if TYPE_CHECKING:
    from merprep.models.presets import Preset
    from merprep.training.job import Clips, Trained

# Epochs that are not timed: libraries choose their algorithms, and steps are recorded.
_FIRST = 4


@dataclass(frozen=True)
class StepCost:
    """What the training of one network costs.

    Parameters
    ----------
    model, preset, device, precision : str
    parameters : int
    plain : float
        Milliseconds an epoch, its look at the test clips included: steps one after the other.
    captured : float
        The same with steps that are recorded once and done again; on a CPU, where nothing can be recorded, the same
        steps on tensors that stay where they are.
    ratio : float
        The first divided by the second: how many times as fast.
    setup : float
        Seconds that a fold takes beside its epochs: its network is drawn, its clips are moved, its steps recorded.
    hours : float
        What follows for all folds and epochs of the preset's recipe in one process, captured; not measured.
    difference : float
        The largest difference of a probability between both ways, after any epoch.
    trouble : str
        Why steps could not be captured.
    """

    model: str
    preset: str
    device: str
    precision: str
    parameters: int
    plain: float
    captured: float
    ratio: float
    setup: float
    hours: float
    difference: float
    trouble: str


def step_cost(
    presets: Sequence[tuple[str, str]] = (),
    *,
    device: str = "cpu",
    epochs: int = 8,
    rounds: int = 2,
    clips: int = CLIPS,
) -> list[StepCost]:
    """Train one fold of each preset on random inputs, by turns in both ways, in both precisions.

    Parameters
    ----------
    presets : sequence of (model, preset)
        HTNet by itself: as published on a GPU, its small form on a CPU.
    device : str
    epochs : int
        That are timed, behind four that are not.
    rounds : int
        How often both ways are timed; the quicker round counts.
    clips : int

    Returns
    -------
    list of StepCost
    """
    from merprep.models import preset as read_preset
    from merprep.training.device import resolve_device

    where = resolve_device(device)
    chosen = presets or [("htnet", "sanity" if where == "cpu" else "published")]
    return [
        _cost(read_preset(model, name), where, precision, epochs, rounds, clips)
        for model, name in chosen
        for precision in ("float32", "bfloat16")
    ]


def _cost(preset: Preset, device: str, precision: str, epochs: int, rounds: int, clips: int) -> StepCost:
    found: dict[bool, list[tuple[float, float, Trained]]] = {False: [], True: []}
    inputs = random_clips(preset, clips)
    for _ in range(rounds):
        for capture, timed in found.items():
            timed.append(_timed(preset, device, precision, epochs, inputs, capture))
    plain, captured = (min(found[capture], key=lambda one: one[0]) for capture in (False, True))
    networks = PERSONS * int(preset.recipe.get("members", 1))
    whole = networks * (captured[1] + captured[0] * _epochs(preset, clips))
    return StepCost(
        preset.model,
        preset.name,
        device,
        precision,
        sum(parameter.numel() for parameter in captured[2].network.parameters()),
        1000 * plain[0],
        1000 * captured[0],
        plain[0] / captured[0],
        captured[1],
        whole / 3600,
        float(np.abs(plain[2].history - captured[2].history).max()),
        "; ".join(captured[2].notes),
    )


def _timed(
    preset: Preset, device: str, precision: str, epochs: int, clips: Clips, capture: bool
) -> tuple[float, float, Trained]:
    """Return the seconds of one epoch, those of a fold beside its epochs, and what was trained."""
    import torch

    from merprep.training.device import steady
    from merprep.training.job import Plan, threads_set, train_network
    from merprep.training.recipe import Recipe

    recipe = Recipe.of(preset, epochs=_FIRST + epochs)
    plan = Plan(preset, recipe, ("0", "1", "2"), "last", device, 1, Path(), precision=precision, capture=capture)
    tested = max(1, len(clips.ids) // PERSONS)
    everybody = np.arange(len(clips.ids))
    started = time.perf_counter()
    with steady(device), threads_set(torch.get_num_threads()):
        watched = torch.from_numpy(clips.images[:tested]).to(device)
        trained = train_network(plan, recipe, clips, everybody[tested:], 0, watched)
    seconds = time.perf_counter() - started
    ends = trained.ends
    epoch = statistics.median(after - before for before, after in zip(ends[_FIRST - 1 :], ends[_FIRST:], strict=False))
    return epoch, max(0.0, seconds - epoch * len(ends)), trained


def _epochs(preset: Preset, clips: int) -> float:
    """Return how many epochs the preset's recipe has, of so many clips."""
    import torch

    from merprep.training.batches import batch_count
    from merprep.training.recipe import Recipe

    recipe = Recipe.of(preset)
    batches = batch_count(torch.arange(clips) % 3, recipe)
    return recipe.steps(batches) / batches


def random_clips(preset: Preset, count: int = CLIPS, *, seed: int = 0) -> Clips:
    """Return noise of the kind that a preset sees, classes in turn, as many persons as the composite has.

    Examples
    --------
    >>> from merprep.models import preset
    >>> random_clips(preset("htnet"), 9).images.shape, random_clips(preset("hsta", "tiny"), 9).images.shape
    ((9, 3, 28, 28), (9, 3, 8, 48, 48))
    """
    from merprep.training.job import Clips

    rng, spec = np.random.default_rng(seed), preset.input
    if spec.is_picture:
        side, whole = spec.train_size or spec.size, spec.sampling == "random"
        frames = (spec.frames + 2 + whole,) if spec.frames else ()
        images = rng.integers(0, 255, (count, len(spec.channels), *frames, side, side), dtype=np.uint8)
        if whole:
            images[:, :, -1] = spec.frames
    else:
        side = preset.architecture.get("image_size", 28)
        images = rng.normal(size=(count, len(spec.channels), side, side)).astype(np.float32)
    persons = [f"casme2:{number % PERSONS}" for number in range(count)]
    return Clips(images, np.arange(count) % 3, persons, ["casme2"] * count, [f"EP{number}" for number in range(count)])
