"""How far a score could be off: a bootstrap over persons.

Clips of one person are alike, so it is people that are drawn, with replacement, each with all clips and all seeds. Only
counts are needed, so a resample is one product of a matrix of weights with the persons' confusion matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import UsageError
from merprep.evaluation.metrics import confusion_matrix

Counts = NDArray[np.int64]
SCORES = ("uf1", "uar", "accuracy")


@dataclass(frozen=True)
class Intervals:
    """Percentile intervals of pooled scores.

    Attributes
    ----------
    uf1, uar, accuracy : (float, float)
        Lower and upper end.
    confidence : float
    persons, resamples : int
    """

    uf1: tuple[float, float]
    uar: tuple[float, float]
    accuracy: tuple[float, float]
    confidence: float
    persons: int
    resamples: int

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **{name: list(getattr(self, name)) for name in SCORES},
            "confidence": self.confidence,
            "persons": self.persons,
            "resamples": self.resamples,
        }


def person_counts(
    y_true: ArrayLike, y_pred: ArrayLike, persons: Sequence[str], n_classes: int
) -> tuple[list[str], Counts]:
    """Count truth against prediction for each person.

    Returns
    -------
    names : list of P str
        In the order of first appearance.
    counts : (P, C, C) int64
        Rows are truth, columns prediction.

    Raises
    ------
    UsageError
        Where the lists differ in length or hold a number that is no class.

    Examples
    --------
    >>> names, counts = person_counts([0, 1, 1], [0, 0, 1], ["a:1", "a:2", "a:1"], 2)
    >>> names, counts.tolist()
    (['a:1', 'a:2'], [[[1, 0], [0, 1]], [[0, 0], [1, 0]]])
    """
    truth, predicted, who = np.asarray(y_true), np.asarray(y_pred), list(persons)
    if len(who) != truth.size:
        raise UsageError("There must be one person a clip", expected=str(truth.size), found=str(len(who)))
    confusion_matrix(truth, predicted, n_classes)  # refuses what is no list of classes
    names = list(dict.fromkeys(who))
    place = {name: index for index, name in enumerate(names)}
    rows = np.array([place[name] for name in who], np.int64)
    flat = (rows * n_classes + truth.ravel()) * n_classes + predicted.ravel()
    return names, np.bincount(flat, minlength=len(names) * n_classes**2).reshape(-1, n_classes, n_classes)


def scores_of_counts(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return UF1, UAR and accuracy of confusion matrices.

    Parameters
    ----------
    counts : (..., C, C)

    Returns
    -------
    (..., 3) float64
        As `merprep.evaluation.uf1`, `uar` and `accuracy` define them: an absent class counts 0.
    """
    values = np.asarray(counts, np.float64)
    hit = np.diagonal(values, axis1=-2, axis2=-1)
    truth, predicted = values.sum(axis=-1), values.sum(axis=-2)
    uf1 = _share(2 * hit, truth + predicted).mean(axis=-1)
    uar = _share(hit, truth).mean(axis=-1)
    return np.stack([uf1, uar, _share(hit.sum(axis=-1), truth.sum(axis=-1))], axis=-1)


def bootstrap(
    y_true: ArrayLike,
    y_pred: ArrayLike | Sequence[ArrayLike],
    persons: Sequence[str],
    n_classes: int,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Intervals | None:
    """Return percentile intervals of pooled scores by drawing persons with replacement.

    Parameters
    ----------
    y_true : (N,) int
    y_pred : (N,) or (S, N) int
        With several seeds, a person is drawn with all of them, and each resample's score is the mean over seeds.
    persons : (N,) str
    n_classes : int
        Declared classes; one that a resample lacks counts 0 in it, as everywhere.
    resamples : int
    confidence : float
        Between 0 and 1.
    seed : int

    Returns
    -------
    Intervals or None
        None where there is one person only: nothing can be said about others.

    Raises
    ------
    UsageError
        Where the lists differ in length, or the settings make no sense.

    Examples
    --------
    >>> found = bootstrap([0, 1] * 4, [0, 1, 0, 1, 0, 1, 1, 1], [f"a:{n // 2}" for n in range(8)], 2)
    >>> found.uf1[0] < 0.873 < found.uf1[1], found.persons
    (True, 4)
    """
    if resamples < 1 or not 0 < confidence < 1:
        raise UsageError("No interval has these settings", found=f"resamples={resamples}, confidence={confidence}")
    seeds = np.atleast_2d(np.asarray(y_pred))
    counts = np.stack([person_counts(y_true, row, persons, n_classes)[1] for row in seeds])
    people = counts.shape[1]
    if people < 2:
        return None
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=resamples)
    scores = scores_of_counts(weighted(drawn, counts)).mean(axis=0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores, [tail, 1 - tail], axis=0)
    ends = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    return Intervals(ends[0], ends[1], ends[2], confidence, people, resamples)


def weighted(weights: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.float64]:
    """Sum persons' confusion matrices with weights: (B, P) and (S, P, C, C) give (S, B, C, C)."""
    seeds, people, classes, _ = counts.shape
    flat = counts.reshape(seeds, people, classes**2).astype(np.float64)
    return (weights.astype(np.float64) @ flat).reshape(seeds, len(weights), classes, classes)


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(np.shape(whole), np.float64), where=whole > 0)
