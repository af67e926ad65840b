"""What a run is asked to do: read, checked and decided before anything is written or trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from merprep.config import canonical_json, short_hash
from merprep.errors import UsageError
from merprep.evaluation import Split, Splitter
from merprep.models import preset as read_preset
from merprep.models.presets import Preset
from merprep.training.dataset import FeatureDataset, Labelling
from merprep.training.device import resolve_device
from merprep.training.folds import FoldResult, load_fold, split_of
from merprep.training.job import Clips, Plan
from merprep.training.precision import precision_notes, resolve_precision
from merprep.training.prepare import Task, check_network, clips_of, config_of, inner_notes, notes_of
from merprep.training.recipe import Recipe
from merprep.training.selection import SELECTIONS, Selection
from merprep.training.stacked_job import alone_notes, stack_size
from merprep.training.start import Stage, stage_of


@dataclass(frozen=True)
class Intended:
    """A run that has not begun.

    Parameters
    ----------
    plan : Plan
        Its folder is that of the run's folds.
    clips : Clips
    split : Split
    scheme : str
    skipped : dict of str to int
        Clips without a label, by reason.
    config : dict
        Everything that a fold's result depends on, as plain JSON values.
    folder : Path
        The run's.
    stage : Stage
        What the networks begin with.
    tasks : list of (fold, seed, digest)
        All trainings of the run, finished or not.
    parameters : int
        Of one network; 0 for a baseline.
    seeds, folds : int
        How many seeds, and how many of the split's folds are run.
    max_folds : int, optional
        As asked for.
    notes : list of str
        What a reader of the score must know.
    """

    plan: Plan
    clips: Clips
    split: Split
    scheme: str
    skipped: dict[str, int]
    config: dict[str, Any]
    folder: Path
    stage: Stage
    tasks: list[Task]
    parameters: int
    seeds: int
    folds: int
    max_folds: int | None
    notes: list[str]

    def at(self, folder: Path) -> Intended:
        """Return the same run in another folder."""
        return replace(self, folder=folder, plan=self.stage.placed(replace(self.plan, folder=folder / "folds")))

    def kept(self) -> dict[str, FoldResult]:
        """Return the finished trainings by their digest, as far as nothing that they depend on has changed."""
        found = {}
        for fold, seed, digest in self.tasks:
            result = load_fold(self.plan.folder, fold.name, seed, digest)
            tested = [self.clips.ids[row] for row in fold.test], self.clips.labels[fold.test].tolist()
            if result is not None and (result.clips, result.truth) == tested:
                found[digest] = result
        return found

    def about(self) -> dict[str, Any]:
        """Return what a result says of the run, beside its scores."""
        return {
            "protocol": self.split.protocol,
            "selection": self.plan.selection,
            "scheme": self.scheme,
            "seeds": self.seeds,
            "folds": self.folds,
            "run": self.folder,
            "start": self.stage.told,
            "subject_dependent": self.split.subject_dependent,
        }


def intended(
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
    stack: int | None = None,
    precision: str | None = None,
    capture: bool | None = None,
    epochs: int | None = None,
    max_folds: int | None = None,
    permute_labels_within_persons: int | None = None,
    pretrain: str | Path | None = None,
    pretrain_scheme: str | None = None,
) -> Intended:
    """Read and check what a run needs; see `merprep.training.train`.

    Raises
    ------
    MerprepError
        As `merprep.training.train` does before it trains.
    """
    _check_extent(seeds, max_folds, stack, run_folder, runs_folder)
    chosen = preset if isinstance(preset, Preset) else read_preset(model, preset)
    if chosen.model != model:
        raise UsageError("The preset is of another model", expected=model, found=f"{chosen.name} of {chosen.model}")
    dataset = FeatureDataset(features, scheme, spec=chosen.input)
    clips = clips_of(dataset, permute_labels_within_persons)
    split = split_of(protocol, dataset.roster, clips.images, dataset.fitted_on, clips.labels)
    recipe = Recipe.of(chosen, epochs=epochs, precision=precision) if chosen.kind == "network" else None
    where = resolve_device(device)
    plan = Plan(chosen, recipe, dataset.classes, _selection(selection), where, 1, Path())
    parameters = check_network(plan, clips)
    stage = stage_of(plan, clips, pretrain, pretrain_scheme)
    if recipe is not None:
        known = resolve_precision(recipe.precision, where, parameters)
        plan = replace(plan, start=stage.first, precision=known)
        recorded = where.startswith("cuda") if capture is None else capture
        plan = replace(plan, stack=stack_size(plan, parameters, stack), capture=recorded)
    config = config_of(plan, dataset, clips, split, permute_labels_within_persons)
    folder = Path(run_folder or Path(runs_folder or "") / run_name(chosen, config))
    folds, digest = split.folds[:max_folds], short_hash(canonical_json(config), 16)
    tasks = [(fold, seed, f"{digest}/{fold.name}/{seed}") for seed in range(seeds) for fold in folds]
    notes = [
        *notes_of(dataset, split, clips, max_folds, permute_labels_within_persons),
        *inner_notes(plan, tasks, clips),
        *alone_notes(plan, parameters, stack),
        *precision_notes(plan.precision),
        *stage.notes,
    ]
    return Intended(
        plan=plan,
        clips=clips,
        split=split,
        scheme=dataset.scheme,
        skipped=dataset.skipped,
        config=config,
        folder=folder,
        stage=stage,
        tasks=tasks,
        parameters=parameters,
        seeds=seeds,
        folds=len(folds),
        max_folds=max_folds,
        notes=notes,
    ).at(folder)


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


def _check_extent(seeds: int, max_folds: int | None, stack: int | None, *folders: str | Path | None) -> None:
    if any(count is not None and count < 1 for count in (seeds, max_folds, stack)):
        found = f"seeds={seeds}, max_folds={max_folds}, stack={stack}"
        raise UsageError("Seeds, folds and folds side by side are counted from 1", found=found)
    if sum(folder is not None for folder in folders) != 1:
        raise UsageError("A run needs one place to go", expected="either run_folder or runs_folder")


def _selection(selection: str) -> Selection:
    known: tuple[str, ...] = SELECTIONS
    if selection not in known:
        raise UsageError("There is no such selection rule", found=selection, expected=", ".join(known))
    return cast("Selection", selection)
