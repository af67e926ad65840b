"""A scaler that remembers which clips it was fitted on, so that the guard can ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError

# An element that never varies is only centred.
_FLAT = 1e-12


@dataclass(frozen=True)
class Scaler:
    """Subtracts a mean and divides by a standard deviation, element by element.

    Examples
    --------
    >>> train = np.array([[0.0, 5.0], [2.0, 5.0]])
    >>> scaler = Scaler.fit(train, ids=["samm/6/a", "samm/7/b"])
    >>> scaler(train).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    >>> from merprep.evaluation import check_fitted
    >>> check_fitted(scaler.fitted_on, ["samm/8/c"])
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    fitted_on: frozenset[str]

    @classmethod
    def fit(cls, values: NDArray[np.floating], ids: Iterable[str]) -> Scaler:
        """Compute the statistics of training clips.

        Parameters
        ----------
        values : (N, ...) float
        ids : iterable of N str
            Whose values these are.

        Raises
        ------
        UsageError
            Where there is not one id a clip, or no clip.
        """
        names = list(ids)
        if not len(values) or len(names) != len(values):
            raise UsageError("A scaler needs one id a clip", expected=f"{len(values)} ids", found=str(len(names)))
        deviation = np.asarray(values, np.float64).std(axis=0)
        return cls(
            np.asarray(values, np.float64).mean(axis=0),
            np.where(deviation > _FLAT, deviation, 1.0),
            frozenset(names),
        )

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Scale clips, (M, ...) float64."""
        return (np.asarray(values, np.float64) - self.mean) / self.deviation
