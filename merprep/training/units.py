"""Action units: one yes-or-no model a unit, by the same protocols, scored together.

Each unit is a label scheme of two classes, so every network and baseline can be trained on it. What is said of one clip
is then put together, and each unit's binary F1 and their mean are computed from the pool of all folds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.config import canonical_json, short_hash
from merprep.errors import TrainingError, UsageError
from merprep.evaluation import CROSS_DATABASE_UNITS, UnitScores, unit_scores, unit_scores_by
from merprep.models import preset as read_preset
from merprep.models.presets import Preset
from merprep.store.workspace import written_whole
from merprep.training.dataset import FeatureDataset
from merprep.training.folds import split_of
from merprep.training.result import TrainResult
from merprep.training.run import train
from merprep.training.unit_labels import SHOWN, UnitLabelling

ACTION_UNITS = "action-units"


@dataclass(frozen=True)
class UnitsResult:
    """The scores of one model on several action units.

    `full` holds ``mean_f1`` (the mean over seeds), ``sd``, ``n`` and ``units`` (for each: ``f1``, ``precision``,
    ``recall``, ``clips``); `databases` the same for each; `optimistic` both, for epochs chosen on the test side.
    """

    model: str
    preset: str
    protocol: str
    selection: str
    units: tuple[int, ...]
    seeds: int
    full: dict[str, Any]
    databases: dict[str, dict[str, Any]]
    optimistic: dict[str, Any] | None
    run: Path
    notes: tuple[str, ...] = ()
    subject_dependent: bool = False
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    def title(self) -> str:
        """Say in one line what was trained and how it was tested."""
        return (
            f"{self.model} ({self.preset}), {self.protocol}, {len(self.units)} action units, {self.full['n']} clips, "
            f"{self.seeds} {'seed' if self.seeds == 1 else 'seeds'}"
            + (" [SUBJECT-DEPENDENT SPLIT]" if self.subject_dependent else "")
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return column names and rows for a reader: each unit, and the mean; honest, optimistic, gap."""
        best = self.optimistic["full"] if self.optimistic else None
        rows = [
            _row(f"AU {unit}", self.full["units"][str(unit)], best and best["units"][str(unit)]) for unit in self.units
        ]
        rows.append(["mean", "", f"{self.full['mean_f1']:.3f}", "", "", *_beside(self.full, best, "mean_f1")])
        for name, scores in self.databases.items():
            other = self.optimistic["databases"][name] if self.optimistic else None
            rows.append([f"mean, {name}", "", f"{scores['mean_f1']:.3f}", "", "", *_beside(scores, other, "mean_f1")])
        return ["", "clips with it", "F1", "precision", "recall", "optimistic F1", "gap"], rows

    def remarks(self) -> list[str]:
        """Return what a reader of the table must know, one sentence a line."""
        lines = ["Binary F1 of each unit, pooled over all folds; a model of its own says yes or no to each unit."]
        if self.optimistic:
            lines.append("Optimistic: the best epoch was chosen on the test side.")
        return [*lines, *(note[0].upper() + note[1:] + "." for note in self.notes), f"Runs: {self.run}"]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        names = ("model", "preset", "protocol", "selection", "seeds", "full", "databases", "optimistic")
        return {
            **{name: getattr(self, name) for name in names},
            "scheme": ACTION_UNITS,
            "units": list(self.units),
            "subject_dependent": self.subject_dependent,
            "notes": list(self.notes),
            "run": str(self.run),
        }


def train_units(
    features: str | Path,
    *,
    model: str,
    runs_folder: str | Path,
    preset: str | Preset = "published",
    units: Sequence[int] = CROSS_DATABASE_UNITS,
    protocol: str = "hde",
    **options: Any,
) -> UnitsResult:
    """Train and test one yes-or-no model for each action unit, and score them together.

    Parameters
    ----------
    features : path-like
    model, preset, protocol, options
        As for `merprep.training.train`; ``hde`` leaves one database out.
    runs_folder : path-like
        Gets a folder for all of them, with a run for each unit, ``units.json`` and ``predictions.csv``.
    units : sequence of int

    Returns
    -------
    UnitsResult

    Raises
    ------
    TrainingError
        Where no unit can be learnt.
    MerprepError
        As `merprep.training.train` does.
    """
    of = unit_runs(features, model=model, runs_folder=runs_folder, preset=preset, units=units, protocol=protocol)
    runs = {unit: train(features, **asked, **options) for unit, asked in of.runs.items()}
    result = _concluded(runs, of.datasets, of.missing, of.folder)
    _write(result)
    return result


@dataclass(frozen=True)
class UnitRuns:
    """The runs that action units come to: `runs` holds what `merprep.training.train` is asked for each, by unit.

    `missing` says why a unit cannot be learnt.
    """

    folder: Path
    datasets: Mapping[int, FeatureDataset]
    runs: Mapping[int, dict[str, Any]]
    missing: Mapping[int, str]


def unit_runs(
    features: str | Path,
    *,
    model: str,
    runs_folder: str | Path,
    preset: str | Preset = "published",
    units: Sequence[int] = CROSS_DATABASE_UNITS,
    protocol: str = "hde",
) -> UnitRuns:
    """Return the runs of `train_units`; nothing is trained.

    Raises
    ------
    TrainingError
        Where no unit can be learnt.
    """
    wanted = tuple(dict.fromkeys(units))
    if not wanted:
        raise UsageError("At least one action unit must be named")
    chosen = preset if isinstance(preset, Preset) else read_preset(model, preset)
    datasets = {unit: FeatureDataset(features, UnitLabelling(unit), spec=chosen.input) for unit in wanted}
    missing = {unit: why for unit in wanted if (why := _untrainable(datasets[unit], unit, protocol))}
    if len(missing) == len(wanted):
        raise TrainingError("No action unit can be learnt", where=str(features), found="; ".join(missing.values()))
    key = short_hash(canonical_json([list(wanted), protocol, chosen.model_dump(mode="json"), Path(features).name]))
    folder = Path(runs_folder) / f"{chosen.model}-{chosen.name}-{ACTION_UNITS}-{key}"
    alike = {"model": model, "preset": chosen, "protocol": protocol}
    runs = {
        unit: {**alike, "scheme": UnitLabelling(unit), "run_folder": folder / f"au-{unit}"}
        for unit in wanted
        if unit not in missing
    }
    return UnitRuns(folder, datasets, runs, missing)


def _untrainable(dataset: FeatureDataset, unit: int, protocol: str) -> str:
    """Return why a unit cannot be learnt by this protocol, or an empty text."""
    for fold in split_of(protocol, dataset.roster).folds:
        if len(set(dataset.labels[fold.train].tolist())) < 2:
            shown = int(dataset.labels.sum())
            return (
                f"AU {unit} was not trained and counts as never said: {shown} of {len(dataset)} clips show it, and the "
                f"training side of fold {fold.name} lacks one of yes and no"
            )
    return ""


def _concluded(
    runs: Mapping[int, TrainResult], datasets: Mapping[int, FeatureDataset], missing: Mapping[int, str], folder: Path
) -> UnitsResult:
    units, first = tuple(datasets), next(iter(runs.values()))
    table = first.predictions[["id", "person", "database", "fold", "seed"]].copy()
    for unit, dataset in datasets.items():
        shown = dict(zip(dataset.clip_ids, dataset.labels.tolist(), strict=True))
        table[f"truth_{unit}"] = table["id"].map(shown)
        if unit in runs:
            told = runs[unit].predictions
            table[f"prediction_{unit}"] = (told["prediction"] == SHOWN).astype(int)
            table[f"probability_{unit}"] = told[f"probability_{SHOWN}"]
            table[f"optimistic_{unit}"] = (told["optimistic"] == SHOWN).astype(int)
    chose = all(run.optimistic is not None for run in runs.values())
    of_classes = ("class ", "classes ")  # a unit's are absent and present
    notes = dict.fromkeys(note for run in runs.values() for note in run.notes if not note.startswith(of_classes))
    return UnitsResult(
        first.model,
        first.preset,
        first.protocol,
        first.selection,
        units,
        first.seeds,
        **_scored(table, units, "prediction"),
        optimistic=_scored(table, units, "optimistic") if chose else None,
        run=folder,
        notes=(*notes, *missing.values()),
        subject_dependent=first.subject_dependent,
        predictions=table,
    )


def _scored(table: pd.DataFrame, units: tuple[int, ...], column: str) -> dict[str, Any]:
    """Return ``full`` and ``databases``, each the mean over seeds."""
    full, parts = [], []
    for _, rows in table.groupby("seed", sort=True):
        truth, said = _matrix(rows, "truth", units), _matrix(rows, column, units)
        full.append(unit_scores(truth, said, units))
        parts.append(unit_scores_by(truth, said, rows["database"].tolist(), units))
    return {
        "full": _averaged(full),
        "databases": {name: _averaged([part[name] for part in parts]) for name in parts[0]},
    }


def _matrix(rows: pd.DataFrame, column: str, units: tuple[int, ...]) -> NDArray[np.int64]:
    """Return (clips, units); a unit that was not trained is never said."""
    names = [f"{column}_{unit}" for unit in units]
    return rows.reindex(columns=names, fill_value=0).to_numpy(np.int64)


def _averaged(scores: Sequence[UnitScores]) -> dict[str, Any]:
    first = scores[0].as_json()
    means = [score.mean_f1 for score in scores]
    told = [score.as_json()["units"] for score in scores]
    units = {
        unit: {name: float(np.mean([part[unit][name] for part in told])) for name in ("f1", "precision", "recall")}
        | {"clips": first["units"][unit]["clips"]}
        for unit in first["units"]
    }
    found = {"mean_f1": float(np.mean(means)), "n": first["n"], "units": units}
    found["sd"] = {"mean_f1": float(np.std(means, ddof=1)) if len(means) > 1 else 0.0}
    return {**found, **({"note": first["note"]} if "note" in first else {})}


def _write(result: UnitsResult) -> None:
    with written_whole(result.run / "predictions.csv") as temporary:
        result.predictions.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
    values = {name: value for name, value in result.as_json().items() if name != "run"}
    with written_whole(result.run / "units.json") as temporary:
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(name: str, honest: dict[str, Any], best: dict[str, Any] | None) -> list[str]:
    scores = [f"{honest[score]:.3f}" for score in ("f1", "precision", "recall")]
    return [name, str(honest["clips"]), *scores, *_beside(honest, best, "f1")]


def _beside(honest: dict[str, Any], best: dict[str, Any] | None, score: str) -> list[str]:
    return [f"{best[score]:.3f}", f"{best[score] - honest[score]:+.3f}"] if best else ["–", "–"]
