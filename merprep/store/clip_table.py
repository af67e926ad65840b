"""The rows of the clips inside an HDF5 file: one 1-D dataset a column under ``/clips``."""

from __future__ import annotations

from collections.abc import Mapping
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


def write_clip_table(file: h5py.File, clips: list[tuple[Clip, str]]) -> None:
    """Write clips, each with the digest of what it was made from; absent frame numbers are -1."""
    text = h5py.string_dtype("utf-8")
    group = file.create_group("clips")
    for name in _TEXTS:
        values = [digest if name == "digest" else _text(getattr(clip, name)) for clip, digest in clips]
        group.create_dataset(name, data=np.array(values, dtype=object), dtype=text, track_times=False)
    for name in _INTEGERS:
        numbers = [-1 if getattr(clip, name) is None else getattr(clip, name) for clip, _ in clips]
        group.create_dataset(name, data=np.array(numbers, dtype="i8"), track_times=False)
    rates = [np.nan if clip.fps is None else clip.fps for clip, _ in clips]
    group.create_dataset("fps", data=np.array(rates, dtype="f8"), track_times=False)


def _text(value: str | tuple[str, ...]) -> str:
    return "; ".join(value) if isinstance(value, tuple) else value


def read_clip_table(file: h5py.File) -> pd.DataFrame:
    """Read what `write_clip_table` wrote; absent frame numbers are ``<NA>``."""
    group = file["clips"]
    table: dict[str, Any] = {name: group[name].asstr()[:].tolist() for name in _TEXTS}
    for name in _INTEGERS:
        values = group[name][:]
        table[name] = pd.array(np.where(values < 0, 0, values), dtype="Int64")
        table[name][values < 0] = pd.NA
    table["fps"] = group["fps"][:]
    return pd.DataFrame(table)


def clip_of(row: Mapping[Any, Any]) -> Clip:
    """Turn a row of the table into a record (without its frames)."""
    values: dict[str, Any] = {item.name: row[item.name] for item in fields(Clip) if item.name in row}
    for name in _INTEGERS:
        values[name] = None if pd.isna(values[name]) else int(values[name])
    values["fps"] = None if np.isnan(row["fps"]) else float(row["fps"])
    for name in ("errata", "notes"):
        values[name] = tuple(part for part in values[name].split("; ") if part)
    return Clip(**values)
