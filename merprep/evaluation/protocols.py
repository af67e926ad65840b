"""Protocols by name (``loso``, ``kfold-5``, ``hold-out:samm``): lists of folds, checked, with what they left out."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.config import canonical_json
from merprep.errors import UsageError
from merprep.evaluation.database_splitters import DatabaseFold, HoldOutDatabase, LeaveOneDatabaseOut
from merprep.evaluation.guard import Guard
from merprep.evaluation.listed_splits import (
    TRAIN,
    ListedSplit,
    SampleWiseKFold,
    SubjectDependentWarning,
    clip_key,
    read_list,
)
from merprep.evaluation.splitters import LeaveOneSubjectOut, Splitter, SubjectKFold

# What a copy's notes say of the clip that it was made from.
COPY_OF = "copy of "
SUBJECT_DEPENDENT = (
    "SUBJECT-DEPENDENT split: the same people are on both sides, so these scores say nothing about people not seen in "
    "training; for reproducing published sample-wise folds only"
)
_DFME = ("test-a", "test-b")


class ClipLike(Protocol):
    """What a protocol needs to know of a clip; `merprep.records.Clip` is one."""

    @property
    def id(self) -> str:
        """``database/subject/clip``."""

    @property
    def person(self) -> str:
        """Who is in it."""

    @property
    def database(self) -> str:
        """Where it is from."""

    @property
    def variant(self) -> str:
        """The part of its database."""

    @property
    def notes(self) -> tuple[str, ...]:
        """``copy of <id>`` for copies."""


@dataclass(frozen=True)
class Roster:
    """Who is in which clip: one entry a clip in every list; `sources` is empty for originals.

    Examples
    --------
    >>> Roster(("samm/6/a",), ("samm:6",), ("samm",), ("",), ("",)).persons
    ('samm:6',)
    """

    ids: tuple[str, ...]
    persons: tuple[str, ...]
    databases: tuple[str, ...]
    parts: tuple[str, ...]
    sources: tuple[str, ...]

    @classmethod
    def of(cls, clips: Iterable[ClipLike]) -> Roster:
        """Read it off clips; a copy names its source in its notes, ``copy of database/subject/clip``."""
        rows = list(clips)
        known = {_spelt(clip.id): clip.id for clip in rows}
        return cls(
            tuple(clip.id for clip in rows),
            tuple(clip.person for clip in rows),
            tuple(clip.database for clip in rows),
            tuple(clip.variant for clip in rows),
            tuple(known.get(_spelt(source), source) for source in map(_source, rows)),
        )


@dataclass(frozen=True)
class NamedFold:
    """The two sides of a split, as positions among the clips.

    `name` is the held-out person or database, or the number or name of the fold.
    """

    name: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The folds of a protocol.

    Attributes
    ----------
    protocol : str
        As asked for, with the ids of databases; a path cut down to its file's name.
    folds : tuple of NamedFold
    notes : tuple of str
        What was left out and why.
    subject_dependent : bool
        People are on both sides, on purpose; every output has to say so (`SUBJECT_DEPENDENT`).
    digest : str
        Of the clips on each side of each fold.
    """

    protocol: str
    folds: tuple[NamedFold, ...]
    notes: tuple[str, ...] = ()
    subject_dependent: bool = False
    digest: str = ""


def split_by(
    protocol: str | Splitter,
    roster: Roster,
    *,
    labels: ArrayLike | None = None,
    digests: Sequence[str] | None = None,
    fitted_on: Sequence[str] = (),
    resolve: Callable[[str], str] = str,
) -> Split:
    """Split clips by a protocol, and check every fold for leaks.

    Parameters
    ----------
    protocol : str or splitter
        See `PROTOCOLS`; or a splitter as scikit-learn's, whose ``split(X, y, groups)`` is given the persons as groups.
    roster : Roster
    labels : (N,) int, optional
        The class of each clip, for splitters that look at it.
    digests : (N,) str, optional
        Of each clip's input, as for `merprep.evaluation.check_split`.
    fitted_on : sequence of str
        Ids of the clips whose statistics normalised the inputs.
    resolve : callable
        From a database as a person writes it to its id.

    Raises
    ------
    UsageError
        Where there is no such protocol, or it cannot be followed with these clips.
    LeakError
        Where anything of a test side reaches its training side.

    Examples
    --------
    >>> roster = Roster(("a/1/x", "b/1/x"), ("a:1", "b:1"), ("a", "b"), ("", ""), ("", ""))
    >>> [fold.name for fold in split_by("hold-out:b", roster).folds]
    ['b']
    """
    split = _named(protocol, roster, resolve) if isinstance(protocol, str) else _own(protocol, roster, labels)
    guard = Guard(
        roster.persons,
        ids=roster.ids,
        sources=roster.sources,
        digests=digests,
        fitted_on=fitted_on,
        subject_dependent=split.subject_dependent,
    )
    for fold in split.folds:
        guard.check(fold.train, fold.test, fold=f"fold {fold.name}")
    notes = (SUBJECT_DEPENDENT, *split.notes) if split.subject_dependent else split.notes
    return replace(split, notes=notes, digest=_digest(split.folds, roster))


PROTOCOLS: dict[str, str] = {
    "loso": "leave one person out, whatever databases that person is in",
    "kfold-N": "N folds of whole persons; kfold is kfold-5",
    "hde": "hold out one database after the other, train on the others; also leave-one-database-out",
    "hold-out:TEST[+TEST][:TRAIN[+TRAIN]]": "test on some databases, train on the others or on those named",
    "dfme-official[:test-a|:test-b]": "DFME: train on its train part, test on its test parts",
    "split-file:FILE": "a CSV with id (database/subject/clip) and fold (a name, or train); persons are checked",
    "samplewise-N": "N folds over clips, people on both sides: to reproduce such results only, every output stamped",
    "samplewise-file:PATH": "such folds from a CSV, or a folder of test_fold_N.csv of CAS(ME)^3; every output stamped",
}


def _named(protocol: str, roster: Roster, resolve: Callable[[str], str]) -> Split:
    written, _, argument = protocol.partition(":")
    name = written.strip().lower()
    return _BY_NAME[name](argument, roster, resolve) if name in _BY_NAME else _numbered(protocol.lower(), roster)


def _own(splitter: Splitter, roster: Roster, labels: ArrayLike | None) -> Split:
    """Split by somebody else's splitter, which may leave clips untested but tests none twice."""
    name, count = type(splitter).__name__, len(roster.ids)
    if not hasattr(splitter, "split"):
        raise UsageError(
            "A protocol is a name, or a splitter with a method split", found=name, expected=", ".join(PROTOCOLS)
        )
    try:
        folds = _folds(splitter, roster, labels)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The splitter {name} cannot split these clips: {error}", found=f"{count} clips") from error
    if not folds or any(not len(side) for fold in folds for side in (fold.train, fold.test)):
        raise UsageError(f"The splitter {name} leaves a side of a fold empty", found=f"{len(folds)} folds")
    tested = np.concatenate([fold.test for fold in folds])
    if len(np.unique(tested)) < len(tested):
        raise UsageError(
            f"The splitter {name} tests clips in more than one fold, and they would count more than once",
            found=f"{len(tested)} tests of {len(np.unique(tested))} clips",
            mend="take a splitter that tests each clip once, or score its folds in a loop of your own",
        )
    left = count - len(tested)
    notes = [f"{left} of {count} clips are tested in no fold of {name}"] if left else []
    return Split(name, folds, tuple(notes), bool(getattr(splitter, "subject_dependent", False)))


def _loso(argument: str, roster: Roster, resolve: Callable[[str], str]) -> Split:
    del resolve
    _no_argument("loso", argument)
    folds = _folds(LeaveOneSubjectOut(), roster)
    return Split("loso", tuple(replace(fold, name=roster.persons[int(fold.test[0])]) for fold in folds))


def _numbered(protocol: str, roster: Roster) -> Split:
    name, _, number = protocol.partition("-")
    if name not in ("kfold", "samplewise") or (number and not number.isdigit()):
        raise UsageError("There is no such protocol", found=protocol, expected="one of " + ", ".join(PROTOCOLS))
    count = int(number or 5)
    if name == "kfold":
        return Split(protocol, _folds(SubjectKFold(count), roster))
    return Split(protocol, _folds(SampleWiseKFold(count), roster), subject_dependent=True)


def _leave_one_database_out(argument: str, roster: Roster, resolve: Callable[[str], str]) -> Split:
    del resolve
    _no_argument("hde", argument)
    return _over_databases("hde", LeaveOneDatabaseOut(roster.databases), roster)


def _hold_out(argument: str, roster: Roster, resolve: Callable[[str], str]) -> Split:
    test, _, train = argument.partition(":")
    if not test:
        raise UsageError("hold-out needs the database to test on", expected="hold-out:DATABASE", found="hold-out")
    tested, trained = ([resolve(name.strip()) for name in part.split("+")] if part else [] for part in (test, train))
    protocol = "hold-out:" + "+".join(tested) + (":" + "+".join(trained) if trained else "")
    return _over_databases(protocol, HoldOutDatabase(roster.databases, tested, train=trained or None), roster)


def _over_databases(protocol: str, splitter: HoldOutDatabase | LeaveOneDatabaseOut, roster: Roster) -> Split:
    found = splitter.folds(roster.ids, groups=roster.persons)
    notes = [note for fold in found if (note := _dropped(fold, roster))]
    used = {int(row) for fold in found for side in (fold.train, fold.test, fold.dropped) for row in side}
    unused = [name for row, name in enumerate(roster.databases) if row not in used]
    if unused:
        names = ", ".join(dict.fromkeys(unused))
        notes.append(f"{len(unused)} clips of {names} were neither trained on nor tested")
    return Split(protocol, tuple(NamedFold(fold.name, fold.train, fold.test) for fold in found), tuple(notes))


def _dropped(fold: DatabaseFold, roster: Roster) -> str:
    if not fold.dropped.size:
        return ""
    persons = {roster.persons[row] for row in fold.dropped}
    databases = ", ".join(dict.fromkeys(roster.databases[row] for row in fold.dropped))
    return (
        f"test on {fold.name}: {fold.dropped.size} clips of {len(persons)} persons in {databases} were left out of "
        "training, as those persons are tested"
    )


def _dfme(argument: str, roster: Roster, resolve: Callable[[str], str]) -> Split:
    del resolve
    wanted = (argument,) if argument else _DFME
    if argument not in ("", *_DFME):
        raise UsageError("DFME has no such test part", found=argument, expected=" or ".join(_DFME))
    inside = [database == "dfme" for database in roster.databases]
    parts = [part if ours else "" for part, ours in zip(roster.parts, inside, strict=True)]
    unknown = sum(ours and part not in (TRAIN, *_DFME) for part, ours in zip(parts, inside, strict=True))
    present = [part for part in wanted if part in parts]
    if TRAIN not in parts or not present:
        raise UsageError(
            "The clips do not say which part of DFME they are from",
            expected="clips of dfme with the parts train, test-a and test-b",
            found=", ".join(sorted({part for part in parts if part})) or "none",
            mend="ingest DFME with its own tables, or name the split in a file: --protocol split-file:FILE",
        )
    # One fold: both test parts are predicted by the network that the train part trained.
    words = [TRAIN if part == TRAIN else "+".join(present) if part in present else "" for part in parts]
    notes = [f"{part}: {parts.count(part)} clips" for part in (TRAIN, *present)]
    notes += [f"{len(inside) - sum(inside)} clips of other databases were left out"] if not all(inside) else []
    notes += [f"{unknown} clips of dfme are of no part and were left out"] if unknown else []
    notes += [f"no clip is of the part {part}" for part in wanted if part not in present]
    protocol = "dfme-official" + (f":{argument}" if argument else "")
    return _listed(protocol, words, notes, roster, subject_dependent=False)


def _from_file(argument: str, roster: Roster, resolve: Callable[[str], str]) -> Split:
    del resolve
    words, notes = read_list(_path("split-file", argument), roster.ids)
    return _listed(f"split-file:{Path(argument).name}", words, notes, roster, subject_dependent=False)


def _sample_wise_from_file(argument: str, roster: Roster, resolve: Callable[[str], str]) -> Split:
    del resolve
    words, notes = read_list(_path("samplewise-file", argument), roster.ids)
    return _listed(f"samplewise-file:{Path(argument).name}", words, notes, roster, subject_dependent=True)


def _listed(
    protocol: str, words: Sequence[str], notes: Sequence[str], roster: Roster, *, subject_dependent: bool
) -> Split:
    splitter = ListedSplit(words, subject_dependent=subject_dependent)
    folds = [replace(fold, name=name) for fold, name in zip(_folds(splitter, roster), splitter.names, strict=True)]
    return Split(protocol, tuple(folds), tuple(notes), subject_dependent)


def _folds(splitter: Splitter, roster: Roster, labels: ArrayLike | None = None) -> tuple[NamedFold, ...]:
    with warnings.catch_warnings():
        # Told in the notes, which every output carries.
        warnings.simplefilter("ignore", SubjectDependentWarning)
        # Said by splitters that know no groups; if that matters here, the guard refuses.
        warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
        sides = [np.asarray(side) for pair in splitter.split(roster.ids, labels, roster.persons) for side in pair]
    pairs = zip(sides[::2], sides[1::2], strict=True)
    return tuple(NamedFold(f"fold-{number + 1}", train, test) for number, (train, test) in enumerate(pairs))


def _path(protocol: str, argument: str) -> Path:
    if not argument:
        raise UsageError(f"{protocol} needs a file", expected=f"{protocol}:PATH")
    return Path(argument)


def _no_argument(protocol: str, argument: str) -> None:
    if argument:
        raise UsageError(f"{protocol} takes nothing after a colon", found=argument)


def _source(clip: ClipLike) -> str:
    told = (note.strip() for note in clip.notes)
    return next((note[len(COPY_OF) :].strip() for note in told if note.casefold().startswith(COPY_OF)), "")


def _spelt(name: str) -> tuple[str, ...]:
    parts = name.split("/", 2)
    return clip_key(*parts) if len(parts) == 3 else (name,)


def _digest(folds: Sequence[NamedFold], roster: Roster) -> str:
    sides = [[fold.name, [[roster.ids[row] for row in side] for side in (fold.train, fold.test)]] for fold in folds]
    return hashlib.sha256(canonical_json(sides).encode()).hexdigest()[:16]


_BY_NAME: dict[str, Callable[[str, Roster, Callable[[str], str]], Split]] = {
    "loso": _loso,
    "leave-one-subject-out": _loso,
    "hde": _leave_one_database_out,
    "leave-one-database-out": _leave_one_database_out,
    "hold-out": _hold_out,
    "dfme-official": _dfme,
    "split-file": _from_file,
    "samplewise-file": _sample_wise_from_file,
}
