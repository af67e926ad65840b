"""Takes published features into the same kind of feature file that `merprep flow` writes."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.canonical import canonical_json, joined, short_hash_of
from merprep.errors import DatabaseError, ImageError, MerprepError, RootNotFoundError, SheetError
from merprep.features import ANATOMICAL, PUBLISHED, cut_anatomical, cut_published, fallback_points
from merprep.media.files import read_whole
from merprep.media.pictures import decoded, problem
from merprep.ordinary import sha256_of
from merprep.progress import Progress, Silent
from merprep.records import CLIP, OUTCOME, Clip, Outcome, StageReport, person_of
from merprep.shelf import Codec, Rows, Shelf, in_order
from merprep.stages.regions import region_sets
from merprep.stages.writing import one_writer
from merprep.store import ClipFeatures, FeatureHeader, Workspace, write_features
from merprep.store.accounts import keep_account
from merprep.store.manifest import sort_key
from merprep.tables import read_table, walk_table

MAPS_FOLDER = "STSNet_whole_norm_u_v_os"
CSV_NAME = "combined_3_class2_for_optical_flow.csv"
NORMALISATION = "per-image min-max to 0..255 (as published)"
_COLUMNS = ("dataset", "sub", "filename_o", "label")
# The label numbers of the released list (the same order as the scheme megc2019).
_EMOTIONS = {"0": "negative", "1": "positive", "2": "surprise"}
# An id begins with the database's name and has three parts.
_NAME, _SLASHES = re.compile(r"[A-Za-z0-9][\w.+-]*"), 2
_CHANNELS = ("u", "v", "strain")
_AT_ONCE = 1000  # rows of the list


@dataclass(frozen=True)
class _Row:
    """A row of the list, and the map that it names."""

    clip: Clip
    path: Path
    digest: str = ""


def _row_as_plain(row: _Row) -> list[Any]:
    return [CLIP.plain(row.clip), str(row.path), row.digest]


def _row_of_plain(values: list[Any]) -> _Row:
    return _Row(CLIP.record(values[0]), Path(values[1]), values[2])


_ROW: Codec[_Row] = Codec(_row_as_plain, _row_of_plain)


@one_writer
def import_htnet_features(
    workspace: Workspace, folder: str | Path, *, progress: Progress | None = None
) -> tuple[Path, StageReport]:
    """Read the maps that the HTNet authors released (28 by 28, 8 bit, R=u, G=v, B=strain) and their list of clips.

    Every row of the list and every map is accounted for: a row without a readable map fails, a map that no row
    names is reported as skipped. The maps carry no landmarks, so both region sets are cut around the published
    fallback points for every clip, and the file says so. Values stay as published, 0 to 255 as float32.

    Parameters
    ----------
    workspace : Workspace
    folder : path-like
        The folder that holds ``STSNet_whole_norm_u_v_os`` and the CSV, or the folder of maps itself.

    Returns
    -------
    (Path, StageReport)
        The feature file and the account.

    Raises
    ------
    RootNotFoundError
        Where the maps are not there; it names what was looked for.
    SheetError
        Where the list is missing or lacks columns.
    DatabaseError
        Where not one row of the list has a readable map.

    Examples
    --------
    >>> import_htnet_features(Workspace("study"), "htnet-features")  # doctest: +SKIP
    """
    began = time.perf_counter()
    progress = progress or Silent()
    maps_folder, csv_path = _find(Path(folder))
    rows, outcomes = _match(csv_path, maps_folder)
    progress.start("import htnet-features", len(rows))
    done = Rows(codec=_ROW)
    try:
        for row in rows:
            outcome, digest = _looked_at(row)
            outcomes.append(outcome)
            if digest:
                done.append(replace(row, digest=digest))
            progress.advance(failed=not digest)
    finally:
        progress.finish()
    path = _write(workspace, done, outcomes, csv_path)
    report = StageReport(
        "import htnet-features",
        outcomes,
        seconds=time.perf_counter() - began,
        outputs=(str(path),),
        next_step="merprep train --preset sanity",
    )
    return path, keep_account(workspace, report)


def _find(folder: Path) -> tuple[Path, Path]:
    """Return the folder of maps and the list, wherever of the two levels the user pointed."""
    candidates = [folder / MAPS_FOLDER, folder]
    maps_folder = next((path for path in candidates if any(True for _ in _pictures(path))), None)
    if maps_folder is None:
        raise RootNotFoundError(
            "The published maps were not found",
            where=str(folder),
            expected=" or ".join(f"{path.as_posix()}/*.png" for path in candidates),
            found=_contents(folder),
            mend=f"give the folder that holds {MAPS_FOLDER} and {CSV_NAME}",
        )
    return maps_folder, _find_csv([*dict.fromkeys([folder, maps_folder.parent, maps_folder])])


def _pictures(folder: Path) -> Iterator[str]:
    """Yield the names of the maps in a folder, which need not exist."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if fnmatch(entry.name, "*.png"))
    except OSError:
        return


def _find_csv(folders: list[Path]) -> Path:
    for folder in folders:
        if (folder / CSV_NAME).is_file():
            return folder / CSV_NAME
    others = [path for folder in folders for path in sorted(folder.glob("*.csv"))]
    fitting = [path for path in others if set(_COLUMNS) <= set(_header(path))]
    if len(fitting) == 1:
        return fitting[0]
    raise SheetError(
        "The list of the published maps was not found" if not fitting else "Several lists of maps were found",
        where=", ".join(str(folder) for folder in folders),
        expected=f"{CSV_NAME}, or one CSV with the columns {', '.join(_COLUMNS)}",
        found=", ".join(path.name for path in (fitting or others)) or "no CSV file",
        mend=f"put {CSV_NAME} beside {MAPS_FOLDER}",
    )


def _contents(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder" if not folder.exists() else "a file, not a folder"
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"


def _header(path: Path) -> list[str]:
    try:
        return _columns(path)
    except SheetError:
        return []


def _read_list(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield database, subject, name and label of each row."""
    missing = [name for name in _COLUMNS if name not in _columns(path)]
    if missing:
        raise SheetError(
            "The list lacks columns",
            where=str(path),
            expected=", ".join(missing),
            found=", ".join(_columns(path)),
            mend=f"use the released {CSV_NAME}",
        )
    try:
        # As text: 006 is a subject's name, not the number 6.
        for table in walk_table(path, _AT_ONCE, dtype=str, keep_default_na=False, encoding="utf-8-sig"):
            text = table[list(_COLUMNS)].fillna("").apply(lambda column: column.str.strip())
            yield from text.itertuples(index=False, name=None)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _columns(path: Path) -> list[str]:
    try:
        return [str(name) for name in read_table(path, nrows=0, encoding="utf-8-sig").columns]
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SheetError:
    return SheetError(f"The list cannot be read: {error}", where=str(path))


def _match(csv_path: Path, maps_folder: Path) -> tuple[Rows[_Row], Rows[Outcome]]:
    """Pair rows with maps; what has no partner becomes an outcome at once."""
    maps = Shelf((Path(name).stem.strip(), name) for name in in_order(_pictures(maps_folder), _utf8))
    rows, outcomes = Rows(codec=_ROW), Rows(codec=OUTCOME)
    seen, named = Shelf[None](), Shelf[None]()
    for line, (database, subject, name, label) in enumerate(_read_list(csv_path), start=2):
        key = f"{subject}_{name}"
        clip = _clip(database, subject, name, label)
        twice = clip.id in seen
        named[key] = seen[clip.id] = None
        problem = _problem(clip, label, twice=twice, has_map=key in maps, key=key)
        if problem:
            outcomes.append(Outcome(f"{clip.id} (row {line})" if twice else clip.id, "failed", problem))
        else:
            rows.append(_Row(clip, maps_folder / maps[key]))
    for key in in_order((key for key in maps if key not in named), _utf8):
        outcomes.append(Outcome(f"map {maps[key]}", "skipped", "no row of the list names this map"))
    return rows, outcomes


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _problem(clip: Clip, label: str, *, twice: bool, has_map: bool, key: str) -> str:
    if not (clip.database and clip.subject and clip.clip):
        return "the row has an empty cell"
    if not _NAME.fullmatch(clip.database) or clip.id.count("/") != _SLASHES:
        return "the row's names are none that a database gives"
    if twice:
        return "the list names this clip twice"
    if label not in _EMOTIONS:
        return f"unknown label {label!r} (expected 0, 1 or 2)"
    return "" if has_map else f"no map named '{key} .png'"


def _clip(database: str, subject: str, name: str, label: str) -> Clip:
    return Clip(
        database,
        subject,
        name,
        person=person_of(database, subject),
        emotion=_EMOTIONS.get(label, ""),
        notes=("imported map: onset and apex as its authors chose them",),
    )


def _looked_at(row: _Row) -> tuple[Outcome, str]:
    """Return what became of a row, and the digest of its map; the map itself is read again when it is written."""
    try:
        return Outcome(row.clip.id, "done"), _read_map(row.path)[1]
    except MerprepError as error:
        return Outcome(row.clip.id, "failed", error.what), ""


def _features(row: _Row) -> ClipFeatures:
    maps, digest = _read_map(row.path)
    if digest != row.digest:
        raise ImageError("The map changed while it was imported", where=str(row.path), mend="import again")
    points = fallback_points(maps.shape[-1])
    regions = {
        ANATOMICAL: cut_anatomical(maps, points, maps.shape[-1]),
        PUBLISHED: cut_published(maps, points),
    }
    return ClipFeatures(maps, regions, None, digest)


def _read_map(path: Path) -> tuple[NDArray[np.float32], str]:
    """Read one PNG as (u, v, strain), and the digest of its bytes."""
    data = read_whole(path, root=path.parent)
    if problem(data):
        raise ImageError(f"the map cannot be decoded: {problem(data)}", where=str(path))
    image = decoded(data, where=str(path))
    if image.dtype != np.uint8 or image.shape != (28, 28, 3):
        raise ImageError(f"the map is {image.shape} {image.dtype}, not 28 by 28 with three 8-bit channels")
    maps = np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1), np.float32)
    return maps, hashlib.sha256(data).hexdigest()[:16]


def _write(workspace: Workspace, done: Rows[_Row], outcomes: Sequence[Outcome], csv_path: Path) -> Path:
    if not done:
        first = next((outcome.reason for outcome in outcomes if outcome.state == "failed"), "the list has no rows")
        raise DatabaseError(
            "Not one row of the list has a readable map",
            where=str(csv_path),
            found=f"{len(outcomes)} problems, the first: {first}",
            mend="check that the list and the maps are of the same release",
        )
    digests = (canonical_json([row.clip.id, row.digest]) for row in done)
    config = {
        "kind": "htnet-features",
        "maps": MAPS_FOLDER,
        "list_sha256": sha256_of(csv_path),
        "maps_digest": short_hash_of(chain("[", joined(digests, ","), "]"), 16),
        "size": 28,
        "channels": list(_CHANNELS),
        "points": "published fallback points, for every clip",
    }
    header = FeatureHeader(
        channels=_CHANNELS,
        units=("level", "level", "level"),
        normalisation=NORMALISATION,
        config=config,
        inputs={"list": csv_path.name},
        region_sets=region_sets(28, points=str(config["points"])),
    )
    path = workspace.features_path("htnet-features", header.config_id)
    write_features(path, header, _in_order(done), len(done))
    return path


def _in_order(done: Rows[_Row]) -> Iterator[tuple[Clip, ClipFeatures]]:
    for row in in_order(done, lambda row: sort_key(row.clip), _ROW):
        yield row.clip, _features(row)
