"""Scores of pooled predictions, for the whole and for every database, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from merprep.errors import UsageError
from merprep.evaluation import metrics


@dataclass(frozen=True)
class Score:
    """One set of pooled predictions, scored.

    Parameters
    ----------
    uf1, uar, accuracy : float
        From 0 to 1.
    n : int
        Clips.
    confusion : tuple of tuple of int
        Rows are truth, columns prediction.
    absent : tuple of str
        Declared classes in neither truth nor prediction; each counts 0 in UF1 and UAR.

    Examples
    --------
    >>> Score.of([0, 1, 1], [0, 1, 0], ("negative", "positive")).as_json()["accuracy"]
    0.6666666666666666
    """

    uf1: float
    uar: float
    accuracy: float
    n: int
    confusion: tuple[tuple[int, ...], ...]
    recall: dict[str, float] = field(default_factory=dict)
    precision: dict[str, float] = field(default_factory=dict)
    f1: dict[str, float] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    @classmethod
    def of(cls, y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[str]) -> Score:
        """Score pooled predictions over the declared classes."""
        counts = metrics.confusion_matrix(y_true, y_pred, len(classes))
        return cls(
            float(metrics.f1_per_class(counts).mean()),
            float(metrics.recall_per_class(counts).mean()),
            float(np.trace(counts) / max(counts.sum(), 1)),
            int(counts.sum()),
            tuple(tuple(row) for row in counts.tolist()),
            dict(zip(classes, metrics.recall_per_class(counts).tolist(), strict=True)),
            dict(zip(classes, metrics.precision_per_class(counts).tolist(), strict=True)),
            dict(zip(classes, metrics.f1_per_class(counts).tolist(), strict=True)),
            tuple(classes[c] for c in metrics.absent_classes(counts)),
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; ``note`` only where a class is absent."""
        values: dict[str, Any] = {
            "uf1": self.uf1,
            "uar": self.uar,
            "accuracy": self.accuracy,
            "n": self.n,
            "confusion": [list(row) for row in self.confusion],
            "recall": self.recall,
            "precision": self.precision,
            "f1": self.f1,
        }
        if self.absent:
            values["note"] = "in neither truth nor prediction, counted 0: " + ", ".join(self.absent)
        return values


@dataclass(frozen=True)
class Scores:
    """The scores of one run over the whole and over every database.

    Examples
    --------
    >>> scores = Scores.of([0, 1, 0], [0, 1, 1], ("negative", "positive"), databases=["samm", "samm", "smic"])
    >>> scores.full.n, sorted(scores.databases)
    (3, ['samm', 'smic'])
    """

    classes: tuple[str, ...]
    full: Score
    databases: dict[str, Score]

    @classmethod
    def of(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        classes: Sequence[str],
        *,
        databases: Sequence[str] | None = None,
    ) -> Scores:
        """Score pooled predictions.

        Parameters
        ----------
        y_true, y_pred : (N,) int
        classes : sequence of str
            The declared classes, in the order of their numbers.
        databases : (N,) str, optional
            The database of each clip; None gives no scores by database.

        Raises
        ------
        UsageError
            Where the lists differ in length or hold a number that is no class.
        """
        truth, predicted = np.asarray(y_true), np.asarray(y_pred)
        full = Score.of(truth, predicted, classes)
        names = np.asarray([] if databases is None else list(databases), dtype=np.str_)
        if databases is not None and len(names) != len(truth):
            raise UsageError("There must be one database a clip", expected=str(len(truth)), found=str(len(names)))
        parts = {
            name: Score.of(truth[names == name], predicted[names == name], classes)
            for name in dict.fromkeys(names.tolist())
        }
        return cls(tuple(classes), full, parts)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "classes": list(self.classes),
            "full": self.full.as_json(),
            "databases": {name: score.as_json() for name, score in self.databases.items()},
        }


def over_seeds(runs: Sequence[Scores]) -> dict[str, Any]:
    """Average several seeds: mean scores, their standard deviation, confusion summed over seeds.

    Returns
    -------
    dict
        ``full`` and ``databases``, each with ``uf1``, ``uar``, ``accuracy``, ``n`` (clips of one seed), ``sd`` (the
        sample standard deviation of each score; 0 for one seed), ``confusion``, ``recall``, ``precision`` and ``f1``
        (by class, the mean over seeds) and, where needed, ``note``.

    Raises
    ------
    UsageError
        Where there is no run.

    Examples
    --------
    >>> runs = [Scores.of([0, 1], predicted, ("a", "b")) for predicted in ([0, 1], [0, 0])]
    >>> over_seeds(runs)["full"]["accuracy"]
    0.75
    """
    if not runs:
        raise UsageError("There is no run to average")
    return {
        "full": _averaged([run.full for run in runs]),
        "databases": {name: _averaged([run.databases[name] for run in runs]) for name in runs[0].databases},
    }


def _averaged(scores: Sequence[Score]) -> dict[str, Any]:
    names = ("uf1", "uar", "accuracy")
    values = {name: [float(getattr(score, name)) for score in scores] for name in names}
    result: dict[str, Any] = {name: float(np.mean(values[name])) for name in names}
    result["n"] = scores[0].n
    result["sd"] = {name: float(np.std(values[name], ddof=1)) if len(scores) > 1 else 0.0 for name in names}
    result["confusion"] = np.sum([score.confusion for score in scores], axis=0).tolist()
    for name in ("recall", "precision", "f1"):
        by_class = [getattr(score, name) for score in scores]
        result[name] = {key: float(np.mean([values[key] for values in by_class])) for key in by_class[0]}
    absent = sorted({name for score in scores for name in score.absent})
    if absent:
        result["note"] = "in neither truth nor prediction, counted 0: " + ", ".join(absent)
    return result
