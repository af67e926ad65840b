"""Trains and tests several folds side by side; runs in a worker process."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Container, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from merprep.models import build_preset
from merprep.training.augment import Mirror, mirror_for_tests
from merprep.training.device import SMALL
from merprep.training.folds import Fold, FoldResult, load_fold, member_seeds
from merprep.training.job import Clips, Plan, chosen_epochs, sides_of, threads_set, trouble_told
from merprep.training.normalising import normalised
from merprep.training.recipe import Recipe
from merprep.training.stacked import StackedNetwork, dropout_generator, is_stackable
from merprep.training.stacked_fit import Side, batch_shape, fit_stacked, padded

Task = tuple[Fold, int, str]
# Folds side by side: on a CPU as many as their tensors find room for near a core, on a GPU as many as fill it.
FOLDS_CPU, FOLDS_GPU = 4, 128
# Above this many parameters, those of several folds do not fit beside a core, and side by side is slower than alone.
BESIDE_A_CORE = 500_000
# Test clips are looked at in lots of one length, so that no result depends on how many others there are.
_LOT = 16


def stack_size(plan: Plan, parameters: int, asked: int | None) -> int:
    """Return how many folds of a plan are trained side by side; 1 where they cannot be, or are too large."""
    if plan.recipe is None or parameters >= SMALL or not _can_stack(plan, plan.recipe):
        return 1
    if asked:
        return asked
    if plan.device != "cpu":
        return FOLDS_GPU
    return FOLDS_CPU if parameters <= BESIDE_A_CORE else 1


def alone_notes(plan: Plan, parameters: int, asked: int | None = None) -> list[str]:
    """Say where folds were trained one by one though the network is small, or side by side was asked for."""
    if plan.stack > 1 or asked == 1 or plan.recipe is None:
        return []
    if asked is None and (parameters >= SMALL or plan.preset.input.is_picture or _can_stack(plan, plan.recipe)):
        return []
    if parameters >= SMALL:
        return ["folds were trained one by one: only small networks are trained side by side"]
    return ["folds were trained one by one: this network, recipe or precision cannot be stacked"]


def _can_stack(plan: Plan, recipe: Recipe) -> bool:
    # Rates and decays that differ from tensor to tensor of a kind are read off names and shapes, which stacks change.
    if recipe.layer_decay != 1 or recipe.decay_matrices_only:
        return False
    if plan.preset.input.is_picture or plan.start is not None or plan.precision != "float32":
        return False
    with torch.device("meta"):
        return is_stackable(build_preset(plan.preset, plan.n_classes))


def groups_of(plan: Plan, tasks: Sequence[Task], clips: Clips, kept: Container[str] = ()) -> list[list[Task]]:
    """Gather the tasks that one worker does in one go, where any of them is not yet done.

    Folds side by side have batches of the same shapes; those of like size stand together. Who stands with whom depends
    on neither other seeds nor what was interrupted: a group of which some folds are `kept` (by digest) is done whole.
    """
    if plan.stack == 1 or plan.recipe is None:
        return [[task] for task in tasks if task[2] not in kept]
    alike: defaultdict[tuple[int, tuple[int, int]], list[tuple[int, Task]]] = defaultdict(list)
    for task in tasks:
        train, _ = sides_of(plan, task[0], task[1], clips)
        # Seed after seed, so that a run that is interrupted has whole seeds first.
        shape = batch_shape(torch.from_numpy(clips.labels[train]), plan.recipe)
        alike[task[1], shape].append((len(train), task))
    found = []
    for kind in sorted(alike):
        ordered = [task for _, task in sorted(alike[kind], key=lambda pair: pair[0])]
        count = -(-len(ordered) // max(1, plan.stack // plan.recipe.members))
        found += [ordered[len(ordered) * k // count : len(ordered) * (k + 1) // count] for k in range(count)]
    return [group for group in found if any(task[2] not in kept for task in group)]


def run_folds(plan: Plan, tasks: Sequence[Task], clips: Clips) -> list[FoldResult]:
    """Train and test folds whose batches have the same shapes, and leave the results in the run's folder.

    Everything random is drawn from each fold's seed and name, so it does not matter which folds stand side by side.
    """
    start = time.perf_counter()
    if plan.recipe is None:
        raise ValueError("a baseline has no network to stack")
    sides = [sides_of(plan, fold, seed, clips) for fold, seed, _ in tasks]
    with threads_set(plan.threads), trouble_told(f"{len(tasks)} folds side by side"):
        losses, histories = _trained(plan, plan.recipe, tasks, sides, clips)
    seconds = round((time.perf_counter() - start) / len(tasks), 3)
    results = []
    for (fold, seed, digest), (_, inner), loss, history in zip(tasks, sides, losses, histories, strict=True):
        names, truth = [clips.ids[index] for index in fold.test], clips.labels[fold.test].tolist()
        honest, optimistic = chosen_epochs(plan, fold, inner, history, clips)
        result = FoldResult(fold.name, seed, digest, names, truth, honest, optimistic, loss, seconds)
        # Of a group that was interrupted, what was finished stays as it is.
        before = load_fold(plan.folder, fold.name, seed, digest)
        if before is not None and (before.clips, before.truth) == (names, truth):
            result = before
        else:
            result.save(plan.folder)
        results.append(result)
    return results


def _trained(
    plan: Plan,
    recipe: Recipe,
    tasks: Sequence[Task],
    sides: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    clips: Clips,
) -> tuple[list[float], list[NDArray[np.float32]]]:
    given, watched, counts, seeds = [], [], [], []
    for (fold, seed, _), (train, inner) in zip(tasks, sides, strict=True):
        images = torch.from_numpy(normalised(plan.preset.input, clips.images, train)).to(plan.device)
        labels = torch.from_numpy(clips.labels[train]).to(plan.device)
        numbers = member_seeds(seed, fold.name, recipe.members)
        given.append(Side(images[train], labels, torch.Generator(plan.device).manual_seed(numbers[0]), fold.name))
        watched.append(images[np.concatenate([fold.test, inner])])
        counts.append(len(watched[-1]))
        seeds += numbers
    seen = padded(torch.cat(watched), counts, 0, -(-max(counts) // _LOT) * _LOT)
    mirror = mirror_for_tests(recipe, plan.preset.input)
    views = [seen] if mirror is None else [seen, mirror(seen.flatten(0, 1)).view(seen.shape)]
    history: list[NDArray[np.float32]] = []
    networks = [_built(plan, number) for number in seeds]
    # Layers are born with numbers from the caller's generator, before those of the networks replace them.
    with torch.random.fork_rng(devices=[]):
        losses = fit_stacked(
            networks,
            given,
            recipe,
            n_classes=plan.n_classes,
            mirror=Mirror.of(plan.preset.input),
            dropout=[dropout_generator(plan.device, number) for number in seeds],
            observe=lambda _, stacked: history.append(_probabilities(stacked, views).numpy()),
        )
    # (epochs, folds, members, clips, classes)
    whole = np.stack(history)
    whole = whole.reshape(len(whole), len(tasks), recipe.members, *whole.shape[2:]).mean(axis=2)
    mean_losses = np.reshape(losses, (len(tasks), recipe.members)).mean(axis=1).tolist()
    return mean_losses, [whole[:, number, :count] for number, count in enumerate(counts)]


def _built(plan: Plan, seed: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_preset(plan.preset, plan.n_classes).to(plan.device)


def _probabilities(stacked: StackedNetwork, views: Sequence[Tensor]) -> Tensor:
    """Map views of the same clips, (folds, B, C, H, W) each, to their mean (networks, B, classes) on the CPU."""
    found = []
    with torch.no_grad():
        for seen in views:
            lots = [seen] if seen.is_cuda else torch.split(seen, _LOT, dim=1)
            found.append(torch.cat([stacked(lot).softmax(dim=2).cpu() for lot in lots], dim=1))
    return torch.stack(found).mean(dim=0)
