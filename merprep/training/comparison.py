"""Two finished runs against each other, on the clips that both predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.errors import TrainingError
from merprep.evaluation import PairedTest, paired_test
from merprep.training.stored import StoredRun, read_run


@dataclass(frozen=True)
class Comparison:
    """The outcome of a paired test between two runs, and what to know about it."""

    first: StoredRun
    second: StoredRun
    test: PairedTest
    notes: tuple[str, ...]

    def title(self) -> str:
        """Say in one line what was compared."""
        test = self.test
        seeds = "1 seed" if test.seeds == 1 else f"{test.seeds} seeds"
        return f"{self.first.name} against {self.second.name}: {test.clips} clips of {test.persons} persons, {seeds}"

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return column names and rows for a reader."""
        test, rows = self.test, []
        for name, told in (("uf1", "UF1"), ("uar", "UAR"), ("accuracy", "accuracy")):
            span = "{:+.3f} to {:+.3f}".format(*test.interval[name]) if test.interval else "–"
            rows.append(
                [told, f"{test.first[name]:.3f}", f"{test.second[name]:.3f}", f"{test.difference[name]:+.3f}", span,
                 f"{test.p[name]:.4f}"]
            )  # fmt: skip
        return ["", "first", "second", "difference", "95 % interval", "p"], rows

    def remarks(self) -> list[str]:
        """Return what a reader of the table must know, one sentence a line."""
        test = self.test
        ways = f"all {test.resamples}" if test.exact else f"{test.resamples} random"
        pair = test.mcnemar
        return [
            f"p: {ways} ways of swapping the two runs person by person, two-sided. Interval: by drawing persons anew.",
            f"McNemar, exact, over clips of the first seed (takes a person's clips as independent): {pair.first_only} "
            f"that only the first has right, {pair.second_only} that only the second has, p {pair.p:.4f}.",
            *self.notes,
        ]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "runs": [str(run.folder) for run in (self.first, self.second)],
            "models": [run.name for run in (self.first, self.second)],
            **self.test.as_json(),
            "notes": list(self.notes),
        }


def compare_runs(first: str | Path, second: str | Path, *, resamples: int = 10_000, seed: int = 0) -> Comparison:
    """Test whether one run is better than another, by their honest predictions.

    Parameters
    ----------
    first, second : path-like
        Folders of finished runs with the same classes.
    resamples : int
    seed : int

    Raises
    ------
    TrainingError
        Where a folder holds no finished run, classes or truths differ, or no clip is in both.
    """
    runs = read_run(first), read_run(second)
    classes = runs[0].classes
    if classes != runs[1].classes:
        raise TrainingError(
            "The runs have different classes", expected=", ".join(classes), found=", ".join(runs[1].classes)
        )
    tables = [_by_clip(run) for run in runs]
    shared = tables[0].index.intersection(tables[1].index, sort=False)
    if shared.empty:
        raise TrainingError("The runs have no clip in common", where=f"{runs[0].folder}, {runs[1].folder}")
    truth = tables[0].loc[shared, "truth"]
    differing = truth.index[truth.to_numpy() != tables[1].loc[shared, "truth"].to_numpy()]
    if len(differing):
        raise TrainingError(
            "The runs disagree about what is true",
            found=f"{len(differing)} clips, such as {differing[0]}",
            mend="train both on the same labels (one may be a control with permuted labels)",
        )
    seeds = min(len(table.columns) for table in tables) - 2
    said = [_numbers(table.loc[shared].iloc[:, 2 : 2 + seeds], classes).T for table in tables]
    persons = tables[0].loc[shared, "person"].tolist()
    answers = _numbers(truth, classes)
    test = paired_test(answers, said[0], said[1], persons, len(classes), resamples=resamples, seed=seed)
    return Comparison(*runs, test, tuple(_notes(runs, tables, len(shared), seeds)))


def _by_clip(run: StoredRun) -> pd.DataFrame:
    """Return person, truth and one column of predictions a seed, by clip; clips that a seed lacks are left out."""
    wide = run.predictions.pivot(index="id", columns="seed", values="prediction").dropna()
    about = run.predictions.drop_duplicates("id").set_index("id")[["person", "truth"]]
    return about.join(wide, how="inner")


def _numbers(values: pd.DataFrame | pd.Series[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    place = {name: number for number, name in enumerate(classes)}
    found = np.asarray(values, dtype=object)
    return np.array([place[name] for name in found.ravel()], np.int64).reshape(found.shape)


def _notes(runs: tuple[StoredRun, StoredRun], tables: list[pd.DataFrame], shared: int, seeds: int) -> list[str]:
    notes = []
    for what, usual in (("protocol", None), ("selection", None), ("scheme", None), ("precision", "float32")):
        values = [str(run.scores.get(what, usual)) for run in runs]
        if values[0] != values[1]:
            notes.append(f"The runs differ in {what}: {values[0]} and {values[1]}.")
    for run, table in zip(runs, tables, strict=True):
        if len(table) > shared:
            notes.append(f"{len(table) - shared} clips of {run.name} are not in the other run and were left out.")
        if len(table.columns) - 2 > seeds:
            notes.append(f"Only the first {seeds} of {len(table.columns) - 2} seeds of {run.name} were used.")
        if run.scores.get("subject_dependent"):
            notes.append(f"{run.name} was tested on people that it was trained on (subject-dependent split).")
    return notes
