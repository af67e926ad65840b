"""One fold: who trains, who is tested, and what came out, as a file that is whole or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.config import short_hash
from merprep.errors import TrainingError
from merprep.evaluation import NamedFold, Roster, Split, Splitter, copy_digests, split_by
from merprep.ordinary import json_of
from merprep.store.workspace import safe_name, written_whole

Fold = NamedFold

_SEAL = "seal"
# What differs from run to run by its nature: the same result has the same seal.
_UNSEALED = (_SEAL, "seconds")


@dataclass(frozen=True)
class Predictions:
    """What a network said of the test clips after one epoch (counted from 1; 0 for baselines)."""

    epoch: int
    probabilities: list[list[float]]

    @property
    def classes(self) -> list[int]:
        """The most probable class of each clip; the lower number where two tie."""
        return [int(np.argmax(row)) for row in self.probabilities]


@dataclass(frozen=True)
class FoldResult:
    """The outcome of one fold and seed.

    `honest` never saw the test side; `optimistic` was chosen on it (None for baselines). `digest` stands for
    everything that the result depends on, so that a changed setting or clip is trained anew. `notes` are what a reader
    of the score must know of this fold.
    """

    fold: str
    seed: int
    digest: str
    clips: list[str]
    truth: list[int]
    honest: Predictions
    optimistic: Predictions | None = None
    loss: float | None = None
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write the result, whole or not at all, under a seal by which a flipped bit is noticed."""
        values = asdict(self)
        text = json.dumps({**values, _SEAL: _seal(values)}, ensure_ascii=False)
        with written_whole(fold_path(folder, self.fold, self.seed)) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def fold_path(folder: Path, fold: str, seed: int) -> Path:
    """Return where the result of a fold and seed stands.

    Examples
    --------
    >>> fold_path(Path("folds"), "casme2:1", 0).as_posix()
    'folds/casme2_1-seed0.json'
    """
    return folder / f"{safe_name(fold)}-seed{seed}.json"


def load_fold(folder: Path, fold: str, seed: int, digest: str) -> FoldResult | None:
    """Return a finished fold, or None where it is not there, damaged, or made from something else."""
    try:
        values: dict[str, Any] = json_of(fold_path(folder, fold, seed))
        # Files of earlier versions have no seal.
        whole = values.pop(_SEAL, None) in (None, _seal(values))
        if not whole or values["digest"] != digest or values["fold"] != fold:
            return None
        optimistic = values.pop("optimistic")
        honest = Predictions(**values.pop("honest"))
        found = FoldResult(honest=honest, optimistic=Predictions(**optimistic) if optimistic else None, **values)
        return found if _is_whole(found) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _seal(values: dict[str, Any]) -> str:
    sealed = {name: value for name, value in values.items() if name not in _UNSEALED}
    return short_hash(json.dumps(sealed, sort_keys=True), 32)


def _is_whole(result: FoldResult) -> bool:
    """Whether every clip has a truth and a row of numbers."""
    told = [result.honest, *([result.optimistic] if result.optimistic else [])]
    rows = [np.asarray(part.probabilities, dtype=object) for part in told]
    counts = {len(result.clips), len(result.truth), *(len(part) for part in rows)}
    return len(counts) == 1 and all(part.ndim == 2 and np.isfinite(part.astype(float)).all() for part in rows)


def split_of(
    protocol: str | Splitter,
    roster: Roster,
    images: NDArray[Any] | None = None,
    fitted_on: Sequence[str] = (),
    labels: NDArray[np.int64] | None = None,
) -> Split:
    """Split clips by a protocol, refusing every leak; databases may be written in any usual spelling.

    Parameters
    ----------
    protocol : str or splitter
        See `merprep.evaluation.PROTOCOLS`; or a splitter as scikit-learn's.
    roster : Roster
        Who is in which clip.
    images : (N, ...) float32 or uint8, optional
        The clips' inputs: the same input on both sides is a leak, whatever its name.
    fitted_on : sequence of str
        Ids of the clips that a normalisation was fitted on.
    labels : (N,) int64, optional
        For splitters that look at them.

    Raises
    ------
    UsageError
        Where there is no such protocol, or it cannot be followed with these clips.
    LeakError
        Where anything of a test side reaches its training side.
    """
    digests = None if images is None else copy_digests(images)
    return split_by(protocol, roster, labels=labels, digests=digests, fitted_on=fitted_on, resolve=_database)


def _database(name: str) -> str:
    from merprep.databases import spec

    return spec(name).id


def folds_of(protocol: str, persons: Sequence[str]) -> list[Fold]:
    """Split the clips of `persons` (one entry a clip) by a protocol that needs to know no more than persons.

    Examples
    --------
    >>> [fold.name for fold in folds_of("loso", ["a:1", "a:2", "a:1"])]
    ['a:1', 'a:2']
    """
    count = len(persons)
    ids = tuple(f"clip {number}" for number in range(count))
    return list(split_of(protocol, Roster(ids, tuple(persons), ("",) * count, ("",) * count, ("",) * count)).folds)


def seed_of(seed: int, fold: str) -> int:
    """Return the number that seeds everything random in one fold: it depends on nothing but seed and fold.

    Examples
    --------
    >>> seed_of(0, "casme2:1") != seed_of(0, "casme2:2") != seed_of(1, "casme2:2")
    True
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{fold}".encode()).digest()[:7], "big")


def member_seeds(seed: int, fold: str, members: int) -> list[int]:
    """Return what seeds each network of a fold whose predictions are averaged; the first is that of a single one.

    Examples
    --------
    >>> member_seeds(0, "casme2:1", 3)[0] == seed_of(0, "casme2:1")
    True
    """
    return [seed_of(seed, fold if member == 0 else f"{fold}/member {member}") for member in range(members)]


def rare_class_notes(folds: Sequence[Fold], labels: NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    """Say which classes are missing from training sides; raise where a side has one class only.

    Raises
    ------
    TrainingError
        Where the training side of a fold holds fewer than two classes, so that there is nothing to tell apart.
    """
    for fold in folds:
        check_classes(labels[fold.train], classes, fold.name)
    sides = [(fold.name, fold.train) for fold in folds]
    notes = missing_class_notes(sides, labels, classes, "on the training side of")
    if notes:
        notes.append(
            "classes without a training clip cannot be learnt and are not said there: ingest more subjects, or choose "
            "a scheme without them (`merprep labels`)"
        )
    return notes


def check_classes(labels: NDArray[np.int64], classes: Sequence[str], fold: str) -> None:
    """Raise where the labels of a training side are all the same.

    Raises
    ------
    TrainingError
    """
    present = sorted(set(labels.tolist()))
    if len(present) < 2:
        raise TrainingError(
            "The training side of a fold holds one class only",
            where=f"fold {fold}",
            found=", ".join(classes[number] for number in present),
            mend="ingest more subjects, or choose a scheme with other classes (`merprep labels`)",
        )


def missing_class_notes(
    sides: Sequence[tuple[str, NDArray[np.int64]]], labels: NDArray[np.int64], classes: Sequence[str], place: str
) -> list[str]:
    """Say which classes have no clip on a side of which folds.

    Parameters
    ----------
    sides : sequence of (str, (N,) int64)
        A fold's name, and the places of the side's clips.
    place : str
        What the side is, in words that a number of folds can follow.

    Examples
    --------
    >>> sides = [("a:1", np.array([0, 1])), ("a:2", np.array([1]))]
    >>> missing_class_notes(sides, np.array([0, 1]), ("happy", "sad"), "on the training side of")
    ["class 'happy' has no clip on the training side of 1 of 2 folds (a:2)"]
    """
    missing: dict[str, list[str]] = {}
    for fold, side in sides:
        for number in sorted(set(range(len(classes))) - set(labels[side].tolist())):
            missing.setdefault(classes[number], []).append(fold)
    return [
        f"class {name!r} has no clip {place} {len(where)} of {len(sides)} folds ({', '.join(where[:3])}"
        + (", ...)" if len(where) > 3 else ")")
        for name, where in missing.items()
    ]
