"""What is read, checked and written down before the first fold is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.config import canonical_json
from merprep.errors import TrainingError
from merprep.evaluation import Split
from merprep.models import build_preset
from merprep.training.augment import check_augmentation, mirror_for_tests
from merprep.training.dataset import FeatureDataset
from merprep.training.folds import Fold, check_classes, missing_class_notes, rare_class_notes
from merprep.training.job import Clips, Plan, sides_of, trouble_told
from merprep.training.preparing import attach, check_changes

Task = tuple[Fold, int, str]


def clips_of(dataset: FeatureDataset, permute: int | None) -> Clips:
    """Read all labelled clips, their labels permuted within persons where a seed is given.

    Raises
    ------
    TrainingError
        Where an input is not a number.
    """
    images = dataset.images()
    dataset.close()
    whole = np.issubdtype(images.dtype, np.integer)  # pictures: every value is one
    broken = np.zeros(0, np.int64) if whole else np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))
    if broken.size:
        raise TrainingError(
            "The feature file holds values that are not numbers",
            where=f"{dataset.path}: {', '.join(dataset.clip_ids[i] for i in broken[:5])}",
            found=f"{broken.size} clips",
            mend="run `merprep flow` again",
        )
    clips = Clips(images, dataset.labels, dataset.persons, dataset.databases, dataset.clip_ids)
    return clips if permute is None else replace(clips, labels=_permuted(clips, permute))


def _permuted(clips: Clips, seed: int) -> NDArray[np.int64]:
    labels = clips.labels.copy()
    persons = np.array(clips.persons)
    for person in dict.fromkeys(clips.persons):
        own = np.flatnonzero(persons == person)
        number = int.from_bytes(hashlib.sha256(f"permute/{seed}/{person}".encode()).digest()[:8], "big")
        labels[own] = np.random.default_rng(number).permutation(labels[own])
    return labels


def notes_of(
    dataset: FeatureDataset, split: Split, clips: Clips, max_folds: int | None, permute: int | None
) -> list[str]:
    """Say what a reader of the score must know."""
    folds = split.folds
    notes = [*split.notes, *rare_class_notes(folds, clips.labels, dataset.classes)]
    notes += [f"{count} clips have no label: {reason}" for reason, count in dataset.skipped.items()]
    if max_folds is not None and max_folds < len(folds):
        notes.append(f"only the first {max_folds} of {len(folds)} folds were run")
    if permute is not None:
        notes.append(f"control: labels were permuted within each person (seed {permute})")
    return notes


def inner_notes(plan: Plan, tasks: Sequence[Task], clips: Clips) -> list[str]:
    """Say which classes inner selection lacks, among the persons who choose the epoch and those left to train on.

    Raises
    ------
    TrainingError
        Where the persons left to train on show one class only, or there are too few to choose from.
    """
    if plan.recipe is None or plan.selection != "inner":
        return []
    several = len({seed for _, seed, _ in tasks}) > 1
    fitted, validated = [], []
    for fold, seed, _ in tasks:
        name = f"{fold.name} with seed {seed}" if several else fold.name
        with trouble_told(f"fold {name}"):
            left, chosen = sides_of(plan, fold, seed, clips)
        check_classes(clips.labels[left], plan.classes, f"{name}, without its validation persons")
        fitted.append((name, left))
        validated.append((name, chosen))
    left_over = "once validation persons are taken out, on the training side of"
    return [
        *missing_class_notes(validated, clips.labels, plan.classes, "among the validation persons of"),
        *missing_class_notes(fitted, clips.labels, plan.classes, left_over),
    ]


def check_network(plan: Plan, clips: Clips) -> int:
    """Return the number of parameters, after a dry run without memory that raises where the input does not fit."""
    if plan.recipe is None:
        return 0
    import torch

    check_augmentation(plan.recipe.augmentation, plan.preset.input)
    check_changes(plan.recipe.augmentation, plan.preset.input)
    mirror_for_tests(plan.recipe, plan.preset.input)
    with torch.device("meta"):
        network = attach(build_preset(plan.preset, plan.n_classes), plan.preset.input)
        like = torch.from_numpy(clips.images[:1])
        network.eval()(torch.empty(like.shape, dtype=like.dtype))
    return sum(parameter.numel() for parameter in network.parameters())


def config_of(plan: Plan, dataset: FeatureDataset, clips: Clips, split: Split, permute: int | None) -> dict[str, Any]:
    """Return everything that a fold's result depends on, as plain JSON values."""
    recipe = plan.recipe.model_dump(mode="json", exclude={"precision"}) if plan.recipe else None
    return {
        "preset": {**plan.preset.model_dump(mode="json"), "recipe": recipe},
        "scheme": dataset.scheme,
        "classes": list(dataset.classes),
        "protocol": split.protocol,
        "split": split.digest,
        # The optimistic score is always computed, so asking for it changes nothing that a fold depends on.
        "selection": "inner" if plan.selection == "inner" else "last",
        "device": plan.device,
        "precision": plan.precision,
        "permute_labels_within_persons": permute,
        "start": plan.start.about if plan.start else "from scratch",
        "inputs": _digest(clips),
    }


def _digest(clips: Clips) -> str:
    inputs = hashlib.sha256(np.ascontiguousarray(clips.images).tobytes())
    inputs.update(canonical_json([clips.ids, clips.persons, clips.labels.tolist()]).encode())
    return inputs.hexdigest()[:16]
