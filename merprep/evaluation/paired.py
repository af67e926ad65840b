"""Whether one run is better than another on the same clips.

The test that counts swaps the two runs person by person: if they are equally good, which of them said what about a
person is arbitrary, so the difference in UF1 is compared with the differences after every (or many random) ways of
swapping persons (a paired permutation test). McNemar's exact test over clips is given beside it, as papers use it; it
takes clips of one person as independent, which they are not.

McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 1947.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import UsageError
from merprep.evaluation.resampling import SCORES, Counts, person_counts, scores_of_counts, weighted

Floats = NDArray[np.float64]

# Differences that the last bits alone tell apart are one difference.
_SAME = 1e-12


@dataclass(frozen=True)
class McNemar:
    """Clips that only the first run has right, that only the second has, and the exact two-sided p."""

    first_only: int
    second_only: int
    p: float


@dataclass(frozen=True)
class PairedTest:
    """Two runs on the same clips.

    Attributes
    ----------
    first, second : dict of str to float
        UF1, UAR and accuracy, each the mean over seeds.
    difference : dict of str to float
        First minus second.
    interval : dict of str to (float, float)
        95 % percentile interval of the difference, by a bootstrap over persons; empty with one person.
    p : dict of str to float
        Two-sided, by swapping persons.
    exact : bool
        Whether all ways of swapping were tried.
    mcnemar : McNemar
        Over clips, of the first seed of each run.
    """

    first: dict[str, float]
    second: dict[str, float]
    difference: dict[str, float]
    interval: dict[str, tuple[float, float]]
    p: dict[str, float]
    exact: bool
    resamples: int
    persons: int
    clips: int
    seeds: int
    mcnemar: McNemar

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "first": self.first,
            "second": self.second,
            "difference": self.difference,
            "interval": {name: list(ends) for name, ends in self.interval.items()},
            "p": self.p,
            "test": "paired permutation over persons" + (", all ways" if self.exact else ""),
            "resamples": self.resamples,
            "persons": self.persons,
            "clips": self.clips,
            "seeds": self.seeds,
            "mcnemar": {"first_only": self.mcnemar.first_only, "second_only": self.mcnemar.second_only}
            | {"p": self.mcnemar.p, "over": "clips of the first seed"},
        }


def paired_test(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    persons: Sequence[str],
    n_classes: int,
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    """Compare two runs on the same clips.

    Parameters
    ----------
    y_true : (N,) int
    first, second : (N,) or (S, N) int
        Predictions of each run, the same number of seeds each.
    persons : (N,) str
    n_classes : int
    resamples : int
        Random ways of swapping persons where there are more ways than this, and resamples of the interval.
    seed : int

    Raises
    ------
    UsageError
        Where the runs differ in shape, or lists in length.

    Examples
    --------
    >>> truth, persons = [0, 1] * 3, ["a:1", "a:1", "a:2", "a:2", "a:3", "a:3"]
    >>> found = paired_test(truth, truth, [0, 0] * 3, persons, 2)
    >>> round(found.difference["accuracy"], 2), found.p["accuracy"], found.exact
    (0.5, 0.25, True)
    """
    ours, theirs = np.atleast_2d(np.asarray(first)), np.atleast_2d(np.asarray(second))
    if ours.shape != theirs.shape:
        raise UsageError(
            "The runs must predict the same clips with the same number of seeds",
            expected=str(ours.shape),
            found=str(theirs.shape),
        )
    counts = [np.stack([person_counts(y_true, row, persons, n_classes)[1] for row in runs]) for runs in (ours, theirs)]
    people = counts[0].shape[1]
    scores = [scores_of_counts(part.sum(axis=1)).mean(axis=0) for part in counts]
    rng = np.random.default_rng(seed)
    swaps, exact = _ways(people, resamples, rng)
    p = _p(scores[0] - scores[1], _differences(swaps, 1 - swaps, counts), exact)
    interval: dict[str, tuple[float, float]] = {}
    if people > 1:
        drawn = rng.multinomial(people, np.full(people, 1 / people), size=resamples)
        ends = np.quantile(_bootstrapped(drawn, counts), [0.025, 0.975], axis=0).T
        interval = {name: (float(low), float(high)) for name, (low, high) in zip(SCORES, ends, strict=True)}
    return PairedTest(
        _named(scores[0]),
        _named(scores[1]),
        _named(scores[0] - scores[1]),
        interval,
        _named(p),
        exact,
        len(swaps),
        people,
        ours.shape[1],
        ours.shape[0],
        mcnemar(y_true, ours[0], theirs[0]),
    )


def mcnemar(y_true: ArrayLike, first: ArrayLike, second: ArrayLike) -> McNemar:
    """Return McNemar's exact test: under equal runs, each clip that one alone has right is a fair coin.

    Raises
    ------
    UsageError
        Where the lists differ in length.

    Examples
    --------
    >>> mcnemar([0] * 6, [0] * 6, [1] * 6)
    McNemar(first_only=6, second_only=0, p=0.03125)
    """
    truth = np.asarray(y_true)
    if not truth.shape == np.shape(first) == np.shape(second):
        raise UsageError("Both runs must predict every clip", expected=str(truth.shape), found=str(np.shape(second)))
    right = np.asarray(first) == truth, np.asarray(second) == truth
    ours, theirs = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    total = ours + theirs
    tail = sum(comb(total, k) for k in range(min(ours, theirs) + 1))
    # Integers first: two to the power of many clips is no float.
    return McNemar(ours, theirs, min(1.0, 2 * tail / 2**total))


def _ways(people: int, resamples: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], bool]:
    """Return which persons are swapped in each way, (B, P) of 0 and 1, and whether these are all ways."""
    if people < 63 and 2**people <= resamples:
        return (np.arange(2**people)[:, None] >> np.arange(people)) & 1, True
    return rng.integers(0, 2, (resamples, people)), False


def _differences(
    kept: NDArray[np.int64], swapped: NDArray[np.int64], counts: list[NDArray[Any]]
) -> NDArray[np.float64]:
    mixed = [
        weighted(kept, counts[0]) + weighted(swapped, counts[1]),
        weighted(kept, counts[1]) + weighted(swapped, counts[0]),
    ]
    return _gap(mixed)


def _bootstrapped(drawn: NDArray[np.int64], counts: list[Counts]) -> Floats:
    return _gap([weighted(drawn, part) for part in counts])


def _gap(counts: list[Floats]) -> Floats:
    first, second = (scores_of_counts(part).mean(axis=0) for part in counts)
    gap: Floats = np.subtract(first, second)
    return gap


def _p(observed: Floats, others: Floats, exact: bool) -> Floats:
    extreme = (np.abs(others) >= np.abs(observed) - _SAME).sum(axis=0)
    # The observed way is one of the ways: without it a random sample could say that p is 0.
    own = 0 if exact else 1
    share: Floats = np.divide(extreme + own, len(others) + own)
    return share


def _named(values: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(SCORES, values, strict=True)}
