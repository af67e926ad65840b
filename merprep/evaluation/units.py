"""Scores of action units: each unit is a yes or no of its own, and a clip may show several.

With TP, FP and FN of one unit summed over all folds first::

    F1_u = 2 TP_u / (2 TP_u + FP_u + FN_u)        mean F1 = 1/U * sum_u F1_u

Emotion words are subjective and differ between databases; units are what is seen, so that databases can be pooled
(Varanka, Li, Peng, Zhao, "Data leakage and evaluation issues in micro-expression analysis", IEEE TAFFC 2024).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import UsageError
from merprep.labels import parse_action_units, unit_numbers

# The units of the cross-database protocol that leaves one database out.
CROSS_DATABASE_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)


@dataclass(frozen=True)
class UnitScores:
    """Binary F1 of each action unit and their mean.

    Attributes
    ----------
    f1, precision, recall : dict of int to float
        By unit; 0 where it is in neither truth nor prediction.
    support : dict of int to int
        How many clips show it.
    absent : tuple of int
        Units in neither truth nor prediction; they count 0 in the mean.
    """

    f1: dict[int, float]
    precision: dict[int, float]
    recall: dict[int, float]
    support: dict[int, int]
    absent: tuple[int, ...]
    n: int

    @property
    def mean_f1(self) -> float:
        """The mean over units."""
        return float(np.mean(list(self.f1.values())))

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        units = {
            str(unit): {
                "f1": self.f1[unit],
                "precision": self.precision[unit],
                "recall": self.recall[unit],
                "clips": self.support[unit],
            }
            for unit in self.f1
        }
        values: dict[str, Any] = {"mean_f1": self.mean_f1, "n": self.n, "units": units}
        if self.absent:
            values["note"] = "in neither truth nor prediction, counted 0: AU " + ", ".join(map(str, self.absent))
        return values


def unit_matrix(codings: Iterable[str], units: Sequence[int] = CROSS_DATABASE_UNITS) -> NDArray[np.bool_]:
    """Turn codings as annotated into yes or no for each unit.

    Parameters
    ----------
    codings : iterable of N str
        ``Clip.action_units``: ``R12+15B``, ``4, 7``. Of alternatives the first counts; reflexes and units that are
        kept over the whole clip do not.
    units : sequence of U int

    Returns
    -------
    (N, U) bool

    Examples
    --------
    >>> unit_matrix(["R12+15B", "4"], units=(4, 12)).tolist()
    [[False, True], [True, False]]
    """
    shown = [unit_numbers(parse_action_units(coding)) for coding in codings]
    return np.array([[unit in numbers for unit in units] for numbers in shown], np.bool_).reshape(-1, len(units))


def unit_scores(y_true: ArrayLike, y_pred: ArrayLike, units: Sequence[int] = CROSS_DATABASE_UNITS) -> UnitScores:
    """Score pooled predictions of action units.

    Parameters
    ----------
    y_true, y_pred : (N, U) bool or 0 and 1
        All folds together, one column a unit.
    units : sequence of U int

    Raises
    ------
    UsageError
        Where the shapes differ, or there are other values than yes and no.

    Examples
    --------
    >>> scores = unit_scores([[1, 0], [1, 1]], [[1, 0], [0, 1]], units=(4, 12))
    >>> round(scores.f1[4], 3), scores.f1[12], round(scores.mean_f1, 3)
    (0.667, 1.0, 0.833)
    """
    truth, predicted = _binary(y_true, len(units), "truth"), _binary(y_pred, len(units), "prediction")
    if truth.shape != predicted.shape:
        raise UsageError(
            "Truth and prediction must have one row a clip", expected=str(truth.shape), found=str(predicted.shape)
        )
    hit = (truth & predicted).sum(axis=0)
    shown, said = truth.sum(axis=0), predicted.sum(axis=0)
    return UnitScores(
        _by_unit(units, 2 * hit, shown + said),
        _by_unit(units, hit, said),
        _by_unit(units, hit, shown),
        {unit: int(count) for unit, count in zip(units, shown, strict=True)},
        tuple(unit for unit, count in zip(units, shown + said, strict=True) if not count),
        len(truth),
    )


def unit_scores_by(
    y_true: ArrayLike, y_pred: ArrayLike, databases: Sequence[str], units: Sequence[int] = CROSS_DATABASE_UNITS
) -> dict[str, UnitScores]:
    """Score each database by itself, as leave-one-database-out is reported.

    Examples
    --------
    >>> sorted(unit_scores_by([[1], [0]], [[1], [0]], ["casme2", "samm"], units=(4,)))
    ['casme2', 'samm']
    """
    truth, predicted, names = np.asarray(y_true), np.asarray(y_pred), np.asarray(list(databases))
    if len(names) != len(truth) or len(names) != len(predicted):
        raise UsageError("There must be one database a clip", expected=str(len(truth)), found=str(len(names)))
    return {
        name: unit_scores(truth[names == name], predicted[names == name], units)
        for name in dict.fromkeys(names.tolist())
    }


def _by_unit(units: Sequence[int], part: NDArray[np.int64], whole: NDArray[np.int64]) -> dict[int, float]:
    return {unit: float(a / b) if b else 0.0 for unit, a, b in zip(units, part, whole, strict=True)}


def _binary(values: ArrayLike, units: int, what: str) -> NDArray[np.bool_]:
    found = np.asarray(values)
    if found.ndim != 2 or found.shape[1] != units or not np.isin(found, (0, 1)).all():
        raise UsageError(
            f"The {what} must say yes or no of every unit",
            expected=f"(clips, {units}) of 0 and 1",
            found=str(found.shape),
        )
    return found.astype(np.bool_)
