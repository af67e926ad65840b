"""A training run: all folds and seeds of one model on one feature file, resumable fold by fold."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from merprep.config import canonical_json, short_hash
from merprep.errors import TrainingError, UsageError
from merprep.models import preset as read_preset
from merprep.models.presets import Preset
from merprep.progress import Progress, Silent
from merprep.store.locks import writing
from merprep.store.orphans import end_with_parent
from merprep.store.provenance import versions
from merprep.store.schema import checked_version
from merprep.store.whole import sweep
from merprep.store.workspace import written_whole
from merprep.training.dataset import FeatureDataset, Labelling
from merprep.training.device import keep_freed_memory, resolve_device, workers
from merprep.training.final import fit_final, origin_of
from merprep.training.folds import Fold, FoldResult, load_fold, split_of
from merprep.training.job import Clips, Plan, run_fold
from merprep.training.prepare import check_network, clips_of, config_of, notes_of
from merprep.training.recipe import Recipe
from merprep.training.result import TrainResult, conclude
from merprep.training.selection import SELECTIONS, Selection
from merprep.training.stacked_job import alone_notes, groups_of, run_folds, stack_size
from merprep.training.start import stage_of
from merprep.training.stored import SCHEMA_VERSION

if TYPE_CHECKING:
    from merprep.engines import Engine

Task = tuple[Fold, int, str]


def train(
    features: str | Path,
    *,
    model: str,
    run_folder: str | Path | None = None,
    runs_folder: str | Path | None = None,
    preset: str | Preset = "published",
    scheme: str | int | Labelling = "megc2019",
    protocol: str = "loso",
    selection: str = "last",
    seeds: int = 1,
    device: str = "auto",
    jobs: int | None = None,
    stack: int | None = None,
    epochs: int | None = None,
    max_folds: int | None = None,
    permute_labels_within_persons: int | None = None,
    pretrain: str | Path | None = None,
    pretrain_scheme: str | None = None,
    final: bool = False,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> TrainResult:
    """Train and test a model fold by fold, pool the predictions, and score them.

    Parameters
    ----------
    features : path-like
        A feature file, or a file of aligned faces for networks that see pictures.
    model : str
        A network or baseline of `merprep.models.names`.
    run_folder : path-like, optional
        Where results go. Finished folds found there are kept where nothing that they depend on has changed.
    runs_folder : path-like, optional
        In its place: the folder of all runs, in which this one gets a folder named after what it depends on, so that
        the same call finds its own finished folds again.
    preset : str or Preset
        A preset of the model by name, or one of your own.
    scheme : str, int or label scheme
    protocol : str
        ``loso`` (over persons), ``kfold-N``, ``hde``, ``hold-out:DATABASE``, ...: `merprep.evaluation.PROTOCOLS`.
    selection : str
        ``last`` epoch; ``inner``, chosen by validation persons of the training side; ``test-oracle``, which changes
        no honest score (that stays the last epoch's) and only asks for the optimistic one, which is always computed.
    seeds : int
        Seeds 0 to ``seeds - 1``.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    jobs : int, optional
        Worker processes; None decides by the network's size.
    stack : int, optional
        Folds of a small network that are trained side by side in one process, as one network with stacked parameters;
        None decides by the device, 1 trains each alone. Results differ by rounding at most.
    epochs : int, optional
        In place of the recipe's; recorded.
    max_folds : int, optional
        Run only the first folds; recorded, and noted in the result.
    permute_labels_within_persons : int, optional
        A seed: shuffle every person's labels among that person's clips before splitting. A control, in which nothing
        is left to learn; recorded, and noted in the result.
    pretrain : path-like, optional
        Macro-expressions that networks learn first, the head being replaced then: a workspace, its file, or a folder
        with one subfolder of face pictures a class. Whoever a fold tests is left out of its first stage.
    pretrain_scheme : str, optional
        The label scheme of the first stage; None takes emotions as annotated.
    final : bool
        Also fit on everybody and keep the weights for `merprep.training.predict`.
    progress : Progress, optional
    engine : Engine, optional
        Trains the folds in place of processes of this machine (see `merprep.engines`); its machines must see the run's
        folder under the same path, and have the device.

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
    _check_extent(seeds, max_folds, run_folder, runs_folder)
    chosen = preset if isinstance(preset, Preset) else read_preset(model, preset)
    dataset = FeatureDataset(features, scheme, spec=chosen.input)
    clips = clips_of(dataset, permute_labels_within_persons)
    split = split_of(protocol, dataset.roster, clips.images, dataset.fitted_on)
    folds = split.folds
    notes = notes_of(dataset, split, clips, max_folds, permute_labels_within_persons)
    recipe = Recipe.of(chosen, epochs=epochs) if chosen.kind == "network" else None
    rule = _selection(selection)
    plan = Plan(chosen, recipe, dataset.classes, rule, resolve_device(device), 1, Path())
    parameters = check_network(plan, clips)
    stage = stage_of(plan, clips, pretrain, pretrain_scheme)
    plan = replace(plan, start=stage.first)
    plan = replace(plan, stack=stack_size(plan, parameters, stack))
    notes += alone_notes(plan, parameters)
    config = config_of(plan, dataset, clips, split, permute_labels_within_persons)
    notes += stage.notes
    folder = Path(run_folder or Path(runs_folder or "") / run_name(chosen, config))
    folder = folder if engine is None else folder.absolute()
    plan = stage.placed(replace(plan, folder=folder / "folds"))
    with writing(folder, "train"):
        sweep([folder, plan.folder])
        _claim(
            folder, config, {"seeds": seeds, "max_folds": max_folds, "folds": len(folds), "skipped": dataset.skipped}
        )
        digest = short_hash(canonical_json(config), 16)
        tasks = [(fold, seed, f"{digest}/{fold.name}/{seed}") for seed in range(seeds) for fold in folds[:max_folds]]
        stage.run(plan, tasks, clips, final=final, progress=progress or Silent())
        results = _run(plan, tasks, clips, jobs, parameters, progress or Silent(), engine)
        if final:
            fit_final(plan, clips, folder, scheme=dataset.scheme, origin=origin_of(features, chosen))
        about = {"protocol": split.protocol, "selection": rule, "scheme": dataset.scheme, "seeds": seeds, "run": folder}
        about |= {"start": stage.told}
        about |= {"subject_dependent": split.subject_dependent}
        return conclude(
            results,
            clips,
            plan,
            notes=notes,
            folds=len(folds[:max_folds]),
            seconds=time.perf_counter() - start,
            **about,
        )


def run_name(preset: Preset, config: dict[str, Any]) -> str:
    """Name a run's folder after what it depends on: ``<model>-<preset>-<id>``.

    Parameters
    ----------
    preset : Preset
    config : dict
        Plain JSON values, all that the run's results depend on.

    Examples
    --------
    >>> run_name(read_preset("htnet", "sanity"), {"inputs": "3f9a12c4"})
    'htnet-sanity-94043b45'
    """
    return f"{preset.model}-{preset.name}-{short_hash(canonical_json(config))}"


def _check_extent(seeds: int, max_folds: int | None, *folders: str | Path | None) -> None:
    if seeds < 1 or (max_folds is not None and max_folds < 1):
        raise UsageError("Seeds and folds are counted from 1", found=f"seeds={seeds}, max_folds={max_folds}")
    if sum(folder is not None for folder in folders) != 1:
        raise UsageError("A run needs one place to go", expected="either run_folder or runs_folder")


def _selection(selection: str) -> Selection:
    known: tuple[str, ...] = SELECTIONS
    if selection not in known:
        raise UsageError("There is no such selection rule", found=selection, expected=", ".join(known))
    return cast("Selection", selection)


def _claim(folder: Path, config: dict[str, Any], extent: dict[str, Any]) -> None:
    """Write ``run.json``, or raise where the folder holds another run."""
    path = folder / "run.json"
    if path.exists():
        _same_run(path, config)
    with written_whole(path) as temporary:
        values = {"schema_version": SCHEMA_VERSION, "config": config, **extent, "created_with": versions()}
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _same_run(path: Path, config: dict[str, Any]) -> None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        checked_version(values.get("schema_version"), SCHEMA_VERSION, what="The run", where=path)
        before = dict(values["config"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TrainingError(
            "The folder's run.json cannot be read, so whose run it holds is not known",
            where=str(path),
            found=str(error),
            mend="remove this file and run again: folds are kept where nothing that they depend on has changed",
        ) from error
    changed = [name for name in config if before.get(name) != json.loads(json.dumps(config[name]))]
    if changed:
        raise TrainingError(
            "The run folder holds another run",
            where=str(path.parent),
            found="different " + ", ".join(changed),
            mend="choose another folder, or remove this one",
        )


def _run(
    plan: Plan,
    tasks: Sequence[Task],
    clips: Clips,
    jobs: int | None,
    parameters: int,
    progress: Progress,
    engine: Engine | None,
) -> list[FoldResult]:
    kept = {task[2]: load_fold(plan.folder, task[0].name, task[1], task[2]) for task in tasks}
    pending = [task for task in tasks if kept[task[2]] is None]
    groups = groups_of(plan, pending, clips)
    count, threads = workers(jobs, parameters, plan.device, max(len(groups), 1))
    progress.start(f"train {plan.preset.model}-{plan.preset.name}, folds", len(tasks))
    progress.advance(len(tasks) - len(pending))
    if engine is None:
        trained = _results(replace(plan, threads=threads), groups, clips, count)
    else:
        trained = _carried(plan, groups, clips, engine)
    for results in trained:
        for result in results:
            kept[result.digest] = result
            progress.advance()
    progress.finish()
    return [cast("FoldResult", kept[task[2]]) for task in tasks]


def _results(plan: Plan, groups: Sequence[list[Task]], clips: Clips, jobs: int) -> Iterator[list[FoldResult]]:
    if jobs == 1:
        yield from (_trained(plan, group, clips) for group in groups)
        return
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # Sent whole to each worker: a memory map would leave files behind on Windows, and the clips are a few megabytes.
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", max_nbytes=None)
    try:
        yield from pool(joblib.delayed(_in_worker)(plan, group, clips) for group in groups)
    except TerminatedWorkerError as error:
        raise TrainingError(
            "A worker process died while it trained",
            where=str(plan.folder),
            found=str(error).rpartition("exit codes of the workers are ")[2],
            mend="see that there is memory enough, or use fewer --jobs; run again: finished folds are kept",
        ) from error


def _carried(plan: Plan, groups: Sequence[list[Task]], clips: Clips, engine: Engine) -> Iterator[list[FoldResult]]:
    """Yield what the workers of an engine trained; a fold whose worker died is trained by another."""
    from merprep.engines import Lost, spread

    for _, result in spread(engine, partial(_trained, plan, clips=clips), groups):
        if isinstance(result, Lost):
            raise TrainingError(
                "Worker processes died while they trained",
                where=str(plan.folder),
                found=result.reason,
                mend="see that they have memory enough; run again: finished folds are kept",
            )
        yield result


def _in_worker(plan: Plan, group: list[Task], clips: Clips) -> list[FoldResult]:
    end_with_parent()
    keep_freed_memory()
    return _trained(plan, group, clips)


def _trained(plan: Plan, group: list[Task], clips: Clips) -> list[FoldResult]:
    if plan.stack > 1:
        return run_folds(plan, group, clips)
    return [run_fold(plan, fold, seed, digest, clips) for fold, seed, digest in group]
