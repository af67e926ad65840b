"""What a stage would do, without doing it: how many clips or folds, how many are finished, how long it may take.

Times are those of earlier runs in the same workspace, taken from its journal; where there is none, nothing is guessed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merprep.shelf import Shelf
from merprep.store import Parts, Workspace, read_manifest
from merprep.store.accounts import read_journal

if TYPE_CHECKING:
    from merprep.faces.config import AlignConfig
    from merprep.features.config import FlowConfig
    from merprep.stages.align_clip import Frames
    from merprep.training import Intended


@dataclass(frozen=True)
class Step:
    """What one stage would do.

    Parameters
    ----------
    stage : str
    unit : str
        What is counted: clips or folds.
    to_do, finished : int
    left_out : dict of str to int
        How many the stage has nothing to do for, by reason.
    seconds : float, optional
        How long it may take; None where no earlier run tells.
    output : str
        What would be written.
    details : tuple of str
        What else there is to know, one thing a line.
    about : dict
        The same as plain JSON values.
    """

    stage: str
    unit: str
    to_do: int
    finished: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    seconds: float | None = None
    output: str = ""
    details: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        r"""Return the plan in sentences.

        Examples
        --------
        >>> print(*Step("align", "clips", 3, 2, {"it has no onset": 1}, 12.0, "a.h5").lines(), sep="\n")
        align: 3 clips to do, 2 finished, 1 left out; about 12 s
          left out 1: it has no onset
          would write a.h5
        """
        left = f", {sum(self.left_out.values())} left out" if self.left_out else ""
        head = f"{self.stage}: {self.to_do} {self.unit} to do, {self.finished} finished{left}; {self._told()}"
        reasons = [f"  left out {count}: {reason}" for reason, count in self.left_out.items()]
        told = [*reasons, *(f"  {detail}" for detail in self.details)]
        return [head, *told, *([f"  would write {self.output}"] if self.output else [])]

    def _told(self) -> str:
        if not self.to_do:
            return "nothing to wait for"
        if self.seconds is None:
            return "no earlier run in this workspace tells how long it takes"
        for length, unit in ((3600, "h"), (60, "min")):
            if self.seconds >= 2 * length:
                return f"about {self.seconds / length:.0f} {unit}"
        return f"about {max(self.seconds, 1):.0f} s"

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "stage": self.stage,
            "unit": self.unit,
            "to_do": self.to_do,
            "finished": self.finished,
            "left_out": dict(self.left_out),
            "seconds": self.seconds,
            "output": self.output,
            **self.about,
        }


def plan_ingest(database: str, root: str | Path, **options: Any) -> Step:
    """Return what `merprep ingest` would read; the database is read, nothing is written.

    Parameters
    ----------
    database : str
    root : path-like
    **options
        `variant`, `annotations`, `extra`, `errata`, `missing_frames` as of `merprep.stages.ingest`.

    Raises
    ------
    MerprepError
        As `merprep.stages.ingest`, where the database cannot be read.
    """
    from merprep.databases import read_database, spec

    began = time.perf_counter()
    options.pop("verify", None)  # looks at the frames; what would be read is known without
    reading = read_database(spec(database, options.pop("variant", None)), root, **options)
    seconds = time.perf_counter() - began
    excluded = Counter(clip.reason.partition(":")[0] for clip in reading.clips if clip.status != "ok")
    return Step(f"ingest {database}", "clips", reading.counted.usable, 0, dict(excluded), seconds)


def plan_align(workspace: Workspace, config: AlignConfig, *, frames: Frames = "key", check: bool = False) -> Step:
    """Return what `merprep align` would do.

    Raises
    ------
    StoreError
        Where there is no manifest.
    """
    from merprep.stages.align import align_tasks

    manifest = read_manifest(workspace)
    final = workspace.aligned_path(config.config_id())
    parts = Parts(workspace.parts_folder(final))
    left_out: Counter[str] = Counter()
    to_do = finished = 0
    for clip, task, kept in align_tasks(manifest, final, frames, config, check=check):
        if task.reason:
            left_out[task.reason] += 1
        elif kept or parts.has(clip.id, task.digest(clip)):
            finished += 1
        else:
            to_do += 1
    return Step("align", "clips", to_do, finished, dict(left_out), _seconds(workspace, "align", to_do), str(final))


def plan_flow(workspace: Workspace, config: FlowConfig) -> list[Step]:
    """Return what `merprep flow` would do: the alignment that is missing, then flow.

    Clips whose faces are not aligned yet count as to be done; whether they have a usable face is not known before.

    Raises
    ------
    StoreError
        Where there is no manifest.
    """
    from merprep.store import FeatureFile

    aligned = plan_align(workspace, config.align, frames="all" if config.average or config.temporal else "key")
    final = workspace.features_path("flow", config.config_id())
    known: Shelf[None] = Shelf()
    if final.is_file():
        with FeatureFile(final) as file:
            known.update((name, None) for (name,) in file.walk("id"))
    to_do = finished = without = 0
    for clip in read_manifest(workspace).usable:
        if clip.onset is None:
            continue
        if not aligned.to_do and clip.id in known:
            finished += 1
        elif clip.apex is None:
            without += 1
        else:
            to_do += 1
    left_out = dict(aligned.left_out) | ({"it has no apex": without} if without else {})
    return [
        aligned,
        Step("flow", "clips", to_do, finished, left_out, _seconds(workspace, "flow", to_do), str(final)),
    ]


def plan_train(features: str | Path, *, jobs: int | None = None, final: bool = False, **options: Any) -> list[Step]:
    """Return what `merprep train` would do: one run, or one for each action unit that can be learnt.

    Inputs are read and everything is checked that is checked before the first fold; nothing is written.

    Parameters
    ----------
    features : path-like
    jobs, final, options
        As of `merprep.training.train`; the scheme may be ``action-units``.

    Raises
    ------
    MerprepError
        As `merprep.training.train` before it trains.
    """
    from merprep.training import ACTION_UNITS, intended
    from merprep.training.units import unit_runs

    if options.get("scheme") != ACTION_UNITS:
        return [_training(intended(features, **options), jobs, final)]
    del options["scheme"]
    named = ("model", "preset", "protocol", "runs_folder")
    of = unit_runs(features, **{name: options.pop(name) for name in named if name in options})
    return [_training(intended(features, **asked, **options), jobs, final) for asked in of.runs.values()]


def _training(run: Intended, jobs: int | None, final: bool) -> Step:
    from merprep.training.device import workers
    from merprep.training.stacked_job import groups_of

    plan, kept = run.plan, run.kept()
    pending = [task for task in run.tasks if task[2] not in kept]
    count, _ = workers(jobs, run.parameters, plan.device, max(len(groups_of(plan, pending, run.clips)), 1))
    # By what this run's own finished folds took; whatever else was trained says nothing.
    seconds = sum(result.seconds for result in kept.values()) / len(kept) * len(pending) / count if kept else None
    about: dict[str, Any] = {
        "model": plan.preset.model,
        "preset": plan.preset.name,
        "parameters": run.parameters,
        "members": plan.recipe.members if plan.recipe else 0,
        "epochs": plan.recipe.epochs if plan.recipe and not plan.recipe.iterations else None,
        "protocol": run.split.protocol,
        "folds": run.folds,
        "seeds": run.seeds,
        "scheme": run.scheme,
        "clips": len(run.clips.ids),
        "persons": len(set(run.clips.persons)),
        "classes": {name: int((run.clips.labels == number).sum()) for number, name in enumerate(plan.classes)},
        "device": plan.device,
        "precision": plan.precision,
        "stack": plan.stack,
        "jobs": count,
        "start": run.stage.told,
        "notes": run.notes,
    }
    name = f"train {plan.preset.model} ({plan.preset.name})"
    details = (*_told_of_training(about, final), *(f"note: {note}" for note in run.notes))
    return Step(name, "folds", len(pending), len(kept), {}, seconds, str(run.folder), details, about)


def _told_of_training(about: Mapping[str, Any], final: bool) -> list[str]:
    clips = ", ".join(f"{name} {count}" for name, count in about["classes"].items())
    seeds = "1 seed" if about["seeds"] == 1 else f"{about['seeds']} seeds"
    lines = [
        f"clips: {about['clips']} of {about['persons']} persons in {about['scheme']}: {clips}",
        f"folds: {about['folds']} by {about['protocol']}, {seeds}",
    ]
    if about["parameters"]:
        networks = "one network" if about["members"] == 1 else f"{about['members']} networks averaged"
        beside = "one by one" if about["stack"] == 1 else f"up to {about['stack']} networks side by side"
        processes = "1 process" if about["jobs"] == 1 else f"{about['jobs']} processes"
        lines += [
            f"networks: {networks} a fold, {about['parameters']:,} parameters each, {about['start']}",
            f"how: {about['device']}, {about['precision']}, {beside}, {processes}",
        ]
    return [*lines, *(["then one more on everybody"] if final else [])]


def _seconds(workspace: Workspace, stage: str, to_do: int) -> float | None:
    """Return how long so many clips took by the slowest of the last three runs that did anything."""
    rates = [
        entry.seconds / entry.counts["done"]
        for entry in read_journal(workspace)
        if entry.stage == stage and entry.counts.get("done")
    ]
    return max(rates[-3:]) * to_do if rates else None
