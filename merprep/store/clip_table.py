"""The rows of the clips inside an HDF5 file: one 1-D dataset a column under ``/clips``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import h5py
import numpy as np
import pandas as pd

from merprep.records import Clip

_INTEGERS = ("onset", "apex", "offset")
_TEXTS = (
    "id", "database", "subject", "clip", "person", "variant", "emotion", "action_units", "objective_class",
    "objective_source", "apex_source", "errata", "notes", "digest",
)  # fmt: skip
_ADDED = ("variant", "action_units", "objective_class", "objective_source", "errata", "notes", "digest", "fps")


def write_clip_table(file: h5py.File, clips: list[tuple[Clip, str]]) -> None:
    """Write clips, each with the digest of what it was made from; absent frame numbers are -1."""
    text = h5py.string_dtype("utf-8")
    group = file.create_group("clips")
    for name in _TEXTS:
        values = [digest if name == "digest" else _text(getattr(clip, name)) for clip, digest in clips]
        group.create_dataset(name, data=np.array(values, dtype=object), dtype=text, track_times=False)
    for name in _INTEGERS:
        numbers = [_number(clip, name) for clip, _ in clips]
        group.create_dataset(name, data=np.array(numbers, dtype="i8"), track_times=False)
    rates = [np.nan if clip.fps is None else clip.fps for clip, _ in clips]
    group.create_dataset("fps", data=np.array(rates, dtype="f8"), track_times=False)


def _text(value: str | tuple[str, ...]) -> str:
    return "; ".join(value) if isinstance(value, tuple) else value


def read_clip_table(file: h5py.File) -> pd.DataFrame:
    """Read what `write_clip_table` wrote; absent frame numbers are ``<NA>``."""
    group = file["clips"]
    count = len(group["id"])
    # Files from before versions may lack what was added since.
    older = int(file.attrs.get("schema_version", 0)) < 1
    lacking = [name for name in _ADDED if older and name not in group]
    table: dict[str, Any] = {
        name: [""] * count if name in lacking else group[name].asstr()[:].tolist() for name in _TEXTS
    }
    for name in _INTEGERS:
        values = group[name][:]
        table[name] = pd.array(np.where(values < 0, 0, values), dtype="Int64")
        table[name][values < 0] = pd.NA
    table["fps"] = np.full(count, np.nan) if "fps" in lacking else group["fps"][:]
    return pd.DataFrame(table)


def table_says(file: h5py.File, clips: Sequence[Clip]) -> bool:
    """Whether the rows are those of `clips` (without their frames), in that order; one column is held at a time."""
    group = file["clips"]
    if len(group["id"]) != len(clips):
        return False
    for name in _TEXTS:
        if name != "digest" and group[name].asstr()[:].tolist() != [_text(getattr(clip, name)) for clip in clips]:
            return False
    for name in _INTEGERS:
        if group[name][:].tolist() != [_number(clip, name) for clip in clips]:
            return False
    rates = np.array([np.nan if clip.fps is None else clip.fps for clip in clips])
    return bool(np.array_equal(group["fps"][:], rates, equal_nan=True))


def _number(clip: Clip, name: str) -> int:
    value = getattr(clip, name)
    return -1 if value is None else int(value)


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
