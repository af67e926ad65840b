"""Splits over databases: a person of several databases (SAMM and SAMM-LV, the variants of SMIC) is on one side only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import LeakError, UnknownNameError, UsageError
from merprep.evaluation.guard import check_disjoint
from merprep.evaluation.splitters import Fold, persons_of


@dataclass(frozen=True)
class DatabaseFold:
    """One fold over databases, and who had to leave its training side.

    `dropped` are rows of training databases whose persons are tested.
    """

    name: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    dropped: NDArray[np.int64]


class HoldOutDatabase:
    """One fold: test on some databases, train on the others, or on those named.

    Clips of the training databases whose person is also tested are left out of training; `folds` says which.

    Parameters
    ----------
    databases : (N,) str
        The database of each clip, in the order of the clips given to `split`.
    test : str or sequence of str
    train : sequence of str, optional
        None: all other databases.

    Examples
    --------
    >>> databases, persons = ["samm", "samm", "samm-lv", "smic"], ["samm:6", "samm:7", "samm:6", "smic:1"]
    >>> [fold] = HoldOutDatabase(databases, "samm-lv").folds(groups=persons)
    >>> fold.train.tolist(), fold.test.tolist(), fold.dropped.tolist()
    ([1, 3], [2], [0])
    """

    def __init__(
        self, databases: Sequence[str], test: str | Sequence[str], *, train: Sequence[str] | None = None
    ) -> None:
        self.databases = np.asarray(list(databases), dtype=np.str_)
        known = list(dict.fromkeys(self.databases.tolist()))
        self.test = _known([test] if isinstance(test, str) else test, known)
        others = [name for name in known if name not in self.test]
        self.train = others if train is None else _known(train, known)
        if set(self.train) & set(self.test):
            both = ", ".join(sorted(set(self.train) & set(self.test)))
            raise UsageError("A database cannot be trained on and tested", found=both)
        if not self.train:
            raise UsageError(
                "There is no database left to train on",
                found=", ".join(known),
                expected="at least two databases",
                mend="ingest a further database, or use --protocol loso",
            )

    def folds(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> list[DatabaseFold]:
        """Return the fold, with the clips that had to leave.

        Raises
        ------
        UsageError
            Where groups are missing or of another length.
        LeakError
            Where every training person is also tested, so that nobody is left.
        """
        persons = persons_of(X, groups)
        if len(persons) != len(self.databases):
            raise UsageError(
                "There must be one database a clip", expected=str(len(persons)), found=str(len(self.databases))
            )
        return [across(persons, self.databases, self.test, self.train)]

    def split(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Iterator[Fold]:
        """Yield (train, test) indices; `groups` is the person of each clip."""
        yield from ((fold.train, fold.test) for fold in self.folds(X, y, groups))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> int:
        """Return 1."""
        return 1


class LeaveOneDatabaseOut:
    """One fold a database: that database is tested, all others are trained on (persons never on both sides).

    Parameters
    ----------
    databases : (N,) str
        The database of each clip.

    Examples
    --------
    >>> databases, persons = ["a", "b", "a"], ["a:1", "b:1", "a:2"]
    >>> folds = LeaveOneDatabaseOut(databases).split(persons, groups=persons)
    >>> [(train.tolist(), test.tolist()) for train, test in folds]
    [([1], [0, 2]), ([0, 2], [1])]
    """

    def __init__(self, databases: Sequence[str]) -> None:
        self.databases = list(databases)
        self.names = list(dict.fromkeys(self.databases))

    def folds(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> list[DatabaseFold]:
        """Return one fold a database, as `HoldOutDatabase.folds` does."""
        return [fold for name in self.names for fold in HoldOutDatabase(self.databases, name).folds(X, y, groups)]

    def split(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Iterator[Fold]:
        """Yield (train, test) indices; `groups` is the person of each clip."""
        yield from ((fold.train, fold.test) for fold in self.folds(X, y, groups))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> int:
        """Return the number of databases."""
        return len(self.names)


def across(
    persons: NDArray[np.str_], databases: NDArray[np.str_], test: Sequence[str], train: Sequence[str]
) -> DatabaseFold:
    """Split clips by database, and take the tested persons out of the training side."""
    tested = np.isin(databases, test)
    wanted = np.isin(databases, train)
    known = np.isin(persons, persons[tested])
    left, right = np.flatnonzero(wanted & ~known), np.flatnonzero(tested)
    name = "+".join(test)
    if not left.size:
        raise LeakError(
            "Nobody is left to train on: the training databases show the same people as those tested",
            where=f"test on {name}",
            found=", ".join(train),
            mend="ingest a database of other people, or use --protocol loso, where a person is one fold",
        )
    check_disjoint(persons[left].tolist(), persons[right].tolist(), fold=name)
    return DatabaseFold(name, left, right, np.flatnonzero(wanted & known))


def _known(names: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in names:
        if name not in known:
            raise UnknownNameError.among("database among the clips", name, list(known))
    return list(names)
