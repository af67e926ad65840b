"""Refuses splits through which the test side would be known before it is tested.

Five ways in which that happens, each with a check of its own: a person on both sides; a clip on both sides, or tested
twice; a copy of a clip (augmented, magnified) on the other side; the same input under two names; statistics that were
computed from test clips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import LeakError, UsageError

_MOST_NAMES = 5


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
        For copies (augmented, magnified, resampled), the id of the clip that they were made from; empty, or the clip's
        own id, for originals. All copies of a clip belong on its side.
    digests : (N,) str, optional
        Of each clip's input (`input_digests`); equal inputs under two names may not be on both sides. Empty: not
        compared.
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
    left, right = _rows(train, len(persons)), _rows(test, len(persons))
    if not subject_dependent:
        check_disjoint(_of(persons, left), _of(persons, right), fold=fold)
    names = list(ids) if ids is not None else [f"row {row}" for row in range(len(persons))]
    _same_length(len(persons), ids=names, sources=sources, digests=digests)
    _check_clips(_of(names, left), _of(names, right), fold)
    if sources is not None:
        origins = [source or name for source, name in zip(sources, names, strict=True)]
        _check_copies(_of(origins, left), _of(origins, right), fold)
    if digests is not None:
        _check_inputs(names, digests, left, right, fold)
    check_fitted(fitted_on, _of(names, right), fold=fold)


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
        "A person is on both sides of a split",
        fold,
        "split by person (namespace and subject), not by clip or by subject name alone",
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


def input_digests(inputs: ArrayLike) -> list[str]:
    """Digest each clip's input, so that the same input under two names is noticed.

    Parameters
    ----------
    inputs : (N, ...) array

    Returns
    -------
    list of str
        Empty for an input that is the same number everywhere: the map of a clip without motion tells nothing apart.

    Examples
    --------
    >>> first, second, flat = input_digests([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]])
    >>> first == second, flat
    (True, '')
    """
    values = np.asarray(inputs)
    return [
        "" if not row.size or (row == row.flat[0]).all() else hashlib.sha256(_bytes(row)).hexdigest()[:32]
        for row in values
    ]


def _bytes(row: NDArray[np.generic]) -> bytes:
    # Adding zero makes -0.0 and 0.0 one number.
    return np.ascontiguousarray(row + np.zeros((), row.dtype)).tobytes()


def _check_clips(train: Sequence[str], test: Sequence[str], fold: str) -> None:
    mend = "list every clip once, and split the list by person"
    _refuse(set(train) & set(test), "A clip is on both sides of a split", fold, mend)
    if len(set(test)) != len(test):
        twice = {name for name in test if test.count(name) > 1}
        _refuse(twice, "A clip is tested more than once in a fold, and would count more than once", fold, mend)


def _check_copies(train: Sequence[str], test: Sequence[str], fold: str) -> None:
    _refuse(
        set(train) & set(test),
        "Copies of one clip are on both sides of a split",
        fold,
        "split first and augment then: copies stay on the side of the clip that they were made from",
    )


def _check_inputs(
    names: Sequence[str], digests: Sequence[str], left: Sequence[int], right: Sequence[int], fold: str
) -> None:
    seen = {digests[row]: names[row] for row in left if digests[row]}
    _refuse(
        {f"{names[row]} = {seen[digests[row]]}" for row in right if digests[row] in seen},
        "The same input is on both sides of a split under two names",
        fold,
        "find out which of the two is right, and remove the other",
    )


def _refuse(crossing: set[str], what: str, fold: str, mend: str) -> None:
    if crossing:
        names = sorted(crossing)
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        raise LeakError(what, where=fold or None, found=", ".join(names[:_MOST_NAMES]) + more, mend=mend)


def _of(values: Sequence[str], rows: Sequence[int]) -> list[str]:
    return [values[row] for row in rows]


def _rows(values: ArrayLike, count: int) -> list[int]:
    rows = np.asarray(values)
    if rows.size and not np.issubdtype(rows.dtype, np.integer):
        raise UsageError("The sides of a split are row numbers", expected="integers", found=str(rows.dtype))
    if rows.size and (rows.min() < 0 or rows.max() >= count):
        raise UsageError("A row of a split is out of range", expected=f"0 to {count - 1}", found=str(rows.max()))
    return [int(row) for row in rows.ravel()]


def _same_length(count: int, **lists: Sequence[str] | None) -> None:
    for name, values in lists.items():
        if values is not None and len(values) != count:
            raise UsageError(f"There must be one entry a clip in {name}", expected=str(count), found=str(len(values)))
