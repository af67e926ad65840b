"""Trains and tests one fold with one seed; runs in a worker process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from merprep.errors import DeviceError, TrainingError
from merprep.evaluation import SubjectKFold
from merprep.models import build_preset
from merprep.models.presets import Preset
from merprep.training.augment import Mirror, mirror_for_tests
from merprep.training.baselines import baseline
from merprep.training.fit import fit, memory_told
from merprep.training.folds import Fold, FoldResult, Predictions, member_seeds, seed_of
from merprep.training.normalising import normalised
from merprep.training.preparing import attach, on_maps, seen_at_once
from merprep.training.recipe import Recipe
from merprep.training.replay import capture_notes, recorder_of
from merprep.training.selection import Selection, inner_epoch, oracle_epoch
from merprep.training.stacked import dropout_generator, with_own_dropout
from merprep.training.watching import Watcher

if TYPE_CHECKING:
    from merprep.training.pretraining import FirstStage

# Of the training persons, one in five validates where epochs are chosen by inner persons.
_INNER_FOLDS = 5


@dataclass(frozen=True)
class Clips:
    """The labelled clips of a run, in memory.

    `images` are (N, C, H, W) float32, or pictures as stored, (N, C, S, S) or (N, C, T, S, S) uint8; `labels` (N,)
    int64; `persons`, `databases` and `ids` have one entry a clip.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    persons: list[str]
    databases: list[str]
    ids: list[str]


@dataclass(frozen=True)
class Plan:
    """What is the same for all folds of a run.

    `recipe` is None for baselines; `stack` is how many folds are trained side by side, 1 for each by itself;
    `start` is what networks begin with, None for weights drawn anew. `precision` is ``float32`` or ``bfloat16``;
    `capture` says whether the steps of a network that is trained by itself are recorded.
    """

    preset: Preset
    recipe: Recipe | None
    classes: tuple[str, ...]
    selection: Selection
    device: str
    threads: int
    folder: Path
    stack: int = 1
    start: FirstStage | None = None
    precision: str = "float32"
    capture: bool = False

    @property
    def n_classes(self) -> int:
        """How many classes the scheme declares."""
        return len(self.classes)


def run_fold(plan: Plan, fold: Fold, seed: int, digest: str, clips: Clips) -> FoldResult:
    """Train on one side, predict the other, and leave the result in the run's folder.

    Everything random is drawn from the seed and the fold's name, so neither the other folds nor the number of workers
    matter.
    """
    start = time.perf_counter()
    truth = clips.labels[fold.test].tolist()
    names = [clips.ids[index] for index in fold.test]
    loss: float | None = None
    optimistic: Predictions | None = None
    notes: list[str] = []
    if plan.recipe is None:
        honest = _baseline(plan, fold, seed, clips)
    else:
        with threads_set(plan.threads), trouble_told(f"fold {fold.name}, seed {seed}"):
            loss, honest, optimistic, notes = _network(plan, plan.recipe, fold, seed, clips)
    seconds = round(time.perf_counter() - start, 3)
    result = FoldResult(fold.name, seed, digest, names, truth, honest, optimistic, loss, seconds, notes)
    result.save(plan.folder)
    return result


@contextmanager
def threads_set(count: int) -> Iterator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def trouble_told(place: str) -> Iterator[None]:
    """Say where training went wrong, and what to do where the device is full, whatever was being done there."""
    try:
        with memory_told():
            yield
    except (TrainingError, DeviceError) as error:
        error.where = f"{error.where}, {place}" if error.where else place
        raise


def _baseline(plan: Plan, fold: Fold, seed: int, clips: Clips) -> Predictions:
    images = normalised(plan.preset.input, clips.images, fold.train)
    found = baseline(plan.preset.model)(
        images[fold.train],
        clips.labels[fold.train],
        images[fold.test],
        n_classes=plan.n_classes,
        seed=seed_of(seed, fold.name),
        settings=plan.preset.architecture,
    )
    return Predictions(0, found.tolist())


def _network(
    plan: Plan, recipe: Recipe, fold: Fold, seed: int, clips: Clips
) -> tuple[float, Predictions, Predictions, list[str]]:
    train, inner = sides_of(plan, fold, seed, clips)
    clips = replace(clips, images=normalised(plan.preset.input, clips.images, train))
    watched = torch.from_numpy(clips.images[np.concatenate([fold.test, inner])]).to(plan.device)
    losses, histories, notes = [], [], []
    batches, *_ = own_seeds = member_seeds(seed, fold.name, recipe.members)
    for own in own_seeds:
        trained = train_network(plan, recipe, clips, train, own, watched, batches=batches)
        losses.append(trained.loss)
        histories.append(trained.history)
        notes += trained.notes
    honest, optimistic = chosen_epochs(plan, fold, inner, np.mean(histories, axis=0), clips)
    return float(np.mean(losses)), honest, optimistic, list(dict.fromkeys(notes))


def sides_of(plan: Plan, fold: Fold, seed: int, clips: Clips) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the clips that a fold is fitted on, and those of its training side that choose the epoch (often none)."""
    if plan.selection == "inner":
        return _inner_split(fold.train, clips.persons, seed_of(seed, fold.name))
    return fold.train, np.zeros(0, np.int64)


def chosen_epochs(
    plan: Plan, fold: Fold, inner: NDArray[np.int64], history: NDArray[np.float32], clips: Clips
) -> tuple[Predictions, Predictions]:
    """Return the honest and the optimistic predictions of a fold.

    Parameters
    ----------
    inner : (M,) int64
        The clips that choose the epoch; none where the last one counts.
    history : (E, N + M, classes) float32
        Probabilities of the N test clips and of these, after every epoch.
    """
    tested = history[:, : len(fold.test)]
    honest = len(history) - 1
    if plan.selection == "inner":
        validated = history[:, len(fold.test) :].argmax(axis=2)
        honest = inner_epoch(validated, clips.labels[inner], plan.n_classes)
    oracle = oracle_epoch(tested.argmax(axis=2), clips.labels[fold.test])
    honestly, best = (Predictions(epoch + 1, tested[epoch].tolist()) for epoch in (honest, oracle))
    return honestly, best


@dataclass(frozen=True)
class Trained:
    """A network, the mean loss of its last epoch, what it said of the watched clips after every epoch, and notes.

    `history` is (E, N, classes) float32, and `ends` says when each epoch had ended (`time.perf_counter`); both are
    without epochs where nothing was watched.
    """

    network: nn.Module
    loss: float
    history: NDArray[np.float32]
    notes: list[str]
    ends: list[float] = field(default_factory=list)


def train_network(
    plan: Plan,
    recipe: Recipe,
    clips: Clips,
    train: NDArray[np.int64],
    seed: int,
    watched: torch.Tensor | None = None,
    *,
    batches: int | None = None,
) -> Trained:
    """Build a network and train it on the chosen clips; the caller's random state is left as it was.

    Parameters
    ----------
    train : (M,) int64
        Places of the clips that are trained on.
    watched : (N, ...), optional
        Inputs that are looked at after every epoch, on the plan's device.
    batches : int, optional
        What seeds order and augmentation, where that is not `seed`: networks whose results are averaged share them.
    """
    cuda = [torch.device(plan.device)] if plan.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        # Drawn where it is trained: drawing the weights of a large network takes a core longer than a GPU ten epochs.
        with torch.device(plan.device):
            network = build_preset(plan.preset, plan.n_classes)
        if plan.start is not None:
            plan.start.start(network, {clips.persons[index] for index in train})
        attach(network, plan.preset.input, recipe.augmentation)
        order = torch.Generator(plan.device).manual_seed(seed if batches is None else batches)
        drawn = order, dropout_generator(plan.device, seed)
        network = with_own_dropout(network.to(plan.device), drawn[1])
        recorder = recorder_of(plan.device, plan.capture, drawn)
        watcher = None
        if watched is not None:
            spec = plan.preset.input
            watcher = Watcher(watched, seen_at_once(spec), plan.precision, mirror_for_tests(recipe, spec), recorder)
        loss = fit(
            network,
            torch.from_numpy(clips.images[train]).to(plan.device),
            torch.from_numpy(clips.labels[train]).to(plan.device),
            on_maps(recipe, plan.preset.input),
            n_classes=plan.n_classes,
            mirror=Mirror.of(plan.preset.input),
            generator=drawn[0],
            observe=watcher,
            precision=plan.precision,
            recorder=recorder,
        )
    history = np.empty((0, 0, plan.n_classes), np.float32) if watcher is None else watcher.history()
    return Trained(network, loss, history, capture_notes(recorder), watcher.ends if watcher else [])


def _inner_split(
    train: NDArray[np.int64], persons: list[str], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    groups = [persons[index] for index in train]
    folds = min(_INNER_FOLDS, len(set(groups)))
    if folds < 2:
        raise TrainingError(
            "Inner selection needs at least two persons on the training side",
            found=", ".join(sorted(set(groups))),
            mend="ingest more subjects, or use --selection last",
        )
    fitted, validated = next(SubjectKFold(folds, seed=seed % 2**32).split(groups, groups=groups))
    return train[fitted], train[validated]
