"""Training runs as the report reads them: from the files in their folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from merprep.store import Workspace


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
            table = pd.read_csv(path, dtype=dict.fromkeys(("id", "person", "database", "fold"), "str"))
        except (OSError, ValueError):
            return pd.DataFrame()
        return table if {"id", "person", "truth", "prediction"} <= set(table.columns) else pd.DataFrame()


def read_runs(workspace: Workspace) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """Read all runs of a workspace, the newest first.

    Returns
    -------
    runs : tuple of Run
    unfinished : tuple of str
        Names of run folders without readable scores.
    """
    found: list[tuple[float, Run]] = []
    unfinished = []
    for folder in sorted(path for path in workspace.runs.glob("*") if path.is_dir()):
        scores = _read(folder / "scores.json")
        if _is_whole(_mapping(scores.get("full"))):
            modified = (folder / "scores.json").stat().st_mtime
            found.append((modified, Run(folder, scores, _read(folder / "run.json"))))
        else:
            unfinished.append(folder.name)
    found.sort(key=lambda item: (-item[0], item[1].name))
    return tuple(run for _, run in found), tuple(unfinished)


def _is_whole(full: Mapping[str, Any]) -> bool:
    numbers = all(isinstance(full.get(name), int | float) for name in ("uf1", "uar", "accuracy", "n"))
    return numbers and isinstance(full.get("confusion"), list)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
