"""Scores of a table of predictions: one row a clip and seed, as ``predictions.csv`` holds them, or made by others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from merprep.errors import UsageError
from merprep.evaluation.resampling import bootstrap
from merprep.evaluation.scores import Scores, over_seeds
from merprep.tables import read_table

if TYPE_CHECKING:
    import pandas as pd


def score_file(path: str | Path, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """Score a table of predictions out of a CSV file, see `score_table`.

    Raises
    ------
    UsageError
        Where it cannot be read, or as `score_table` does.
    """
    try:
        table = read_table(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(f"The predictions cannot be read: {error}", where=str(path)) from error
    return score_table(table.rename(columns=str.strip), classes)


def score_table(table: pd.DataFrame, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """Score predictions that a training loop of your own pooled.

    Parameters
    ----------
    table : DataFrame
        Columns ``truth`` and ``prediction`` (names of classes); ``person``, without which there is no interval;
        ``database``, without which there are no scores by database; ``id``, by which a clip that is listed twice is
        noticed; ``seed``, where there are several.
    classes : sequence of str, optional
        The declared classes; None takes those that occur, which hides a class that nobody shows.

    Returns
    -------
    dict
        ``classes``, ``seeds``, ``full`` and ``databases`` as `merprep train --json` gives them.

    Raises
    ------
    UsageError
        Where a column is missing, a row has no truth or no prediction or is of people that the model was fitted on
        (``trained_on``, as `merprep predict` writes it), a class is none of those declared, or a clip is listed twice
        in one seed.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"truth": ["a", "b", "b"], "prediction": ["a", "b", "a"], "person": ["x", "x", "y"]})
    >>> round(score_table(table)["full"]["uf1"], 3)
    0.667
    """
    missing = [name for name in ("truth", "prediction") if name not in table.columns]
    if missing or table.empty:
        found = ", ".join(map(str, table.columns)) or "nothing"
        raise UsageError("The table holds no predictions", expected="columns truth and prediction", found=found)
    _check_rows(table)
    whole = table.assign(truth=table["truth"].astype(str), prediction=table["prediction"].astype(str))
    occurring = sorted({*whole["truth"], *whole["prediction"]})
    declared = tuple(classes) if classes is not None else tuple(occurring)
    unknown = [name for name in occurring if name not in declared]
    if unknown:
        raise UsageError(
            "The table holds classes that are not declared",
            expected=", ".join(declared),
            found=", ".join(repr(name) for name in unknown[:5]),
        )
    whole = whole.assign(seed=whole.get("seed", 0), database=whole.get("database", "all"))
    whole = whole.assign(id=whole["id"].astype(str) if "id" in whole else whole.groupby("seed").cumcount().astype(str))
    _check_seeds(whole)
    # Without persons every row is of one person, and nothing is said of others.
    scored = averaged(whole.assign(person=whole["person"].astype(str) if "person" in whole else ""), declared)
    databases = scored["databases"] if "database" in table else {}
    return {
        "classes": list(declared),
        "seeds": int(whole["seed"].nunique()),
        "full": scored["full"],
        "databases": databases,
    }


def scores_of(table: pd.DataFrame, classes: Sequence[str], column: str = "prediction") -> list[Scores]:
    """Score the pooled predictions of each seed."""
    number = {name: index for index, name in enumerate(classes)}
    found = []
    for _, part in table.groupby("seed", sort=True):
        truth = part["truth"].map(number).to_numpy("i8")
        predicted = part[column].map(number).to_numpy("i8")
        found.append(Scores.of(truth, predicted, classes, databases=part["database"].tolist()))
    return found


def averaged(table: pd.DataFrame, classes: Sequence[str], column: str = "prediction") -> dict[str, Any]:
    """Average the scores of all seeds, with intervals over persons, for all clips and for each database."""
    found = over_seeds(scores_of(table, classes, column))
    found["full"] |= _interval(table, classes, column)
    for name, part in table.groupby("database", sort=False):
        found["databases"][name] |= _interval(part, classes, column)
    return found


def _interval(table: pd.DataFrame, classes: Sequence[str], column: str) -> dict[str, Any]:
    number = {name: index for index, name in enumerate(classes)}
    seeds = [part.sort_values("id", kind="stable") for _, part in table.groupby("seed", sort=True)]
    said = np.stack([part[column].map(number).to_numpy("i8") for part in seeds])
    truth = seeds[0]["truth"].map(number).to_numpy("i8")
    found = bootstrap(truth, said, seeds[0]["person"].tolist(), len(classes))
    return {"persons": int(table["person"].nunique()), "interval": found and found.as_json()}


def _check_rows(table: pd.DataFrame) -> None:
    said = table[["truth", "prediction"]]
    empty = (said.isna() | said.astype(str).apply(lambda column: column.str.strip() == "")).any(axis=1)
    if empty.any():
        raise UsageError(
            "Rows have no truth or no prediction",
            found=f"{int(empty.sum())} of {len(table)}, such as row {int(np.flatnonzero(empty)[0]) + 1}",
            mend="leave them out, and say how many there were",
        )
    known = table["trained_on"].astype(str).str.casefold().eq("true") if "trained_on" in table else empty
    if known.any():
        raise UsageError(
            "Rows are of people that the model was fitted on, and are no test of it",
            found=f"{int(known.sum())} of {len(table)}",
            mend="leave out the rows where trained_on is true",
        )


def _check_seeds(table: pd.DataFrame) -> None:
    import pandas as pd

    twice = table[table.duplicated(["seed", "id"])]
    if len(twice):
        raise UsageError(
            "A clip is listed more than once and would count more than once",
            found=", ".join(twice["id"].unique()[:5]),
            mend="list every clip once a seed: each clip is tested in one fold",
        )
    for column in ("truth", "person", "database"):
        answers = table.groupby("id")[column].nunique() if column in table else pd.Series(dtype="int64")
        if (answers > 1).any():
            differing = ", ".join(answers.index[answers > 1][:5])
            raise UsageError(f"A clip's {column} differs between seeds", found=differing)
    if (table.groupby("seed")["id"].nunique() != table["id"].nunique()).any():
        raise UsageError("Every seed must predict every clip", expected=f"{table['id'].nunique()} clips in each seed")
