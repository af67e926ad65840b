"""What a training run found, as data and as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.evaluation import Scores, averaged, scores_of
from merprep.store.turns import TURN, next_turn
from merprep.store.workspace import written_whole
from merprep.training.beside import beside
from merprep.training.folds import FoldResult
from merprep.training.job import Clips, Plan
from merprep.training.stored import SCHEMA_VERSION

# What stands in the predictions of a subject-dependent split, and behind a title.
STAMP = "subject-dependent split"
_NONE = "–"


@dataclass(frozen=True)
class TrainResult:
    """The scores of a run.

    `full` and `databases` are honest: mean over seeds, with ``sd``, ``n``, the confusion summed over seeds, recall,
    precision and F1 by class, and ``interval``, where 95 % of resamples of the persons lie (None with one person).
    `optimistic` has the same two parts for the epoch chosen on the test side; None for baselines, which choose none.
    `published` holds the results of published tables on the same clips (`merprep.training.beside`).
    """

    model: str
    preset: str
    protocol: str
    selection: str
    scheme: str
    classes: tuple[str, ...]
    seeds: int
    full: dict[str, Any]
    databases: dict[str, dict[str, Any]]
    optimistic: dict[str, Any] | None
    run: Path
    folds: int
    seconds: float
    notes: tuple[str, ...] = ()
    subject_dependent: bool = False
    start: str = "from scratch"
    precision: str = "float32"
    published: tuple[dict[str, Any], ...] = ()
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """The honest confusion matrix summed over seeds, (C, C); rows are truth, columns prediction."""
        return np.array(self.full["confusion"], np.int64)

    def title(self) -> str:
        """Say in one line what was trained and how it was tested."""
        seeds = "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"
        return (
            f"{self.model} ({self.preset}), {self.protocol}, {self.folds} folds, {len(self.classes)} classes, "
            f"{self.full['n']} clips, {seeds}" + (f" [{STAMP.upper()}]" if self.subject_dependent else "")
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return column names and rows for a reader: the honest scores, the optimistic ones, and the gap."""
        columns = ["", "clips", "UF1", "95 % interval", "UAR", "accuracy", "optimistic UF1", "optimistic UAR"]
        rows = [self._row("all", self.full, self.optimistic and self.optimistic["full"])]
        for name, scores in self.databases.items():
            rows.append(self._row(name, scores, self.optimistic and self.optimistic["databases"][name]))
        return [*columns, "gap in UF1"], rows

    def _row(self, name: str, honest: dict[str, Any], optimistic: dict[str, Any] | None) -> list[str]:
        uf1, uar, accuracy = (_told(honest, score, self.seeds) for score in ("uf1", "uar", "accuracy"))
        row = [name, str(honest["n"]), uf1, _span(honest), uar, accuracy]
        if not optimistic:
            return [*row, _NONE, _NONE, _NONE]
        row += [_told(optimistic, score, self.seeds) for score in ("uf1", "uar")]
        return [*row, f"{optimistic['uf1'] - honest['uf1']:+.3f}"]

    def class_table(self) -> tuple[list[str], list[list[str]]]:
        """Return column names and rows for a reader: each class's honest scores and what it was taken for.

        Counts are of all seeds together.
        """
        rows = []
        for number, name in enumerate(self.classes):
            scores = [f"{self.full[score][name]:.3f}" for score in ("recall", "precision", "f1")]
            rows.append([name, *scores, *(str(count) for count in self.full["confusion"][number])])
        return ["class", "recall", "precision", "F1", *(f"as {name}" for name in self.classes)], rows

    def published_table(self) -> tuple[list[str], list[list[str]]]:
        """Return column names and rows for a reader: what was published on these clips, this model's first."""
        rows = [
            [
                row["method"], row["selection"], row["provenance"], _maybe(row["uf1"]), _maybe(row["uar"]),
                row["compared_with"], _maybe(row["difference"]["uf1"], sign="+"),
            ]
            for table in self.published
            for row in table["results"]
        ]  # fmt: skip
        return ["method", "epoch chosen", "read in", "UF1", "UAR", "compared with", "difference in UF1"], rows

    def remarks(self) -> list[str]:
        """Return what a reader of the table must know, one sentence a line."""
        chosen = "chosen by inner validation persons" if self.selection == "inner" else "the last epoch"
        if self.optimistic:
            lines = [
                f"UF1, UAR and accuracy are honest: pooled over all folds, {chosen}.",
                "Optimistic: the best epoch was chosen on the test side, as in much of the literature.",
            ]
        else:
            lines = ["UF1, UAR and accuracy are pooled over all folds. No epoch to choose, so no optimistic score."]
        if self.selection == "test-oracle":
            lines.append("test-oracle was asked for: that is the optimistic score, and changes no other.")
        if self.seeds > 1:
            lines.append(f"Mean ± standard deviation over {self.seeds} seeds.")
        if self.published:
            lines.append("Published: a difference is this run's minus theirs; test-oracle chose on the test person.")
        if self.full["interval"]:
            lines.append(f"Interval: of UF1, by drawing the {self.full['persons']} persons anew.")
        lines += [note[0].upper() + note[1:] + "." for note in (*self.notes, *self._absent())]
        return [*lines, f"Predictions of every clip: {self.run / 'predictions.csv'}"]

    def _absent(self) -> list[str]:
        scores = {"all": self.full, **self.databases}
        return [f"{name}: {values['note']}" for name, values in scores.items() if "note" in values]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "model": self.model,
            "preset": self.preset,
            "protocol": self.protocol,
            "selection": self.selection,
            "start": self.start,
            "precision": self.precision,
            "scheme": self.scheme,
            "classes": list(self.classes),
            "seeds": self.seeds,
            "folds": self.folds,
            "full": self.full,
            "databases": self.databases,
            "optimistic": self.optimistic,
            "seconds": round(self.seconds, 1),
            "subject_dependent": self.subject_dependent,
            "published": list(self.published),
            "notes": list(self.notes),
            "run": str(self.run),
        }


def _told(scores: dict[str, Any], name: str, seeds: int) -> str:
    return f"{scores[name]:.3f}" + (f" ± {scores['sd'][name]:.3f}" if seeds > 1 else "")


def _span(scores: dict[str, Any]) -> str:
    if not scores["interval"]:
        return _NONE
    low, high = scores["interval"]["uf1"]
    return f"{low:.3f}–{high:.3f}"


def _maybe(value: float | None, sign: str = "") -> str:
    return _NONE if value is None else f"{value:{sign}.3f}"


def conclude(
    results: Sequence[FoldResult], clips: Clips, plan: Plan, *, notes: Sequence[str], **about: Any
) -> TrainResult:
    """Pool the predictions of all folds, score them, and write ``predictions.csv`` and ``scores.json``.

    `about` holds the remaining fields of `TrainResult`.
    """
    table = predictions_table(results, clips, plan.classes)
    if about.get("subject_dependent"):
        table["warning"] = STAMP
    per_seed = scores_of(table, plan.classes)
    honest, optimistic = averaged(table, plan.classes), optimistic_of(table, plan.classes)
    control = any(note.startswith("control") for note in notes)
    published, remarks = (
        ((), []) if control else beside(plan, about, honest, optimistic, sorted(set(table["database"])))
    )
    result = TrainResult(
        model=plan.preset.model,
        preset=plan.preset.name,
        classes=plan.classes,
        **honest,
        optimistic=optimistic,
        precision=plan.precision,
        notes=(*notes, *remarks),
        published=published,
        predictions=table,
        **about,
    )
    write_result(result, per_seed)
    return result


def predictions_table(results: Sequence[FoldResult], clips: Clips, classes: Sequence[str]) -> pd.DataFrame:
    """Return one row a clip and seed: truth, honest prediction and probabilities, optimistic prediction.

    Columns: ``id, person, database, fold, seed, truth, prediction, probability_<class>..., optimistic``.
    """
    place = {clip_id: index for index, clip_id in enumerate(clips.ids)}
    rows: list[dict[str, Any]] = []
    for result in results:
        optimistic = result.optimistic.classes if result.optimistic else [None] * len(result.clips)
        told = zip(
            result.clips, result.truth, result.honest.classes, result.honest.probabilities, optimistic, strict=True
        )
        for clip_id, truth, predicted, chances, chosen in told:
            row: dict[str, Any] = {
                "id": clip_id,
                "person": clips.persons[place[clip_id]],
                "database": clips.databases[place[clip_id]],
            }
            row |= {"fold": result.fold, "seed": result.seed, "truth": classes[truth], "prediction": classes[predicted]}
            row |= {f"probability_{name}": chance for name, chance in zip(classes, chances, strict=True)}
            rows.append(row | {"optimistic": "" if chosen is None else classes[chosen]})
    table = pd.DataFrame(rows)
    order = table["id"].map(place)
    return table.assign(_order=order).sort_values(["seed", "_order"]).drop(columns="_order").reset_index(drop=True)


def optimistic_of(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any] | None:
    """Average the optimistic scores over seeds, or return None where nothing was chosen on the test side."""
    return None if (table["optimistic"] == "").any() else averaged(table, classes, "optimistic")


def write_result(result: TrainResult, per_seed: Sequence[Scores]) -> None:
    """Write ``predictions.csv`` and ``scores.json`` into the run's folder."""
    with written_whole(result.run / "predictions.csv") as temporary:
        result.predictions.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
    # The folder may be moved: its own name does not belong into it.
    values = {"schema_version": SCHEMA_VERSION, **result.as_json()}
    del values["run"]
    values["per_seed"] = [scores.as_json() for scores in per_seed]
    values[TURN] = next_turn(result.run)
    with written_whole(result.run / "scores.json") as temporary:
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
