"""Refuses splits through which the test side would be known before it is tested.

Five ways in which that happens, each with a check of its own: a person on both sides; a clip on both sides, or tested
twice; a copy of a clip (augmented, magnified) on the other side; the same input under two names; statistics that were
computed from test clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import LeakError, UsageError

Rows = NDArray[np.int64]

_MOST_NAMES = 5
_PERSON = "A person is on both sides of a split"
_BY_PERSON = "split by person (namespace and subject), not by clip or by subject name alone"
_LIST_ONCE = "list every clip once, and split the list by person"
_AFTER = "split first and augment then: copies stay on the side of the clip that they were made from"
_WHICH = "find out which of the two is right, and remove the other"


def check_split(
    train: ArrayLike,
    test: ArrayLike,
    *,
    persons: Sequence[str],
    ids: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    digests: Sequence[str] | None = None,
    fitted_on: Iterable[str] = (),
    fold: str = "",
    subject_dependent: bool = False,
) -> None:
    """Raise where anything of the test side reaches the training side; for loops of your own as for merprep's.

    Parameters
    ----------
    train, test : (M,) int
        Rows of each side.
    persons : (N,) str
        Who is in each clip (`merprep.records.person_of`).
    ids : (N,) str, optional
        The name of each clip. A clip that is listed twice may not be on both sides, nor be tested twice.
    sources : (N,) str, optional
        For copies (augmented, magnified, resampled), the id of the clip that they were made from, which may be a copy
        itself; empty, or the clip's own id, for originals. All copies of a clip belong on its side.
    digests : (N,) str, optional
        Of each clip's input (`copy_digests`, `input_digests`); equal inputs under two names may not be on both sides.
        Empty: not compared.
    fitted_on : iterable of str
        Ids of the clips whose statistics normalised the inputs, or reduced or chose features: training clips only.
    fold : str
        What to call the fold in the message.
    subject_dependent : bool
        Leave the check of persons out; for reproducing sample-wise folds, where the caller stamps every output.

    Raises
    ------
    LeakError
        Naming the fold and what crosses.
    UsageError
        Where lists differ in length, or rows are out of range.

    Examples
    --------
    >>> check_split([0, 1], [2], persons=["a:1", "a:1", "a:2"])
    >>> check_split([0, 1], [2], persons=["a:1", "a:2", "a:2"], fold="fold 1")
    Traceback (most recent call last):
    ...
    merprep.errors.LeakError: A person is on both sides of a split
      where: fold 1
      found: a:2
      mend: split by person (namespace and subject), not by clip or by subject name alone
    """
    guard = Guard(
        persons, ids=ids, sources=sources, digests=digests, fitted_on=fitted_on, subject_dependent=subject_dependent
    )
    guard.check(train, test, fold=fold)


class Guard:
    """`check_split` for many folds of the same clips, whose names are looked at once.

    Parameters
    ----------
    persons, ids, sources, digests, fitted_on, subject_dependent
        As for `check_split`.

    Examples
    --------
    >>> guard = Guard(["a:1", "a:1", "a:2"])
    >>> guard.check([0, 1], [2])
    """

    def __init__(
        self,
        persons: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        digests: Sequence[str] | None = None,
        fitted_on: Iterable[str] = (),
        subject_dependent: bool = False,
    ) -> None:
        self.count = len(persons)
        self.names = list(ids) if ids is not None else [f"row {row}" for row in range(self.count)]
        _same_length(self.count, ids=self.names, sources=sources, digests=digests)
        origins = _origins(self.names, self.names if sources is None else sources)
        self.persons = None if subject_dependent else _Words(persons)
        self.clips = _Words(self.names)
        self.origins = None if sources is None else _Words(origins)
        self.inputs = None if digests is None else _Words(digests)
        self.fitted_on = frozenset(fitted_on)

    def check(self, train: ArrayLike, test: ArrayLike, *, fold: str = "") -> None:
        """Raise where anything of one fold's test side reaches its training side.

        Raises
        ------
        LeakError, UsageError
        """
        left, right = _rows(train, self.count), _rows(test, self.count)
        if self.persons is not None:
            _refuse(self.persons.on_both(left, right), _PERSON, fold, _BY_PERSON)
        _refuse(self.clips.on_both(left, right), "A clip is on both sides of a split", fold, _LIST_ONCE)
        _refuse(
            self.clips.twice(right),
            "A clip is tested more than once in a fold, and would count more than once",
            fold,
            _LIST_ONCE,
        )
        if self.origins is not None:
            _refuse(self.origins.on_both(left, right), "Copies of one clip are on both sides of a split", fold, _AFTER)
        if self.inputs is not None and self.inputs.on_both(left, right):
            _refuse(self._same_inputs(left, right), "The same input is on both sides under two names", fold, _WHICH)
        if self.fitted_on:
            check_fitted(self.fitted_on, [self.names[row] for row in right], fold=fold)

    def _same_inputs(self, left: Rows, right: Rows) -> set[str]:
        digests = [] if self.inputs is None else self.inputs.words
        seen = {digests[row]: self.names[row] for row in left if digests[row]}
        return {f"{self.names[row]} = {seen[digests[row]]}" for row in right if digests[row] in seen}


class _Words:
    """One word a clip, as numbers, so that thousands of folds are looked at quickly; an empty word is nobody's."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        numbers = {word: number for number, word in enumerate(dict.fromkeys(self.words))}
        self.codes = np.array([numbers[word] for word in self.words], np.int64)
        self.kinds = list(numbers)

    def on_both(self, left: Rows, right: Rows) -> set[str]:
        seen = np.zeros(len(self.kinds), np.bool_)
        seen[self.codes[left]] = True
        crossing = self.codes[right][seen[self.codes[right]]]
        return {self.kinds[code] for code in crossing.tolist()} - {""}

    def twice(self, rows: Rows) -> set[str]:
        kinds, counts = np.unique(self.codes[rows], return_counts=True)
        return {self.kinds[code] for code in kinds[counts > 1].tolist()}


def check_disjoint(train: Iterable[str], test: Iterable[str], *, fold: str = "") -> None:
    """Raise where a person of the test side is also on the training side.

    Parameters
    ----------
    train, test : iterable of str
        The person of every clip on each side. What a network was pre-trained on belongs to the training side.
    fold : str
        What to call the fold in the message.

    Raises
    ------
    LeakError
        Naming the persons.

    Examples
    --------
    >>> check_disjoint(["casme2:1", "samm:6"], ["smic:6"])
    >>> check_disjoint(["casme2:1"], ["casme2:1"])
    Traceback (most recent call last):
    ...
    merprep.errors.LeakError: A person is on both sides of a split
      found: casme2:1
      mend: split by person (namespace and subject), not by clip or by subject name alone
    """
    _refuse(
        set(train) & set(test),
        _PERSON,
        fold,
        _BY_PERSON,
    )


def check_fitted(fitted_on: Iterable[str], test: Iterable[str], *, fold: str = "") -> None:
    """Raise where statistics (a mean, a scale, a choice of features) were computed from clips that are tested.

    Parameters
    ----------
    fitted_on : iterable of str
        Ids of the clips that the statistics came from, such as `Scaler.fitted_on`.
    test : iterable of str
        Ids of the test clips.

    Raises
    ------
    LeakError

    Examples
    --------
    >>> check_fitted(["a", "b"], ["c"])
    """
    _refuse(
        set(fitted_on) & set(test),
        "Normalisation was fitted on test clips",
        fold,
        "fit it inside the fold, on the training side alone, or scale every clip by itself",
    )


def _origins(names: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Return the clip that each was made from in the end; a copy of a copy is a copy of the first."""
    made_from = {name: source for name, source in zip(names, sources, strict=True) if source and source != name}
    found = []
    for name in names:
        origin, passed = name, {name}
        while made_from.get(origin, origin) not in passed:
            origin = made_from[origin]
            passed.add(origin)
        found.append(min(passed) if origin in made_from else origin)
    return found


def _refuse(crossing: set[str], what: str, fold: str, mend: str) -> None:
    if crossing:
        names = sorted(crossing)
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        raise LeakError(what, where=fold or None, found=", ".join(names[:_MOST_NAMES]) + more, mend=mend)


def _rows(values: ArrayLike, count: int) -> Rows:
    rows = np.asarray(values)
    if rows.size and not np.issubdtype(rows.dtype, np.integer):
        raise UsageError("The sides of a split are row numbers", expected="integers", found=str(rows.dtype))
    if rows.size and (rows.min() < 0 or rows.max() >= count):
        raise UsageError("A row of a split is out of range", expected=f"0 to {count - 1}", found=str(rows.max()))
    return rows.ravel().astype(np.int64)


def _same_length(count: int, **lists: Sequence[str] | None) -> None:
    for name, values in lists.items():
        if values is not None and len(values) != count:
            raise UsageError(f"There must be one entry a clip in {name}", expected=str(count), found=str(len(values)))
