"""Reads what a finished run left in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from merprep.errors import TrainingError
from merprep.ordinary import json_of
from merprep.store.checked import RunScores, checked
from merprep.store.schema import checked_version
from merprep.tables import read_table

SCHEMA_VERSION = 1

_TEXTS = ("id", "person", "database", "truth", "prediction", "optimistic")
_NEEDED = ("id", "person", "database", "seed", "truth", "prediction")


@dataclass(frozen=True)
class StoredRun:
    """A finished run: its scores as `TrainResult.as_json` gave them, and the predictions of every clip."""

    folder: Path
    scores: dict[str, Any]
    predictions: pd.DataFrame

    @property
    def classes(self) -> tuple[str, ...]:
        """The declared classes."""
        return tuple(self.scores["classes"])

    @property
    def name(self) -> str:
        """``<model>-<preset>``."""
        return f"{self.scores['model']}-{self.scores['preset']}"


def read_run(folder: str | Path) -> StoredRun:
    """Read ``scores.json`` and ``predictions.csv`` of a run.

    Raises
    ------
    TrainingError
        Where the folder holds no finished run, or one of the files is damaged.
    """
    place = Path(folder)
    scores = _scores(place / "scores.json")
    path = place / "predictions.csv"
    try:
        table = read_table(path, dtype=dict.fromkeys(_TEXTS, str), keep_default_na=False)
    except (OSError, ValueError, OverflowError) as error:
        raise _damaged(path, str(error)) from error
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing or table.empty:
        raise _damaged(path, "no column " + ", ".join(missing) if missing else "no row")
    if table["seed"].dtype.kind != "i":
        raise _damaged(path, "a seed that is no number")
    unknown = sorted({*table["truth"], *table["prediction"]} - set(scores["classes"]))
    if unknown:
        raise _damaged(path, "classes that the run does not have: " + ", ".join(map(str, unknown[:5])))
    return StoredRun(place, scores, table)


def _scores(path: Path) -> dict[str, Any]:
    try:
        scores: dict[str, Any] = json_of(path)
        checked_version(scores.get("schema_version"), SCHEMA_VERSION, what="The run", where=path)
        if all(name in scores for name in ("model", "preset", "classes", "protocol", "selection", "full")):
            return checked(scores, RunScores)
    except FileNotFoundError:
        raise TrainingError(
            "There is no finished run here",
            where=str(path.parent),
            expected=path.name,
            mend="run the same `merprep train` again: finished folds are kept",
        ) from None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    raise _damaged(path, "it lacks what a run's scores hold")


def _damaged(path: Path, found: str) -> TrainingError:
    return TrainingError(
        "A file of the run is damaged",
        where=str(path),
        found=found,
        mend="run the same `merprep train` again: it writes the file anew from the folds that are kept",
    )
