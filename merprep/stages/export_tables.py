"""Exports a feature file as CSV tables or as one NumPy archive, a block of clips at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.config import canonical_json
from merprep.plain import for_spreadsheet
from merprep.store import written_whole

if TYPE_CHECKING:
    from merprep.stages.exports import Labelled

# Clips read at once: some 10 MB at 28 by 28.
_BLOCK = 1024


def write_csv(labelled: Labelled, folder: Path) -> dict[str, str]:
    """Write ``clips.csv`` and ``features.csv`` into a folder; every clip stays.

    Returns
    -------
    dict of str to str
        Empty: no clip is left out.
    """
    with written_whole(folder / "clips.csv") as temporary:
        spreadsheet_table(labelled.table).to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    names = _column_names(labelled.file.channels, labelled.file.features.shape[-2:])
    ids = labelled.table["id"].tolist()
    with written_whole(folder / "features.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as text:
        text.write(",".join(["id", *names]) + "\n")
        for start, block in _blocks(labelled.file.features):
            flat = pd.DataFrame(block.reshape(len(block), -1))
            flat.insert(0, "id", ids[start : start + len(block)])
            # Nine digits bring every float32 back.
            flat.to_csv(text, header=False, index=False, lineterminator="\n", float_format="%.9g")
    return {}


def spreadsheet_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts no spreadsheet takes for formulas (see `merprep.plain.for_spreadsheet`)."""
    return table.map(lambda value: for_spreadsheet(value) if isinstance(value, str) else value)


def _column_names(channels: tuple[str, ...], size: tuple[int, int]) -> list[str]:
    height, width = size
    return [f"{name}_{row}_{column}" for name in channels for row in range(height) for column in range(width)]


def write_npz(labelled: Labelled, path: Path) -> dict[str, str]:
    """Write one ``.npz`` that ``numpy.load`` opens without pickle; every clip stays.

    Arrays: ``X`` (N, C, H, W) float32, ``y`` (N,) int64 with -1 where there is no label, ``groups`` (N,) the person of
    each clip, ``ids``, ``databases``, ``classes``, ``channels``, ``units``, ``regions_<set>`` (N, R, C, h, w) float32,
    ``landmarks`` (N, P, 2) float32 where the file has them, ``about`` (JSON: how the features were made).

    Returns
    -------
    dict of str to str
        Empty: no clip is left out.
    """
    file, table = labelled.file, labelled.table
    small: dict[str, NDArray[Any]] = {
        "y": table["label"].to_numpy("i8"),
        **{name: _texts(table[column]) for name, column in _TEXT_COLUMNS.items()},
        "classes": np.array(labelled.scheme.classes),
        "channels": np.array(file.channels),
        "units": np.array(file.units),
        "about": np.array(canonical_json({"scheme": labelled.scheme.name, "config": file.config})),
    }
    large = {"X": file.features, **{f"regions_{name}": data for name, data in file.regions.items()}}
    if file.landmarks is not None:
        large["landmarks"] = file.landmarks
    needed = sum(4 * data.size for data in large.values())
    with (
        written_whole(path, needed=needed) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, array in small.items():
            with _member(archive, name) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
        for name, data in large.items():
            with _member(archive, name) as stream:
                header = {"descr": "<f4", "fortran_order": False, "shape": data.shape}
                np.lib.format.write_array_header_1_0(stream, header)
                for _, block in _blocks(data):
                    stream.write(np.ascontiguousarray(block, "<f4").tobytes())
    return {}


_TEXT_COLUMNS = {"groups": "person", "ids": "id", "databases": "database"}


def _texts(column: pd.Series[str]) -> NDArray[np.str_]:
    return np.array(column.tolist(), dtype=np.str_)


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    # A fixed date: the same features give the same bytes.
    return archive.open(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True)


def _blocks(data: Any) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for start in range(0, len(data), _BLOCK):
        yield start, np.asarray(data[start : start + _BLOCK], np.float32)
