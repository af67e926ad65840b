"""Splits that somebody else drew: an official list, a published one, or a file of one's own."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from merprep.errors import UsageError
from merprep.evaluation.guard import check_split
from merprep.evaluation.splitters import Fold
from merprep.ordinary import lines_of, open_text
from merprep.records import person_of

TRAIN = "train"
_LONGEST = 1 << 16
_UNUSED = ("", "-", "unused")


class SubjectDependentWarning(UserWarning):
    """A split has the same people on both sides: its scores say nothing about people not seen in training."""


class ListedSplit:
    """A split given as one word a clip: ``train`` (never tested), the name of the fold that tests it, or nothing.

    With ``train`` anywhere, every fold trains on exactly those clips. Without, each fold trains on all clips that it
    does not test (and that have a word).

    Parameters
    ----------
    words : (N,) str
    subject_dependent : bool
        Let people be on both sides, with a warning. Clips and copies still may not be.

    Examples
    --------
    >>> persons = ["dfme:1", "dfme:2", "dfme:3"]
    >>> folds = ListedSplit(["train", "test-a", ""]).split(persons, groups=persons)
    >>> [(train.tolist(), test.tolist()) for train, test in folds]
    [([0], [1])]
    """

    def __init__(self, words: Sequence[str], *, subject_dependent: bool = False) -> None:
        self.words = np.asarray([_word(word) for word in words], dtype=np.str_)
        self.subject_dependent = subject_dependent
        self.names = [word for word in dict.fromkeys(self.words.tolist()) if word not in ("", TRAIN)]
        self.fixed = TRAIN in self.words
        if not self.names or (not self.fixed and len(self.names) < 2):
            raise UsageError(
                "The list names nothing to test, or nothing to train on",
                found=", ".join(sorted(set(self.words.tolist()))) or "no clip",
                expected=f"{TRAIN!r} and a test fold, or at least two folds",
            )

    def split(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Iterator[Fold]:
        """Yield (train, test) indices, in the order in which folds are first named; `groups` are persons.

        Raises
        ------
        UsageError
            Where groups are missing or of another length.
        LeakError
            Where a person is on both sides, unless `subject_dependent`.
        """
        if groups is None or len(np.asarray(groups).ravel()) != len(self.words):
            raise UsageError("A list of folds needs groups=, the person of each clip", expected=str(len(self.words)))
        if self.subject_dependent:
            warnings.warn("people are on both sides of this split", SubjectDependentWarning, stacklevel=2)
        persons = np.asarray(groups).astype(np.str_).ravel().tolist()
        for name in self.names:
            test = np.flatnonzero(self.words == name)
            train = np.flatnonzero(self.words == TRAIN if self.fixed else (self.words != name) & (self.words != ""))
            check_split(train, test, persons=persons, fold=name, subject_dependent=self.subject_dependent)
            yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> int:
        """Return the number of folds."""
        return len(self.names)


class SampleWiseKFold:
    """Folds drawn at random over clips, so that people are on both sides: NOT for new results.

    Published work on CAS(ME)^3 is scored in this way; the variant exists to reproduce it. Scores are optimistic by
    construction, as a network that knows a face has a head start on the face's other clips.

    Parameters
    ----------
    n_splits : int
    seed : int

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SubjectDependentWarning)
    ...     sorted(len(test) for _, test in SampleWiseKFold(2).split([0] * 5))
    [2, 3]
    """

    subject_dependent = True

    def __init__(self, n_splits: int = 5, *, seed: int = 0) -> None:
        if n_splits < 2:
            raise UsageError("A k-fold split needs at least two folds", found=f"n_splits={n_splits}")
        self.n_splits = n_splits
        self.seed = seed

    def split(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Iterator[Fold]:
        """Yield (train, test) indices and warn; `groups` is not looked at.

        Raises
        ------
        UsageError
            Where there are fewer clips than folds.
        """
        if len(X) < self.n_splits:
            raise UsageError("There are fewer clips than folds", expected=str(self.n_splits), found=str(len(X)))
        warnings.warn("people are on both sides of this split", SubjectDependentWarning, stacklevel=2)
        order = np.random.default_rng(self.seed).permutation(len(X))
        for number in range(self.n_splits):
            test = np.sort(order[number :: self.n_splits])
            yield np.setdiff1d(order, test), test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: ArrayLike | None = None) -> int:
        """Return the number of folds."""
        return self.n_splits


def read_list(path: str | Path, ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """Read who is tested when from a file or a folder of files.

    A CSV with a column ``fold`` (or ``split``) and either ``id`` (``database/subject/clip``) or the columns
    ``database``, ``subject`` and ``clip``. A folder holds one CSV a fold, named ``test_fold_N.csv``, with the columns
    ``Subject``, ``Filename`` and ``Onset`` of CAS(ME)^3's own sheet.

    Parameters
    ----------
    path : path-like
    ids : (N,) str
        The clips of the run, ``database/subject/clip``.

    Returns
    -------
    words : list of N str
        For `ListedSplit`; empty where the list does not name the clip.
    notes : list of str
        How many clips of the list are not in the run, and the other way round.

    Raises
    ------
    UsageError
        Where it cannot be read, lacks a column, names a clip twice with different folds, or names none of the clips.
    """
    place = Path(path)
    listed = _from_folder(place) if place.is_dir() else _from_table(place)
    known = {clip_key(*name.split("/", 2)): name for name in ids}
    words = {known[key]: word for key, word in listed.items() if key in known}
    if not words:
        raise UsageError(
            "The list names none of the clips",
            where=str(place),
            expected=ids[0] if ids else None,
            found="/".join(next(iter(listed))),
        )
    notes = []
    if len(words) < len(ids):
        left = [name for name in ids if name not in words]
        notes.append(f"{len(left)} clips are not in the list {place.name} and were left out ({', '.join(left[:3])}, …)")
    if len(words) < len(listed):
        notes.append(f"{len(listed) - len(words)} of {len(listed)} clips in the list {place.name} are not in this run")
    return [words.get(name, "") for name in ids], notes


def _word(word: str) -> str:
    if word.casefold() == TRAIN:
        return TRAIN
    return "" if word in _UNUSED else word


def _from_table(path: Path) -> dict[tuple[str, str, str], str]:
    rows = _rows(path)
    columns = set(rows[0])
    fold = next((name for name in ("fold", "split") if name in columns), None)
    if fold is None or not ("id" in columns or {"database", "subject", "clip"} <= columns):
        raise UsageError(
            "The list of folds lacks a column",
            where=str(path),
            expected="fold, and id or database, subject and clip",
            found=", ".join(sorted(columns)),
        )
    found: dict[tuple[str, str, str], str] = {}
    for row in rows:
        parts = row["id"].split("/", 2) if "id" in row else [row["database"], row["subject"], row["clip"]]
        if len(parts) != 3:
            raise UsageError("A clip is named database/subject/clip", where=str(path), found=row["id"])
        _put(found, clip_key(*parts), row[fold], path)
    return found


def _from_folder(folder: Path) -> dict[tuple[str, str, str], str]:
    files = sorted(folder.glob("test_fold_*.csv"))
    if not files:
        raise UsageError("The folder holds no list of folds", where=str(folder), expected="test_fold_1.csv, …")
    found: dict[tuple[str, str, str], str] = {}
    for file in files:
        number = re.findall(r"\d+", file.stem)[-1] if re.findall(r"\d+", file.stem) else file.stem
        for row in _rows(file):
            if not {"subject", "filename", "onset"} <= set(row):
                raise UsageError("The list lacks a column", where=str(file), expected="Subject, Filename, Onset")
            _put(
                found, clip_key("casme3a", row["subject"], f"{row['filename']}_{row['onset']}"), f"fold-{number}", file
            )
    return found


def _put(found: dict[tuple[str, str, str], str], key: tuple[str, str, str], word: str, path: Path) -> None:
    if found.setdefault(key, word) != word:
        raise UsageError(
            "A clip is in two folds of the list", where=f"{path}: {'/'.join(key)}", found=f"{found[key]} and {word}"
        )


def clip_key(database: str, subject: str, clip: str) -> tuple[str, str, str]:
    """Spell a clip so that padding and case do not matter; the subject as a person's number.

    Examples
    --------
    >>> clip_key("SAMM", "006", "006_1_2") == clip_key("samm", "6", "006_1_2")
    True
    """
    return database.strip().casefold(), person_of("", subject).removeprefix(":"), clip.strip().casefold()


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open_text(path, encoding="utf-8-sig", newline="") as file:
            rows = [
                {name.strip().casefold(): (cell or "").strip() for name, cell in row.items() if isinstance(name, str)}
                for row in csv.DictReader(lines_of(file, _LONGEST))
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"The list of folds cannot be read: {error}", where=str(path)) from error
    if not rows:
        raise UsageError("The list of folds is empty", where=str(path))
    return rows
