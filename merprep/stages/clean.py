"""Clean: what a workspace holds beside its results, and what of it can go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from merprep.errors import MerprepError, UsageError
from merprep.stages.shards import read_record
from merprep.stages.writing import one_writer
from merprep.store.aligned import open_aligned
from merprep.store.features import open_features
from merprep.store.whole import is_abandoned
from merprep.store.workspace import Workspace

KINDS = ("temporaries", "parts", "shards", "aligned", "weights")
# What can go without anything being lost but the time of a run that was stopped.
UNASKED = ("temporaries", "parts", "shards")
_RESULTS = ("features", "runs", "figures", "reports", "spotted")


@dataclass(frozen=True)
class Held:
    """A file or folder, and what it is.

    Attributes
    ----------
    kind : str
        One of `KINDS`, or ``kept``: a result, or something that is needed.
    why : str
        What it is good for, or why it is not.
    size : int
        Bytes.
    freed : bool
    """

    kind: str
    path: Path
    why: str
    size: int
    freed: bool = False


@one_writer
def clean(workspace: Workspace, kinds: Collection[str] = (), *, weights: Path | None = None) -> list[Held]:
    """List what a workspace holds, and remove what is of the `kinds` named.

    Manifest, features, runs, figures and reports are results: they are listed with their sizes and never removed.

    Parameters
    ----------
    workspace : Workspace
    kinds : collection of str
        ``temporaries`` of runs that were killed; ``parts``, finished clips of runs that were not; ``shards`` that are
        merged; ``aligned``, files of aligned faces that no feature file was made from; ``weights`` that can be
        fetched again. None: nothing is removed.
    weights : Path, optional
        Their folder; None is the cache of this machine.

    Returns
    -------
    list of Held

    Raises
    ------
    UsageError
        Where there is no such kind.
    StoreError
        Where a run is writing to the workspace.

    Examples
    --------
    >>> import tempfile
    >>> clean(Workspace(tempfile.mkdtemp()), weights=Path(tempfile.mkdtemp()))
    []
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise UsageError("There is nothing of that kind to clean", expected=", ".join(KINDS), found=", ".join(unknown))
    if weights is None:
        from merprep.weights.fetching import cache_folder

        weights = cache_folder()
    found = [*_temporaries(workspace), *_parts(workspace), *_shards(workspace), *_aligned(workspace)]
    found += [*_results(workspace), *_weights(weights)]
    return [_freed(held) if held.kind in kinds else held for held in found]


def _freed(held: Held) -> Held:
    try:
        if held.path.is_dir() and not held.path.is_symlink():
            shutil.rmtree(held.path)
        else:
            held.path.unlink()
    except OSError as error:
        return Held("kept", held.path, f"cannot be removed: {error.strerror or error}", held.size)
    return Held(held.kind, held.path, held.why, held.size, freed=True)


def _temporaries(workspace: Workspace) -> Iterator[Held]:
    for place in [workspace, *(Workspace(folder) for folder in _shard_folders(workspace))]:
        for folder in place.written_folders():
            for path in sorted(folder.glob(".merprep-*")):
                if is_abandoned(path):
                    yield Held("temporaries", path, "left by a run that was killed", _size(path))


def _parts(workspace: Workspace) -> Iterator[Held]:
    for room in ("aligned", "features", "spotted"):
        for path in sorted((workspace.folder / room).glob("*.parts")):
            yield Held(
                "parts", path, "finished clips of a run that was stopped; it would go on from there", _size(path)
            )


def _shard_folders(workspace: Workspace) -> list[Path]:
    return sorted(path for path in (workspace.folder / "shards").glob("*-of-*") if path.is_dir())


def _shards(workspace: Workspace) -> Iterator[Held]:
    for folder in _shard_folders(workspace):
        try:
            names = read_record(folder).finished
        except MerprepError:
            names = ()
        merged = bool(names) and all((workspace.folder / name).is_file() for name in names)
        why = "merged; kept only so that the shard need not be made again" if merged else "a shard that is not merged"
        yield Held("shards" if merged else "kept", folder, why, _size(folder))


def _aligned(workspace: Workspace) -> Iterator[Held]:
    needed = _made_from(workspace)
    for path in workspace.aligned_files():
        try:
            with open_aligned(path) as file:
                used = file.config_id in needed
        except MerprepError:
            used = False
        why = "features were made from it; needed to change their settings" if used else "no features were made from it"
        yield Held("kept" if used else "aligned", path, why, _size(path))


def _made_from(workspace: Workspace) -> set[str]:
    """Return the configurations of aligned faces that feature files were made from."""
    needed = set()
    for path in workspace.feature_files():
        try:
            with open_features(path) as file:
                needed.add(file.inputs.get("aligned", ""))
        except MerprepError:
            continue
    return needed


def _results(workspace: Workspace) -> Iterator[Held]:
    for name in _RESULTS:
        folder = workspace.folder / name
        paths = [path for path in sorted(folder.glob("*")) if path.suffix != ".parts" and path.name[0] != "."]
        if paths:
            yield Held("kept", folder, f"results: {len(paths)}", sum(map(_size, paths)))


def _weights(folder: Path) -> Iterator[Held]:
    for path in sorted(folder.glob("*")):
        if path.is_file():
            yield Held(
                "weights", path, "fetched again when it is needed; of all workspaces of this machine", _size(path)
            )


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all in a folder; links are not followed."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        with os.scandir(path) as entries:
            return sum(_size(Path(entry.path)) for entry in entries)
    except OSError:
        return 0
