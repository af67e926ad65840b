"""The manifest: one row a clip, as plain CSV, with a JSON sidecar that says where the rows came from."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from merprep.canonical import joined, short_hash_of
from merprep.errors import StoreError, UsageError
from merprep.ordinary import json_of, lines_of, open_text
from merprep.plain import for_spreadsheet, from_spreadsheet
from merprep.records import CLIP, Clip, FrameSet, Repeats
from merprep.shelf import Chosen, Rows, in_order
from merprep.store.checked import Sidecar, checked
from merprep.store.provenance import versions
from merprep.store.schema import checked_version
from merprep.store.workspace import Workspace, written_whole

SCHEMA_VERSION = 1

COLUMNS = (
    "id", "database", "subject", "clip", "person", "variant", "frames", "frame_numbers", "onset", "apex", "offset",
    "fps", "emotion", "action_units", "objective_class", "objective_source", "apex_source", "errata", "notes",
    "status", "reason",
)  # fmt: skip
# What an older table may lack, and what is meant then.
_ADDED = {
    "variant": "", "fps": "", "action_units": "", "objective_class": "", "objective_source": "",
    "apex_source": "none", "errata": "", "notes": "", "status": "ok", "reason": "",
}  # fmt: skip
_INTEGERS = ("onset", "apex", "offset")
_LISTS = ("errata", "notes")
_TEXTS = tuple(name for name in COLUMNS if name not in ("id", "frames", "frame_numbers", *_INTEGERS, "fps", *_LISTS))
_LIST_SEPARATOR = "; "
_END, _NUMBER, _WORD = b"\0\0", b"\1", b"\2"
_LONGEST_CELL = 1 << 24
_LARGEST_NUMBER = 1 << 53
_AT_ONCE = 1000  # names that a mistyped one is compared with


@dataclass(frozen=True)
class Manifest:
    """All clips of a workspace, and the sources that they were read from.

    Parameters
    ----------
    clips : sequence of Clip
        Sorted by database, subject and clip, numbers compared as numbers. Given as any iterable; kept on the disk
        (see `merprep.shelf`), so that a hundred thousand clips take no more memory than a thousand.
    sources : dict
        By database id: root folder, annotation file and its SHA-256, layout, errata policy, counts.

    Raises
    ------
    StoreError
        Where two clips have the same id.

    Examples
    --------
    >>> manifest = Manifest((Clip("samm", "006", "006_1_2", person="samm:6"),))
    >>> manifest.table()["person"].tolist()
    ['samm:6']
    """

    clips: Sequence[Clip] = ()
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    _places: _Places = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        repeats, places = Repeats(), _Places()

        def seen(clips: Iterable[Clip]) -> Iterator[Clip]:
            for clip in clips:
                repeats.add(clip.id)
                places.add(clip)
                yield clip

        rows = Rows(seen(self.clips), CLIP)
        object.__setattr__(self, "clips", rows)
        object.__setattr__(self, "_places", places)
        twice = repeats.among(clip.id for clip in rows)
        if twice:
            raise StoreError("Two clips of the manifest have the same id", where=", ".join(twice[:5]))

    @property
    def usable(self) -> Sequence[Clip]:
        """The clips that can be read at all."""
        return self._chosen(self._places.usable())

    def of_database(self, database: str) -> Sequence[Clip]:
        """Return the clips of one database."""
        return self._chosen(self._places.of_database(database))

    def _chosen(self, places: Sequence[int]) -> Chosen[Clip]:
        return cast("Rows[Clip]", self.clips).chosen(places)

    @property
    def databases(self) -> list[str]:
        """The ids of the databases that have clips, sorted."""
        return sorted(self._places.databases)

    def clip(self, clip_id: str) -> Clip:
        """Return one clip by its id, or by its name alone where that is unique.

        Raises
        ------
        UsageError
            Where there is no such clip, or several; the message names the nearest.
        """
        found = [clip for clip in self.clips if clip_id in (clip.id, clip.clip, f"{clip.subject}/{clip.clip}")]
        exact = [clip for clip in found if clip.id == clip_id] or found
        if len(exact) == 1:
            return exact[0]
        raise _no_such_clip(clip_id, exact, self.clips)

    def root_of(self, clip: Clip) -> Path:
        """Return the folder that a clip's frames are relative to.

        Raises
        ------
        StoreError
            Where the sidecar does not name it.
        """
        return self._root(clip.database)

    def roots(self) -> dict[str, Path]:
        """Return, by database, the folder that the frames of its clips are relative to, where any is usable.

        Raises
        ------
        StoreError
            Where the sidecar does not name one.
        """
        return {name: self._root(name) for name in self._places.databases_in_use()}

    def _root(self, database: str) -> Path:
        root = self.sources.get(database, {}).get("root")
        if not root:
            raise StoreError(
                "The manifest does not say where the frames of this database are",
                where=database,
                mend=f"run `merprep ingest {database} ROOT` again",
            )
        return Path(root)

    def replacing(self, database: str, clips: Iterable[Clip], source: dict[str, Any]) -> Manifest:
        """Return a manifest in which one database's rows and source are exchanged for new ones."""
        kept = (clip for clip in self.clips if clip.database != database)
        every = in_order(chain(kept, clips), sort_key, CLIP)
        return Manifest(cast("Sequence[Clip]", every), {**self.sources, database: source})

    def table(self) -> pd.DataFrame:
        """Return the rows as a data frame; absent frame numbers are ``<NA>``, lists are joined with ``; ``."""
        clips = list(self.clips)
        table = pd.DataFrame([_row_of(clip) for clip in clips], columns=list(COLUMNS))
        for name in _INTEGERS:
            table[name] = pd.array([getattr(clip, name) for clip in clips], dtype="Int64")
        table["fps"] = pd.array([clip.fps for clip in clips], dtype="Float64")
        return table

    def digest(self, clips: Iterable[Clip] | None = None) -> str:
        """Return 16 hexadecimal digits over the list of clips, see `digest_of`.

        Parameters
        ----------
        clips : iterable of Clip, optional
            None takes those that are usable.
        """
        return digest_of(self.usable if clips is None else clips)


class _Places:
    """What is asked of the rows as a whole, by place: which are usable, and which are of a database."""

    def __init__(self) -> None:
        self.databases: dict[str, int] = {}
        self._usable = bytearray()
        self._database = array("I")

    def add(self, clip: Clip) -> None:
        """Take the next row into account."""
        self._usable.append(clip.status == "ok")
        self._database.append(self.databases.setdefault(clip.database, len(self.databases)))

    def usable(self) -> Any:
        """Return the places of the rows that are not excluded."""
        return np.flatnonzero(np.array(self._usable, np.uint8))

    def databases_in_use(self) -> list[str]:
        """Return the databases that have usable rows, in the order of the rows."""
        used = set(np.unique(np.array(self._database, np.uint32)[self.usable()]).tolist())
        return [name for name, code in self.databases.items() if code in used]

    def of_database(self, name: str) -> Any:
        """Return the places of the rows of one database."""
        return np.flatnonzero(np.array(self._database, np.uint32) == self.databases.get(name, len(self.databases)))


def digest_of(clips: Iterable[Clip]) -> str:
    """Return 16 hexadecimal digits over a list of clips: equal for the same clips with the same frames.

    Only identity, onset, apex and offset count, so it does not depend on folders or machines, nor on the order.

    Examples
    --------
    >>> one, two = (Clip("samm", "006", name, person="samm:6") for name in ("006_1_2", "006_1_3"))
    >>> digest_of([one, two]) == digest_of([two, one])
    True
    """
    lines = (f"{clip.id} {clip.onset} {clip.apex} {clip.offset}" for clip in clips)
    return short_hash_of(joined(in_order(lines, _utf8), "\n"), 16)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def sort_key(clip: Clip) -> bytes:
    """Order clips by database, subject and clip, with runs of digits compared as numbers.

    Examples
    --------
    >>> names = ["EP10_1", "ep9_2", "EP9_1"]
    >>> clips = sorted((Clip("casme2", "sub01", name, person="casme2:1") for name in names), key=sort_key)
    >>> [clip.clip for clip in clips]
    ['EP9_1', 'ep9_2', 'EP10_1']
    """
    return _ordered(clip.database) + _natural(clip.subject) + _natural(clip.clip)


def _natural(text: str) -> bytes:
    """Return bytes in the order of texts: numbers before words, by their value; words whatever their case."""
    parts = re.findall(r"\d+|\D+", text)
    return b"".join(_number(part) if part.isdecimal() else _WORD + _ordered(part.lower()) for part in parts) + _END


def _number(digits: str) -> bytes:
    # Decimal digits of any script; more of them are a larger number, and 01 comes before 1.
    value = "".join(str(unicodedata.digit(digit)) for digit in digits).lstrip("0")
    return _NUMBER + len(value).to_bytes(4, "big") + value.encode() + _ordered(digits)


def _ordered(text: str) -> bytes:
    """Return bytes in the order of texts, of which none is the beginning of another."""
    return _utf8(text).replace(b"\0", b"\0\xff") + _END


def _no_such_clip(clip_id: str, found: Sequence[Clip], clips: Sequence[Clip]) -> UsageError:
    import difflib

    if found:
        return UsageError(
            f"The clip name {clip_id!r} is not unique",
            found=", ".join(clip.id for clip in found[:5]),
            mend="give the whole id, database/subject/clip",
        )
    near: list[str] = []
    for start in range(0, len(clips), _AT_ONCE):
        ids = [clip.id for clip in clips[start : start + _AT_ONCE]]
        near = difflib.get_close_matches(clip_id, near + ids, n=3, cutoff=0.3)
    return UsageError(
        f"The manifest has no clip {clip_id!r}",
        expected="an id such as " + (clips[0].id if clips else "casme2/sub01/EP02_01f"),
        mend=f"did you mean {', '.join(near)}?" if near else "`merprep ingest` first, then look into manifest.csv",
    )


def read_manifest(workspace: Workspace) -> Manifest:
    """Read the manifest of a workspace.

    Raises
    ------
    StoreError
        Where there is none, it is damaged, or a newer merprep wrote it.
    """
    if not workspace.manifest_path.is_file():
        raise StoreError(
            "The workspace has no manifest",
            where=str(workspace.manifest_path),
            mend="run `merprep ingest DATABASE ROOT` first, or point --workspace to where you did",
        )
    sidecar = _read_sidecar(workspace)
    older = int(sidecar["schema_version"] or 0) < SCHEMA_VERSION
    rows = _rows(workspace.manifest_path, older=older)
    clips = (_clip_of(row, line, workspace.manifest_path) for line, row in rows)
    return Manifest(cast("Sequence[Clip]", clips), sidecar.get("sources", {}))


def _rows(path: Path, *, older: bool) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows with their lines; a clip with many gaps has a longer cell than the csv module takes unasked."""
    before = csv.field_size_limit(_LONGEST_CELL)
    line = 1
    try:
        with open_text(path, newline="") as stream:
            reader = csv.DictReader(lines_of(stream, _LONGEST_CELL))
            _check_columns(reader.fieldnames or [], path, _ADDED if older else {})
            for line, row in enumerate(reader, start=2):
                yield line, {**_ADDED, **row} if older else row
    except (csv.Error, OSError, ValueError) as error:
        raise StoreError(
            f"The manifest cannot be read: {error}",
            where=f"{path}, line {line}",
            mend="restore the file, or run `merprep ingest` again",
        ) from error
    finally:
        csv.field_size_limit(before)


def _check_columns(names: Sequence[str], path: Path, dispensable: Mapping[str, str]) -> None:
    missing = [name for name in COLUMNS if name not in names and name not in dispensable]
    if missing:
        raise StoreError(
            "The manifest lacks columns",
            where=str(path),
            expected=", ".join(missing),
            found=", ".join(names),
            mend="restore the file, or run `merprep ingest` again",
        )


def read_manifest_or_empty(workspace: Workspace) -> Manifest:
    """Read the manifest, or return an empty one where none was written yet."""
    return read_manifest(workspace) if workspace.manifest_path.exists() else Manifest()


def recorded_digest(workspace: Workspace) -> str:
    """Return the digest of the list of usable clips as it was when the manifest was written.

    Raises
    ------
    StoreError
        Where there is no sidecar, or it is damaged.
    """
    return str(_read_sidecar(workspace).get("digest", ""))


def write_manifest(workspace: Workspace, manifest: Manifest) -> None:
    """Write the table and its sidecar, both whole or neither: both are on the disk before one gets its name."""
    sidecar = {
        "schema_version": SCHEMA_VERSION,
        "created_with": versions(),
        "digest": manifest.digest(),
        "sources": manifest.sources,
    }
    with written_whole(workspace.manifest_path) as table, written_whole(workspace.sidecar_path) as about:
        with table.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(_plain(_row_of(clip)) for clip in manifest.clips)
        about.write_text(json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_sidecar(workspace: Workspace) -> dict[str, Any]:
    path = workspace.sidecar_path
    try:
        sidecar = json_of(path)
        checked_version(sidecar["schema_version"], SCHEMA_VERSION, what="The manifest", where=path)
        return checked(sidecar, Sidecar)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            "The manifest's sidecar is missing or damaged",
            where=str(path),
            found=str(error),
            mend="restore it, or run `merprep ingest` again",
        ) from error


def _row_of(clip: Clip) -> dict[str, Any]:
    row: dict[str, Any] = {item.name: getattr(clip, item.name) for item in fields(clip)}
    row["id"] = clip.id
    row["frames"], row["frame_numbers"] = clip.frames.pattern, clip.frames.ranges()
    for name in _LISTS:
        row[name] = _LIST_SEPARATOR.join(row[name])
    for name in (*_INTEGERS, "fps"):
        row[name] = "" if row[name] is None else row[name]
    return row


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: for_spreadsheet(value) if isinstance(value, str) else value for name, value in row.items()}


def _clip_of(row: dict[str, str], line: int, path: Path) -> Clip:
    try:
        row = {name: from_spreadsheet(value) for name, value in row.items()}
        values: dict[str, Any] = {name: row[name] for name in _TEXTS}
        values["frames"] = FrameSet.parse(_below_root(row["frames"]), row["frame_numbers"])
        for name in _INTEGERS:
            values[name] = _frame_number(row[name]) if row[name] else None
        values["fps"] = float(row["fps"]) if row["fps"] else None
        for name in _LISTS:
            values[name] = tuple(part for part in row[name].split(_LIST_SEPARATOR) if part)
        return Clip(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(
            f"A row of the manifest cannot be read: {error}",
            where=f"{path}, line {line}",
            mend="restore the file, or run `merprep ingest` again",
        ) from error


def _frame_number(text: str) -> int:
    number = int(text)
    if not 0 <= number < _LARGEST_NUMBER:
        raise ValueError(f"{text[:40]} is no frame's number")
    return number


def _below_root(pattern: str) -> str:
    """Return the pattern of a clip's files, which may not lead out of the database's root."""
    parts = pattern.replace("\\", "/").split("/")
    if ".." in parts or parts[0].endswith(":") or (pattern and not parts[0]):
        raise ValueError(f"the frames {pattern!r} do not lie below the database's root")
    return pattern
