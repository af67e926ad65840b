"""Training runs as the report reads them: from the files in their folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from merprep.ordinary import json_of
from merprep.store import Workspace
from merprep.store.checked import Loose, RunAbout, RunScores, UnitScores, checked
from merprep.store.turns import turn_of
from merprep.tables import read_table


@dataclass(frozen=True)
class Run:
    """One finished training run.

    Parameters
    ----------
    folder : Path
    scores : dict
        ``scores.json``.
    about : dict
        ``run.json``: configuration, extent, versions; empty where it is not there.
    """

    folder: Path
    scores: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def title(self) -> str:
        """What was trained, for a heading."""
        seeds = int(self.scores.get("seeds", 1))
        several = f", {seeds} seeds" if seeds > 1 else ""
        return f"{self.scores.get('model', '?')} ({self.scores.get('preset', '?')}){several}"

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the confusion matrix."""
        return tuple(str(name) for name in self.scores.get("classes", ()))

    @property
    def full(self) -> Mapping[str, Any]:
        """The honest scores over all databases."""
        return _mapping(self.scores.get("full"))

    @property
    def persons(self) -> int:
        """How many persons were tested."""
        told = self.full.get("persons")
        if isinstance(told, int):
            return told
        return 0 if self.predictions.empty else int(self.predictions["person"].nunique())

    @property
    def epochs(self) -> int | None:
        """How many epochs the recipe had; None for baselines."""
        preset = _mapping(_mapping(self.about.get("config")).get("preset"))
        epochs = _mapping(preset.get("recipe")).get("epochs")
        return epochs if isinstance(epochs, int) else None

    @property
    def databases(self) -> dict[str, Mapping[str, Any]]:
        """The honest scores by database."""
        return {name: _mapping(values) for name, values in _mapping(self.scores.get("databases")).items()}

    def optimistic(self, database: str = "") -> Mapping[str, Any]:
        """Return the optimistic scores of all, or of one database; empty where there are none."""
        found = _mapping(self.scores.get("optimistic"))
        return _mapping(_mapping(found.get("databases")).get(database) if database else found.get("full"))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row a clip and seed; empty where the file is missing or damaged."""
        path = self.folder / "predictions.csv"
        try:
            table = read_table(path, dtype=str, keep_default_na=False)
            chances = {name: pd.to_numeric(table[name]) for name in table.columns if name.startswith("probability_")}
            table = table.assign(**chances, seed=table.get("seed", pd.Series("0", table.index)).astype("int64"))
        except (OSError, ValueError, OverflowError):
            return pd.DataFrame()
        return table if {"id", "person", "database", "truth", "prediction"} <= set(table.columns) else pd.DataFrame()


@dataclass(frozen=True)
class UnitRun:
    """One finished run over action units, with a model for each unit.

    Parameters
    ----------
    name : str
        The folder's.
    scores : dict
        ``units.json``.
    """

    name: str
    scores: dict[str, Any]

    @property
    def title(self) -> str:
        """What was trained, for a heading."""
        return f"{self.scores.get('model', '?')} ({self.scores.get('preset', '?')})"

    def full(self, kind: str = "full") -> Mapping[str, Any]:
        """Return the scores over all databases; `kind` is ``full`` (honest) or ``optimistic``, which may be empty."""
        found = _mapping(self.scores.get(kind))
        return _mapping(found.get("full")) if kind == "optimistic" else found

    def units(self, kind: str = "full") -> dict[str, Mapping[str, Any]]:
        """Return the scores of each unit."""
        return {str(unit): _mapping(values) for unit, values in _mapping(self.full(kind).get("units")).items()}


@dataclass(frozen=True)
class Runs:
    """What the folder of runs holds, the newest first.

    Parameters
    ----------
    whole : tuple of Run
    units : tuple of UnitRun
    unfinished : tuple of str
        Names of folders without readable scores.
    """

    whole: tuple[Run, ...] = ()
    units: tuple[UnitRun, ...] = ()
    unfinished: tuple[str, ...] = ()


def read_runs(workspace: Workspace) -> Runs:
    """Read all runs of a workspace."""
    folders = sorted(path for path in workspace.runs.glob("*") if path.is_dir())
    folders.sort(key=turn_of, reverse=True)
    whole, units, unfinished = [], [], []
    for folder in folders:
        scores = _read(folder / "scores.json", RunScores)
        of_units = {} if scores else _read(folder / "units.json", UnitScores)
        if isinstance(_mapping(scores.get("full")).get("confusion"), list):
            whole.append(Run(folder, scores, _read(folder / "run.json", RunAbout)))
        elif of_units:
            units.append(UnitRun(folder.name, of_units))
        else:
            unfinished.append(folder.name)
    return Runs(tuple(whole), tuple(units), tuple(unfinished))


def _read(path: Path, kind: type[Loose]) -> dict[str, Any]:
    """Return what a file holds; empty where it is not there, damaged, or not of its kind."""
    try:
        return checked(json_of(path), kind)
    except (OSError, ValueError):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
