"""Splits over persons, as scikit-learn splitters: ``split(X, y, groups)`` yields (train, test) index arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import UsageError
from merprep.evaluation.guard import check_disjoint

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


class Splitter(Protocol):
    """What every protocol offers; scikit-learn's ``cross_validate(cv=...)`` takes it too."""

    def split(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Iterator[Fold]:
        """Yield (train, test) indices, fold by fold."""

    def get_n_splits(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> int:
        """Return the number of folds."""


class LeaveOneSubjectOut:
    """One fold a person: that person's clips are the test side, everybody else's the training side.

    Groups are persons (``merprep.records.person_of``), not subject names, which collide between databases. Folds come
    in the order in which the persons first appear.

    Examples
    --------
    >>> groups = ["a:1", "a:2", "a:1"]
    >>> [(train.tolist(), test.tolist()) for train, test in LeaveOneSubjectOut().split(groups, groups=groups)]
    [([1], [0, 2]), ([0, 2], [1])]
    """

    def split(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Iterator[Fold]:
        """Yield (train, test) indices, one person at a time.

        Parameters
        ----------
        X : sized
            Only its length is used.
        y : ignored
        groups : (N,) str
            The person of each clip.

        Raises
        ------
        UsageError
            Where groups are missing, of another length, or of one person only.
        """
        persons = persons_of(X, groups)
        for person in _unique(persons):
            yield _fold(persons, [person])

    def get_n_splits(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> int:
        """Return the number of persons."""
        return len(_unique(persons_of(None, groups)))


class SubjectKFold:
    """`n_splits` folds with whole persons on one side, of nearly equal numbers of clips.

    Parameters
    ----------
    n_splits : int
    seed : int
        Shuffles persons of equal size.

    Examples
    --------
    >>> groups = ["a:1", "a:2", "a:3", "a:1"]
    >>> sorted(len(test) for _, test in SubjectKFold(2).split(groups, groups=groups))
    [2, 2]
    """

    def __init__(self, n_splits: int = 5, *, seed: int = 0) -> None:
        if n_splits < 2:
            raise UsageError("A k-fold split needs at least two folds", found=f"n_splits={n_splits}")
        self.n_splits = n_splits
        self.seed = seed

    def split(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Iterator[Fold]:
        """Yield (train, test) indices, as `LeaveOneSubjectOut.split` does."""
        persons = persons_of(X, groups)
        for held_out in self._folds(persons):
            yield _fold(persons, held_out)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def _folds(self, persons: NDArray[np.str_]) -> list[list[str]]:
        names = _unique(persons)
        if len(names) < self.n_splits:
            raise UsageError(
                "There are fewer persons than folds",
                expected=f"at least {self.n_splits}",
                found=str(len(names)),
                mend=f"use kfold-{max(len(names), 2)} or fewer folds, or loso",
            )
        shuffled = [names[i] for i in np.random.default_rng(self.seed).permutation(len(names))]
        sizes = {name: int((persons == name).sum()) for name in names}
        folds: list[list[str]] = [[] for _ in range(self.n_splits)]
        # The largest first, each to the smallest fold so far.
        for name in sorted(shuffled, key=lambda person: -sizes[person]):
            min(folds, key=lambda fold: sum(sizes[person] for person in fold)).append(name)
        return folds


def _fold(persons: NDArray[np.str_], held_out: Sequence[str]) -> Fold:
    inside = np.isin(persons, held_out)
    train, test = np.flatnonzero(~inside), np.flatnonzero(inside)
    check_disjoint(persons[train].tolist(), persons[test].tolist(), fold=", ".join(held_out))
    return train, test


def persons_of(X: Any, groups: ArrayLike | None) -> NDArray[np.str_]:
    """Return the person of each clip as an array; raise where there are not at least two persons.

    Raises
    ------
    UsageError
    """
    if groups is None:
        raise UsageError("A split over persons needs groups=, the person of each clip")
    persons = np.asarray(groups).astype(np.str_).ravel()
    if X is not None and len(X) != len(persons):
        raise UsageError("There must be one person a clip", expected=f"{len(X)} persons", found=str(len(persons)))
    if len(set(persons.tolist())) < 2:
        raise UsageError(
            "There is nobody to leave out: the clips are of one person",
            found=", ".join(sorted(set(persons.tolist()))) or "no clip",
            expected="at least two persons",
            mend="ingest more subjects or further databases",
        )
    return persons


def _unique(persons: NDArray[np.str_]) -> list[str]:
    return list(dict.fromkeys(persons.tolist()))
