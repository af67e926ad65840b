"""The rows of the clips inside an HDF5 file: one 1-D dataset a column under ``/clips``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import h5py
import numpy as np
import pandas as pd

from merprep.records import Clip
from merprep.shelf import Rows

_INTEGERS = ("onset", "apex", "offset")
_TEXTS = (
    "id", "database", "subject", "clip", "person", "variant", "emotion", "action_units", "objective_class",
    "objective_source", "apex_source", "errata", "notes", "digest",
)  # fmt: skip
_ADDED = ("variant", "action_units", "objective_class", "objective_source", "errata", "notes", "digest", "fps")
# How many rows are in memory while a table is written or walked along.
_AT_ONCE = 512


class TableRows:
    """The rows of a table that is still to be written, kept on the disk meanwhile."""

    def __init__(self) -> None:
        self._rows: Rows[list[Any]] = Rows()

    def add(self, clip: Clip, digest: str) -> None:
        """Add a clip, with the digest of what it was made from."""
        texts = [digest if name == "digest" else _text(getattr(clip, name)) for name in _TEXTS]
        self._rows.append([*texts, *(_number(clip, name) for name in _INTEGERS), _rate(clip)])

    def __len__(self) -> int:
        return len(self._rows)

    def write(self, file: h5py.File) -> None:
        """Write the table; absent frame numbers are -1."""
        types = {
            **dict.fromkeys(_TEXTS, h5py.string_dtype("utf-8")),
            **dict.fromkeys(_INTEGERS, np.dtype("i8")),
            "fps": np.dtype("f8"),
        }
        group = file.create_group("clips")
        columns = [
            group.create_dataset(name, (len(self),), dtype=kind, track_times=False) for name, kind in types.items()
        ]
        for start in range(0, len(self), _AT_ONCE):
            block = zip(*self._rows[start : start + _AT_ONCE], strict=True)
            for column, values in zip(columns, block, strict=True):
                column[start : start + len(values)] = np.array(values, dtype=column.dtype)


def _text(value: str | tuple[str, ...]) -> str:
    return "; ".join(value) if isinstance(value, tuple) else value


def read_clip_table(file: h5py.File) -> pd.DataFrame:
    """Read what `TableRows` wrote; absent frame numbers are ``<NA>``."""
    table: dict[str, Any] = {name: column_of(file, name)[:].tolist() for name in _TEXTS}
    for name in _INTEGERS:
        values = column_of(file, name)[:]
        table[name] = pd.array(np.where(values < 0, 0, values), dtype="Int64")
        table[name][values < 0] = pd.NA
    table["fps"] = column_of(file, "fps")[:]
    return pd.DataFrame(table)


def walk(file: h5py.File, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of some columns, row by row; a few hundred rows are in memory at a time.

    Texts are as they are stored, an absent frame number is -1 and an absent rate is NaN.
    """
    columns = [column_of(file, name) for name in names]
    for start in range(0, len(file["clips/id"]), _AT_ONCE):
        yield from zip(*(column[start : start + _AT_ONCE].tolist() for column in columns), strict=True)


def column_of(file: h5py.File, name: str) -> Any:
    """Return what the values of a column are sliced from, or one is taken from."""
    group = file["clips"]
    # Files from before versions may lack what was added since.
    if name in _ADDED and name not in group and int(file.attrs.get("schema_version", 0)) < 1:
        return np.full(len(group["id"]), np.nan if name == "fps" else "")
    return group[name].asstr() if name in _TEXTS else group[name]


def table_says(file: h5py.File, clips: Sequence[Clip]) -> bool:
    """Whether the rows are those of `clips` (without their frames), in that order."""
    if len(file["clips/id"]) != len(clips):
        return False
    names = [name for name in (*_TEXTS, *_INTEGERS, "fps") if name != "digest"]
    return all(_says(row, clip, names) for row, clip in zip(walk(file, names), clips, strict=True))


def _says(row: tuple[Any, ...], clip: Clip, names: Sequence[str]) -> bool:
    for name, value in zip(names, row, strict=True):
        if name in _TEXTS:
            same = value == _text(getattr(clip, name))
        elif name in _INTEGERS:
            same = value == _number(clip, name)
        else:
            same = value == _rate(clip) or (np.isnan(value) and np.isnan(_rate(clip)))
        if not same:
            return False
    return True


def _number(clip: Clip, name: str) -> int:
    value = getattr(clip, name)
    return -1 if value is None else int(value)


def _rate(clip: Clip) -> float:
    return float("nan") if clip.fps is None else float(clip.fps)


def records_of(table: pd.DataFrame) -> list[Clip]:
    """Turn the rows of a table into records (without their frames); equal texts are held once."""
    names = [item.name for item in fields(Clip) if item.name in table]
    shared: dict[str, str] = {}
    columns = [_values(table[name], name, shared) for name in names]
    return [Clip(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def _values(column: pd.Series[Any], name: str, shared: dict[str, str]) -> list[Any]:
    if name in _INTEGERS:
        return [None if missing else int(value) for value, missing in zip(column, column.isna(), strict=True)]
    if name == "fps":
        return [None if np.isnan(value) else float(value) for value in column]
    texts = [shared.setdefault(value, value) for value in column]
    if name in ("errata", "notes"):
        return [tuple(part for part in text.split("; ") if part) for text in texts]
    return texts
