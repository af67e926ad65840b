"""Baselines without a network: the majority class and a support vector machine."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UnknownNameError


class Baseline(Protocol):
    """Fits on the training side and gives class probabilities for the test side."""

    def __call__(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        test: NDArray[np.float32],
        *,
        n_classes: int,
        seed: int,
        settings: dict[str, Any],
    ) -> NDArray[np.float64]:
        """Return (M, n_classes) for the M test clips."""


def majority(
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    test: NDArray[np.float32],
    *,
    n_classes: int,
    seed: int,
    settings: dict[str, Any],
) -> NDArray[np.float64]:
    """Give every test clip the class frequencies of the training side."""
    del images, seed, settings
    frequencies = np.bincount(labels, minlength=n_classes) / len(labels)
    return np.tile(frequencies, (len(test), 1))


def svm(
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    test: NDArray[np.float32],
    *,
    n_classes: int,
    seed: int,
    settings: dict[str, Any],
) -> NDArray[np.float64]:
    """Fit scikit-learn's RBF support vector machine on flattened inputs.

    Inputs are standardised with the training side's statistics. The "probabilities" are a softmax over the
    one-against-rest decision values: an order, not calibrated.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = make_pipeline(StandardScaler(), SVC(random_state=seed % 2**32, **settings))
    machine.fit(images.reshape(len(images), -1), labels)
    decided = np.asarray(machine.decision_function(test.reshape(len(test), -1)), np.float64)
    present = machine.classes_.astype(np.int64)
    if decided.ndim == 1:
        decided = np.stack([-decided, decided], axis=1)
    powers = np.exp(decided - decided.max(axis=1, keepdims=True))
    full = np.zeros((len(test), n_classes))
    full[:, present] = powers / powers.sum(axis=1, keepdims=True)
    return full


def baseline(name: str) -> Baseline:
    """Return a baseline by the name of its model.

    Examples
    --------
    >>> fit = baseline("majority")
    >>> fit(np.zeros((3, 1)), np.array([0, 1, 1]), np.zeros((1, 1)), n_classes=2, seed=0, settings={}).round(2).tolist()
    [[0.33, 0.67]]
    """
    known: dict[str, Baseline] = {"majority": majority, "svm": svm}
    if name not in known:
        raise UnknownNameError.among("baseline", name, sorted(known))
    return known[name]
