"""Landmarks that are known already: the user's own, or those that come with a database, from a CSV file.

One row a clip (of its onset frame) or an image: the column ``clip`` holds the clip's id, ``database/subject/clip``, or
the image's name; ``x_0, y_0, x_1, y_1, ...`` hold the points in pixels of the original frame, the centre of its first
pixel at (0, 0). OpenFace's blanks in front of column names are dropped. The number of points says what they are:
5 (eye centres, tip of the nose, mouth corners; image-left first), 68 (iBUG 300-W) or 478 (MediaPipe's mesh). A column
``score`` (0 to 1) may stand beside them; other columns are not read.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.errors import FaceError, UsageError
from merprep.faces.backends.base import DetectedFace, FaceBox, Image
from merprep.shelf import Codec, Shelf
from merprep.tables import walk_table

SCHEME = ""  # that of the file
_SCHEMES = {5: "five", 68: "ibug68", 478: "mesh478"}


# How many rows of the file are in memory at a time.
_AT_ONCE = 256

Known: TypeAlias = tuple[NDArray[np.float64], float]


def _known_as_plain(known: Known) -> list[Any]:
    points, score = known
    return [base64.b64encode(np.ascontiguousarray(points).tobytes()).decode(), score]


def _known_of_plain(values: list[Any]) -> Known:
    return np.frombuffer(base64.b64decode(values[0])).reshape(-1, 2).copy(), values[1]


_KNOWN: Codec[Known] = Codec(_known_as_plain, _known_of_plain)


def create(landmarks: str = "") -> PrecomputedBackend:
    """Read the file of landmarks.

    Raises
    ------
    UsageError
        Where no file is named, or it cannot be read or is no such table.
    """
    if not landmarks:
        raise UsageError(
            "The backend 'precomputed' reads landmarks from a file, and none is named",
            mend="give --landmarks FILE.csv (AlignConfig(backend='precomputed', landmarks=...))",
        )
    return PrecomputedBackend(Path(landmarks))


class PrecomputedBackend:
    """Landmarks out of a CSV file, kept on the disk: a hundred thousand meshes would fill the memory.

    Parameters
    ----------
    path : Path
    """

    name = "precomputed"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._faces: Shelf[Known] = Shelf(codec=_KNOWN)
        self.scheme = ""
        for table in _tables(path):
            points = _points(table, path)
            self.scheme = self.scheme or _scheme(points.shape[1], path)
            for name, place, score in zip(table["clip"].str.strip(), points, _scores(table, path), strict=True):
                if str(name) in self._faces:
                    raise UsageError("A clip has landmarks twice", where=f"{path}, {name}", mend="keep one row")
                self._faces[str(name)] = (place, float(score))

    def known(self, name: str) -> DetectedFace:
        """Return the face of a clip or image; its box is the extent of its points.

        Raises
        ------
        FaceError
            Where the file has no row for it, or one with gaps.
        """
        if name not in self._faces:
            raise FaceError("The file of landmarks has no row for this", where=f"{self._path}, {name}",
                            found=f"{len(self._faces)} others, such as {next(iter(self._faces), 'none')}")  # fmt: skip
        points, score = self._faces[name]
        if not np.isfinite(points).all():
            raise FaceError("A landmark has no number", where=f"{self._path}, {name}")
        low, high = points.min(axis=0), points.max(axis=0)
        box = FaceBox(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]), score)
        return DetectedFace(box, points, self.scheme, score)

    def find(self, image: Image, *, detail: int = 1) -> list[FaceBox]:
        """Return nothing: faces are known by name (`known`), not looked for."""
        del image, detail
        return []

    def mark(self, image: Image, box: FaceBox) -> DetectedFace | None:
        """Return None, as `find`."""
        del image, box
        return None


def _tables(path: Path) -> Iterator[pd.DataFrame]:
    """Yield the file in tables of some hundred rows, one or more."""
    rows = 0
    table = pd.DataFrame()
    try:
        for table in walk_table(path, _AT_ONCE, dtype={"clip": str, " clip": str}, encoding="utf-8-sig"):
            table.columns = [str(name).strip() for name in table.columns]
            if "clip" not in table or table.empty:
                break
            rows += len(table)
            yield table
    except (OSError, ValueError) as error:
        raise UsageError(f"The file of landmarks cannot be read: {error}", where=str(path)) from error
    if not rows:
        raise UsageError("The file of landmarks is no table of clips", where=str(path),
                         expected="columns clip, x_0, y_0, x_1, y_1, ... and a row for each clip",
                         found=f"{len(table)} rows, columns {', '.join(table.columns[:6])}")  # fmt: skip


def _points(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    count = sum(name.startswith("x_") and name[2:].isdigit() for name in table.columns)
    names = [f"{axis}_{number}" for number in range(count) for axis in "xy"]
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise UsageError("The file of landmarks lacks a column", where=str(path), expected=missing[0])
    return _numbers(table[names], path).reshape(len(table), count, 2)


def _scores(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    return _numbers(table["score"], path) if "score" in table else np.ones(len(table))


def _numbers(cells: pd.DataFrame | pd.Series[Any], path: Path) -> NDArray[np.float64]:
    try:
        return cells.to_numpy(np.float64)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"A landmark is no number: {error}", where=str(path)) from error


def _scheme(count: int, path: Path) -> str:
    if count not in _SCHEMES:
        raise UsageError("So many landmarks are of no known scheme", where=str(path),
                         expected="5, 68 or 478 points (x_0, y_0, ...)", found=f"{count} points")  # fmt: skip
    return _SCHEMES[count]
