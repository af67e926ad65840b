"""A training run: all folds and seeds of one model on one feature file, resumable fold by fold."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merprep.errors import TrainingError
from merprep.models.presets import Preset
from merprep.ordinary import json_of
from merprep.progress import Progress, Silent
from merprep.store.locks import writing
from merprep.store.orphans import end_with_parent
from merprep.store.provenance import versions
from merprep.store.schema import checked_version
from merprep.store.whole import sweep
from merprep.store.workspace import written_whole
from merprep.training.dataset import Labelling
from merprep.training.device import in_turn, keep_freed_memory, steady, workers
from merprep.training.final import fit_final, origin_of
from merprep.training.folds import FoldResult
from merprep.training.intended import Intended, intended
from merprep.training.job import Clips, Plan, run_fold
from merprep.training.prepare import Task
from merprep.training.result import TrainResult, conclude
from merprep.training.stacked_job import groups_of, run_folds
from merprep.training.stored import SCHEMA_VERSION

if TYPE_CHECKING:
    from merprep.engines import Engine
    from merprep.evaluation import Splitter


def train(
    features: str | Path,
    *,
    model: str,
    run_folder: str | Path | None = None,
    runs_folder: str | Path | None = None,
    preset: str | Preset = "published",
    scheme: str | int | Labelling = "megc2019",
    protocol: str | Splitter = "loso",
    selection: str = "last",
    seeds: int = 1,
    device: str = "auto",
    jobs: int | None = None,
    stack: int | None = None,
    precision: str | None = None,
    capture: bool | None = None,
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
    protocol : str or splitter
        ``loso`` (over persons), ``kfold-N``, ``hde``, ``hold-out:DATABASE``, ...: `merprep.evaluation.PROTOCOLS`. Or a
        splitter of your own, as scikit-learn's, which is given persons as groups and checked like all others.
    selection : str
        ``last`` epoch; ``inner``, chosen by validation persons of the training side; ``test-oracle``, which changes
        no honest score (that stays the last epoch's) and only asks for the optimistic one, which is always computed.
    seeds : int
        Seeds 0 to ``seeds - 1``.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    jobs : int, optional
        Worker processes; None decides by the network's size. With ``cuda`` and several visible GPUs, folds are given
        to them in turn; on one, the processes share it.
    stack : int, optional
        Folds of a small network that are trained side by side in one process, as one network with stacked parameters;
        None decides by the device, 1 trains each alone. Results differ by rounding at most.
    precision : str, optional
        ``float32``, ``bfloat16`` or ``auto``, in place of the recipe's; recorded. ``auto`` takes bfloat16 for networks
        of ten million parameters and more on a GPU that has it.
    capture : bool, optional
        Whether the steps of networks that are trained by themselves are recorded once and done again without Python;
        None does so on a GPU. On a CPU, where nothing can be recorded, the same steps run on the same tensors.
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
    run = intended(
        features,
        model=model,
        run_folder=run_folder,
        runs_folder=runs_folder,
        preset=preset,
        scheme=scheme,
        protocol=protocol,
        selection=selection,
        seeds=seeds,
        device=device,
        stack=stack,
        precision=precision,
        capture=capture,
        epochs=epochs,
        max_folds=max_folds,
        permute_labels_within_persons=permute_labels_within_persons,
        pretrain=pretrain,
        pretrain_scheme=pretrain_scheme,
    )
    if engine is not None:
        run = run.at(run.folder.absolute())
    progress = progress or Silent()
    with writing(run.folder, "train"), steady(run.plan.device):
        sweep([run.folder, run.plan.folder])
        _claim(run)
        run.stage.run(run.plan, run.tasks, run.clips, final=final, progress=progress)
        results = _run(run, jobs, progress, engine)
        if final:
            origin = origin_of(features, run.plan.preset)
            fit_final(run.plan, run.clips, run.folder, scheme=run.scheme, origin=origin)
        seconds = time.perf_counter() - start
        notes = [*run.notes, *_notes_of(results)]
        return conclude(results, run.clips, run.plan, notes=notes, seconds=seconds, **run.about())


def _claim(run: Intended) -> None:
    """Write ``run.json``, or raise where the folder holds another run."""
    path = run.folder / "run.json"
    if path.exists():
        _same_run(path, run.config)
    folds = len(run.split.folds)
    extent = {"seeds": run.seeds, "max_folds": run.max_folds, "folds": folds, "skipped": run.skipped}
    with written_whole(path) as temporary:
        values = {"schema_version": SCHEMA_VERSION, "config": run.config, **extent, "created_with": versions()}
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _same_run(path: Path, config: dict[str, Any]) -> None:
    try:
        values = json_of(path)
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


def _run(run: Intended, jobs: int | None, progress: Progress, engine: Engine | None) -> list[FoldResult]:
    plan, kept = run.plan, run.kept()
    pending = [task for task in run.tasks if task[2] not in kept]
    groups = groups_of(plan, run.tasks, run.clips, kept)
    count, threads = workers(jobs, run.parameters, plan.device, max(len(groups), 1))
    progress.start(f"train {plan.preset.model}-{plan.preset.name}, folds", len(run.tasks))
    progress.advance(len(run.tasks) - len(pending))
    if engine is None:
        trained = _results(replace(plan, threads=threads), groups, run.clips, count)
    else:
        trained = _carried(plan, groups, run.clips, engine)
    for results in trained:
        for result in results:
            if result.digest not in kept:
                progress.advance()
            kept[result.digest] = result
    progress.finish()
    return [kept[task[2]] for task in run.tasks]


def _notes_of(results: Sequence[FoldResult]) -> list[str]:
    """Return what single trainings have to say, each thing once."""
    told = Counter(note for result in results for note in result.notes)
    return [f"{note} ({count} of {len(results)} trainings)" for note, count in told.items()]


def _results(plan: Plan, groups: Sequence[list[Task]], clips: Clips, jobs: int) -> Iterator[list[FoldResult]]:
    if jobs == 1:
        yield from (_trained(plan, group, clips) for group in groups)
        return
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    devices = in_turn(plan.device, jobs, len(groups))
    work = [(replace(plan, device=device), group, clips) for device, group in zip(devices, groups, strict=True)]
    # Sent whole to each worker: a memory map would leave files behind on Windows, and the clips are a few megabytes.
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", max_nbytes=None)
    try:
        yield from pool(joblib.delayed(_in_worker)(*own) for own in work)
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

    for _, result in spread(engine, partial(_trained, plan), groups, common=clips):
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
    with steady(plan.device):
        if plan.stack > 1:
            return run_folds(plan, group, clips)
        return [run_fold(plan, fold, seed, digest, clips) for fold, seed, digest in group]
