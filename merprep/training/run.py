"""A training run: all folds and seeds of one model on one feature file, resumable fold by fold."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from merprep.config import canonical_json, short_hash
from merprep.errors import TrainingError, UsageError
from merprep.models import build_preset
from merprep.models import preset as read_preset
from merprep.models.presets import Preset
from merprep.progress import Progress, Silent
from merprep.store.provenance import versions
from merprep.store.workspace import written_whole
from merprep.training.augment import check_augmentation
from merprep.training.dataset import FeatureDataset, Labelling
from merprep.training.device import resolve_device, workers
from merprep.training.final import fit_final
from merprep.training.folds import Fold, FoldResult, folds_of, load_fold, rare_class_notes
from merprep.training.job import Clips, Plan, run_fold
from merprep.training.recipe import Recipe
from merprep.training.result import TrainResult, conclude
from merprep.training.selection import SELECTIONS, Selection

Task = tuple[Fold, int, str]


def train(
    features: str | Path,
    *,
    model: str,
    run_folder: str | Path,
    preset: str | Preset = "published",
    scheme: str | int | Labelling = "megc2019",
    protocol: str = "loso",
    selection: str = "last",
    seeds: int = 1,
    device: str = "auto",
    jobs: int | None = None,
    epochs: int | None = None,
    max_folds: int | None = None,
    permute_labels_within_persons: int | None = None,
    final: bool = False,
    progress: Progress | None = None,
) -> TrainResult:
    """Train and test a model fold by fold, pool the predictions, and score them.

    Parameters
    ----------
    features : path-like
        A feature file.
    model : str
        A network or baseline of `merprep.models.names`.
    run_folder : path-like
        Where results go. Finished folds found there are kept where nothing that they depend on has changed.
    preset : str or Preset
        A preset of the model by name, or one of your own.
    scheme : str, int or label scheme
    protocol : str
        ``loso`` (over persons), ``kfold`` or ``kfold-N`` (person-disjoint).
    selection : str
        ``last`` epoch; ``inner``, chosen by validation persons of the training side; ``test-oracle``, which changes
        no honest score (that stays the last epoch's) and only asks for the optimistic one, which is always computed.
    seeds : int
        Seeds 0 to ``seeds - 1``.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    jobs : int, optional
        Folds at once; None decides by the network's size.
    epochs : int, optional
        In place of the recipe's; recorded.
    max_folds : int, optional
        Run only the first folds; recorded, and noted in the result.
    permute_labels_within_persons : int, optional
        A seed: shuffle every person's labels among that person's clips before splitting. A control, in which nothing
        is left to learn; recorded, and noted in the result.
    final : bool
        Also fit on everybody and keep the weights for `merprep.training.predict`.
    progress : Progress, optional

    Returns
    -------
    TrainResult

    Raises
    ------
    MerprepError
        Where the feature file, the preset and the protocol do not fit together, or the loss diverges.

    Examples
    --------
    >>> result = train("flow.h5", model="htnet", preset="sanity", run_folder="runs/x")  # doctest: +SKIP
    >>> result.full["uf1"], result.optimistic["full"]["uf1"]  # doctest: +SKIP
    """
    start = time.perf_counter()
    if seeds < 1 or (max_folds is not None and max_folds < 1):
        raise UsageError("Seeds and folds are counted from 1", found=f"seeds={seeds}, max_folds={max_folds}")
    chosen = preset if isinstance(preset, Preset) else read_preset(model, preset)
    dataset = FeatureDataset(features, scheme, spec=chosen.input)
    clips = _clips(dataset, permute_labels_within_persons)
    folds = folds_of(protocol, clips.persons)
    notes = _notes(dataset, folds, clips, max_folds, permute_labels_within_persons)
    recipe = Recipe.of(chosen, epochs=epochs) if chosen.kind == "network" else None
    folder = Path(run_folder)
    rule = _selection(selection)
    plan = Plan(chosen, recipe, dataset.classes, rule, resolve_device(device), 1, folder / "folds")
    parameters = _check_network(plan, clips)
    config = _config(plan, dataset, clips, protocol, permute_labels_within_persons)
    _claim(folder, config, {"seeds": seeds, "max_folds": max_folds, "folds": len(folds), "skipped": dataset.skipped})
    digest = short_hash(canonical_json(config), 16)
    tasks = [(fold, seed, f"{digest}/{fold.name}/{seed}") for seed in range(seeds) for fold in folds[:max_folds]]
    results = _run(plan, tasks, clips, jobs, parameters, progress or Silent())
    if final:
        fit_final(plan, clips, folder)
    about = {"protocol": protocol, "selection": rule, "scheme": dataset.scheme, "seeds": seeds, "run": folder}
    return conclude(
        results, clips, plan, notes=notes, folds=len(folds[:max_folds]), seconds=time.perf_counter() - start, **about
    )


def run_name(model: str, preset: str = "published", **settings: Any) -> str:
    """Name a run's folder after what it depends on: ``<model>-<preset>-<id>``.

    Parameters
    ----------
    **settings
        Plain JSON values, such as the feature file's ``config_id``, the scheme, the protocol, the selection.

    Examples
    --------
    >>> run_name("htnet", "sanity", features="3f9a12c4", scheme="megc2019")
    'htnet-sanity-a7cca0c2'
    """
    return f"{model}-{preset}-{short_hash(canonical_json({'model': model, 'preset': preset, **settings}))}"


def _selection(selection: str) -> Selection:
    known: tuple[str, ...] = SELECTIONS
    if selection not in known:
        raise UsageError("There is no such selection rule", found=selection, expected=", ".join(known))
    return cast("Selection", selection)


def _clips(dataset: FeatureDataset, permute: int | None) -> Clips:
    images = dataset.images()
    dataset.close()
    broken = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))
    if broken.size:
        raise TrainingError(
            "The feature file holds values that are not numbers",
            where=f"{dataset.path}: {', '.join(dataset.clip_ids[i] for i in broken[:5])}",
            found=f"{broken.size} clips",
            mend="run `merprep flow` again",
        )
    clips = Clips(images, dataset.labels, dataset.persons, dataset.databases, dataset.clip_ids)
    return clips if permute is None else replace(clips, labels=_permuted(clips, permute))


def _permuted(clips: Clips, seed: int) -> Any:
    labels = clips.labels.copy()
    persons = np.array(clips.persons)
    for person in dict.fromkeys(clips.persons):
        own = np.flatnonzero(persons == person)
        number = int.from_bytes(hashlib.sha256(f"permute/{seed}/{person}".encode()).digest()[:8], "big")
        labels[own] = np.random.default_rng(number).permutation(labels[own])
    return labels


def _notes(
    dataset: FeatureDataset, folds: Sequence[Fold], clips: Clips, max_folds: int | None, permute: int | None
) -> list[str]:
    notes = rare_class_notes(folds, clips.labels, dataset.classes)
    notes += [f"{count} clips have no label: {reason}" for reason, count in dataset.skipped.items()]
    if max_folds is not None and max_folds < len(folds):
        notes.append(f"only the first {max_folds} of {len(folds)} folds were run")
    if permute is not None:
        notes.append(f"control: labels were permuted within each person (seed {permute})")
    return notes


def _check_network(plan: Plan, clips: Clips) -> int:
    """Return the number of parameters, after a dry run without memory that raises where the input does not fit."""
    if plan.recipe is None:
        return 0
    import torch

    check_augmentation(plan.recipe.augmentation, plan.preset.input)
    with torch.device("meta"):
        network = build_preset(plan.preset, plan.n_classes)
        network.eval()(torch.empty(1, *clips.images.shape[1:]))
    return sum(parameter.numel() for parameter in network.parameters())


def _config(plan: Plan, dataset: FeatureDataset, clips: Clips, protocol: str, permute: int | None) -> dict[str, Any]:
    recipe = plan.recipe.model_dump(mode="json") if plan.recipe else None
    return {
        "preset": {**plan.preset.model_dump(mode="json"), "recipe": recipe},
        "scheme": dataset.scheme,
        "classes": list(dataset.classes),
        "protocol": protocol,
        # The optimistic score is always computed, so asking for it changes nothing that a fold depends on.
        "selection": "inner" if plan.selection == "inner" else "last",
        "device": plan.device,
        "permute_labels_within_persons": permute,
        "inputs": _digest(clips),
    }


def _digest(clips: Clips) -> str:
    inputs = hashlib.sha256(np.ascontiguousarray(clips.images).tobytes())
    inputs.update(canonical_json([clips.ids, clips.persons, clips.labels.tolist()]).encode())
    return inputs.hexdigest()[:16]


def _claim(folder: Path, config: dict[str, Any], extent: dict[str, Any]) -> None:
    """Write ``run.json``, or raise where the folder holds another run."""
    path = folder / "run.json"
    if path.exists():
        _same_run(path, config)
    with written_whole(path) as temporary:
        values = {"config": config, **extent, "created_with": versions()}
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _same_run(path: Path, config: dict[str, Any]) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    changed = [name for name in config if before.get(name) != json.loads(json.dumps(config[name]))]
    if changed:
        raise TrainingError(
            "The run folder holds another run",
            where=str(path.parent),
            found="different " + ", ".join(changed),
            mend="choose another folder, or remove this one",
        )


def _run(
    plan: Plan, tasks: Sequence[Task], clips: Clips, jobs: int | None, parameters: int, progress: Progress
) -> list[FoldResult]:
    kept = {task[2]: load_fold(plan.folder, task[0].name, task[1], task[2]) for task in tasks}
    pending = [task for task in tasks if kept[task[2]] is None]
    count, threads = workers(jobs, parameters, plan.device, max(len(pending), 1))
    progress.start(f"train {plan.preset.model}-{plan.preset.name}, folds", len(tasks))
    progress.advance(len(tasks) - len(pending))
    for result in _results(replace(plan, threads=threads), pending, clips, count):
        kept[result.digest] = result
        progress.advance()
    progress.finish()
    return [cast("FoldResult", kept[task[2]]) for task in tasks]


def _results(plan: Plan, tasks: Sequence[Task], clips: Clips, jobs: int) -> Iterator[FoldResult]:
    if jobs == 1:
        yield from (run_fold(plan, fold, seed, digest, clips) for fold, seed, digest in tasks)
        return
    import joblib

    # Sent whole to each worker: a memory map would leave files behind on Windows, and the clips are a few megabytes.
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", max_nbytes=None)
    yield from pool(joblib.delayed(run_fold)(plan, fold, seed, digest, clips) for fold, seed, digest in tasks)
