"""Which epoch's predictions count.

``last`` is the default and needs nothing. ``inner`` chooses by validation persons drawn from the training side.
``test-oracle`` reproduces the literature: per fold, the latest epoch that ties or beats the best accuracy on that same
test side. It knows the answers, so its score is optimistic and is never given alone.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from merprep.evaluation import uf1

Selection = Literal["last", "inner", "test-oracle"]
SELECTIONS: tuple[Selection, ...] = ("last", "inner", "test-oracle")


def oracle_epoch(predictions: NDArray[np.int64], truth: NDArray[np.int64]) -> int:
    """Return the latest epoch that ties or beats the best accuracy on the test side.

    Parameters
    ----------
    predictions : (E, N) int64
        Predicted classes of the test clips after every epoch.
    truth : (N,) int64

    Examples
    --------
    >>> oracle_epoch(np.array([[0, 1], [0, 0], [0, 1], [1, 0]]), np.array([0, 1]))
    2
    """
    right = (predictions == truth).sum(axis=1)
    return int(np.flatnonzero(right == right.max())[-1])


def inner_epoch(predictions: NDArray[np.int64], truth: NDArray[np.int64], n_classes: int) -> int:
    """Return the latest epoch with the best UF1 on the validation persons.

    Parameters
    ----------
    predictions : (E, N) int64
        Predicted classes of the validation clips after every epoch.
    truth : (N,) int64

    Examples
    --------
    >>> inner_epoch(np.array([[0, 1], [0, 0]]), np.array([0, 1]), 2)
    0
    """
    scores = np.array([uf1(truth, row, n_classes) for row in predictions])
    return int(np.flatnonzero(scores == scores.max())[-1])
