"""Scores over pooled predictions: unweighted F1, unweighted average recall, accuracy.

The classes are declared, never read off the data. With TP, FP and FN of class c summed over ALL folds first
(See et al., "MEGC 2019 - the second facial micro-expressions grand challenge", FG 2019)::

    UF1 = 1/C * sum_c 2 TP_c / (2 TP_c + FP_c + FN_c)
    UAR = 1/C * sum_c TP_c / N_c

A class without a clip in truth and prediction counts 0, as in the published tables. Folds are never scored one by one:
many hold one to three clips and lack whole classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import UsageError

Labels = ArrayLike


def confusion_matrix(y_true: Labels, y_pred: Labels, n_classes: int) -> NDArray[np.int64]:
    """Count clips by truth and prediction.

    Parameters
    ----------
    y_true, y_pred : (N,) int
        Class numbers from 0 to ``n_classes - 1``.
    n_classes : int
        How many classes the label scheme declares.

    Returns
    -------
    (C, C) int64
        Rows are truth, columns prediction.

    Raises
    ------
    UsageError
        Where the lists differ in length or hold a number that is no class.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    if n_classes < 1:
        raise UsageError("At least one class must be declared", found=f"n_classes={n_classes}")
    truth, predicted = _classes(y_true, n_classes, "truth"), _classes(y_pred, n_classes, "prediction")
    if truth.shape != predicted.shape:
        raise UsageError(
            "Truth and prediction must have one entry a clip",
            expected=f"{truth.size} predictions",
            found=str(predicted.size),
        )
    counts = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def uf1(y_true: Labels, y_pred: Labels, n_classes: int) -> float:
    """Return the unweighted F1 (macro F1) of pooled predictions, from 0 to 1.

    Parameters
    ----------
    y_true, y_pred : (N,) int
    n_classes : int
        How many classes the label scheme declares; an absent one counts 0.

    Examples
    --------
    >>> round(uf1([0, 0, 1, 2], [0, 1, 1, 2], 3), 4)
    0.7778
    """
    return float(f1_per_class(confusion_matrix(y_true, y_pred, n_classes)).mean())


def uar(y_true: Labels, y_pred: Labels, n_classes: int) -> float:
    """Return the unweighted average recall of pooled predictions, from 0 to 1.

    Examples
    --------
    >>> round(uar([0, 0, 1, 2], [0, 1, 1, 2], 3), 4)
    0.8333
    """
    return float(recall_per_class(confusion_matrix(y_true, y_pred, n_classes)).mean())


def accuracy(y_true: Labels, y_pred: Labels, n_classes: int) -> float:
    """Return the fraction of clips that are right.

    Examples
    --------
    >>> accuracy([0, 0, 1, 2], [0, 1, 1, 2], 3)
    0.75
    """
    counts = confusion_matrix(y_true, y_pred, n_classes)
    return float(np.trace(counts) / max(counts.sum(), 1))


def f1_per_class(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's F1 from a confusion matrix; 0 where the class is in neither truth nor prediction."""
    return _ratio(2 * np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1))


def recall_per_class(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's recall from a confusion matrix; 0 where the class has no clip."""
    return _ratio(np.diag(counts), counts.sum(axis=1))


def precision_per_class(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's precision from a confusion matrix; 0 where it was never predicted."""
    return _ratio(np.diag(counts), counts.sum(axis=0))


def absent_classes(counts: NDArray[np.int64]) -> list[int]:
    """Return the declared classes that are in neither truth nor prediction.

    Examples
    --------
    >>> absent_classes(confusion_matrix([0, 1], [1, 1], 3))
    [2]
    """
    return [int(c) for c in np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1) == 0)]


def pooled(folds: Sequence[tuple[Labels, Labels]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join the (truth, prediction) lists of all folds, which is the only way in which they are scored.

    Examples
    --------
    >>> truth, predicted = pooled([([0], [0]), ([1, 2], [1, 1])])
    >>> truth.tolist(), predicted.tolist()
    ([0, 1, 2], [0, 1, 1])
    """
    empty = np.zeros(0, np.int64)
    truths = [np.asarray(truth, np.int64).ravel() for truth, _ in folds]
    predictions = [np.asarray(predicted, np.int64).ravel() for _, predicted in folds]
    return np.concatenate([empty, *truths]), np.concatenate([empty, *predictions])


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(whole), np.float64), where=whole > 0)


def _classes(values: Labels, n_classes: int, what: str) -> NDArray[np.int64]:
    found = np.asarray(values)
    if found.size and not np.issubdtype(found.dtype, np.integer):
        raise UsageError(f"The {what} must be class numbers", expected="integers", found=str(found.dtype))
    numbers = found.astype(np.int64).ravel()
    wrong = numbers[(numbers < 0) | (numbers >= n_classes)]
    if wrong.size:
        raise UsageError(
            f"The {what} holds a number that is no class",
            expected=f"0 to {n_classes - 1}",
            found=str(sorted(set(wrong.tolist()))[:5]),
        )
    return numbers
