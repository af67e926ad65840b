"""Sets of regions as data: windows of any number around the named points of a face, each set of one size.

A window is a rectangle with real-valued edges. Its map is the area average over a grid of cells of equal size, so a
cell that covers a third of a pixel weighs it by a third: nothing is interpolated, and a window that moves with the
face by any part of a pixel sees the same face. Where edges are snapped, they lie on the nearest edges of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from merprep.config import StageConfig
from merprep.errors import ConfigError, FlowError
from merprep.features.points import POINT_NAMES
from merprep.features.regions import ANATOMICAL
from merprep.manifest_data import load_table, manifest_folders, read_toml, table_names

Edges = Literal["exact", "snapped"]
_BASE = 28  # px; the size of the stored map that a table's cells are given for


class RegionBox(StageConfig):
    """One window.

    Parameters
    ----------
    name : str
    around : tuple of str
        Of `merprep.features.POINT_NAMES`; the window lies around their mean. None of them means the middle of the map.
    offset : (float, float)
        From there to the window's centre, (x, y), in the unit of its set.
    extent : (float, float)
        Width and height, in the unit of its set.
    """

    name: str = Field(min_length=1)
    around: tuple[str, ...] = ()
    offset: tuple[float, float] = (0.0, 0.0)
    extent: tuple[float, float]

    @field_validator("around")
    @classmethod
    def _known_points(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in POINT_NAMES]
        if unknown:
            raise ValueError(f"there is no point {unknown[0]!r}, only {', '.join(POINT_NAMES)}")
        return names

    @field_validator("extent")
    @classmethod
    def _has_extent(cls, extent: tuple[float, float]) -> tuple[float, float]:
        if not all(0 < side < np.inf for side in extent):
            raise ValueError("width and height must be above 0")
        return extent


class RegionTable(StageConfig):
    """A set of regions.

    Parameters
    ----------
    unit : {"eyes", "map"}
        What offsets and extents are parts of: the distance between the eyes of this face, or the side of the map.
    cells : (int, int)
        Height and width of each region's map where the whole map has 28 px; larger maps have more.
    regions : tuple of RegionBox
        In the order in which they are stored.
    grid : (int, int), optional
        Rows and columns of windows that divide the whole map, instead of `regions`.

    Examples
    --------
    >>> RegionTable(grid=(2, 2)).names
    ('row1_column1', 'row1_column2', 'row2_column1', 'row2_column2')
    """

    unit: Literal["eyes", "map"] = "eyes"
    cells: tuple[int, int] = (14, 14)
    regions: tuple[RegionBox, ...] = ()
    grid: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.grid is None) == (not self.regions):
            raise ValueError("a set has either regions or a grid")
        if min(*self.cells, *(self.grid or (1, 1))) < 1:
            raise ValueError("cells and grid must be 1 or more")
        names = [region.name for region in self.regions]
        if len(set(names)) < len(names):
            raise ValueError("a region is named twice")
        return self

    @property
    def boxes(self) -> tuple[RegionBox, ...]:
        """The windows, those of a grid included."""
        return self.regions if self.grid is None else _grid(*self.grid)

    @property
    def unit_in_use(self) -> Literal["eyes", "map"]:
        """What the windows are parts of; a grid always divides the map."""
        return self.unit if self.grid is None else "map"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the regions, in order."""
        return tuple(box.name for box in self.boxes)

    def shape(self, size: int) -> tuple[int, int]:
        """Return height and width of a region's map beside a whole map of `size` px."""
        height, width = (max(1, round(cells * size / _BASE)) for cells in self.cells)
        return height, width

    def geometry(self, size: int, *, points: str, edges: Edges) -> dict[str, Any]:
        """Describe how the set is cut, in plain values for the feature file."""
        return {
            "size": list(self.shape(size)),
            "points": points,
            "edges": edges,
            "window": "around the points, moved inside the map, then area averaged",
            "order": "y as row, x as column",
            "table": self.model_dump(mode="json"),
        }


def _grid(rows: int, columns: int) -> tuple[RegionBox, ...]:
    return tuple(
        RegionBox(
            name=f"row{row + 1}_column{column + 1}",
            offset=((column + 0.5) / columns - 0.5, (row + 0.5) / rows - 0.5),
            extent=(1 / columns, 1 / rows),
        )
        for row in range(rows)
        for column in range(columns)
    )


def region_table(name: str) -> RegionTable:
    """Return a set of regions by its name.

    Parameters
    ----------
    name : str
        Of a table in ``manifests/regions``, or in one's own folder (``MERPREP_MANIFESTS``).

    Raises
    ------
    UnknownNameError
        Where there is no such table.
    ConfigError
        Where it is not valid.

    Examples
    --------
    >>> region_table("five-with-nose").names
    ('image_left_eye', 'image_right_eye', 'nose', 'image_left_mouth', 'image_right_mouth')
    """
    table = {key: value for key, value in load_table("regions", name).items() if key != "description"}
    return RegionTable.read(table, where=f"manifests/regions/{name}.toml")


@cache
def anatomical_table() -> RegionTable:
    """Return the four regions that every feature file has.

    Always those that come with merprep, whatever one's own folder holds: they do not count for a configuration's id.

    Examples
    --------
    >>> anatomical_table().names
    ('image_left_eye', 'image_right_eye', 'image_left_mouth', 'image_right_mouth')
    """
    values = read_toml(manifest_folders()[-1] / "regions" / f"{ANATOMICAL}.toml")
    values.pop("description", None)
    return RegionTable.read(values, where=f"manifests/regions/{ANATOMICAL}.toml")


def region_tables() -> dict[str, str]:
    """Return the names of the region sets and what each is.

    Examples
    --------
    >>> "action-units" in region_tables()
    True
    """
    return {name: " ".join(str(load_table("regions", name).get("description", "")).split())
            for name in table_names("regions")}  # fmt: skip


def read_tables(given: Any) -> Any:
    """Turn names of region sets into tables by name; tables themselves stay as they are."""
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip()]
    if not isinstance(given, Sequence):
        return given
    if len(set(given)) < len(given):
        raise ConfigError("A region set is named twice", found=", ".join(map(str, given)))
    return {name: region_table(name) for name in given}


def region_boxes(
    table: RegionTable, points: NDArray[np.floating], shape: tuple[int, ...], *, edges: Edges = "exact"
) -> NDArray[np.float64]:
    """Return where a set's windows lie.

    Parameters
    ----------
    table : RegionTable
    points : (5, 2) float
        (x, y) in pixels of the map, in the order of `merprep.features.POINT_NAMES`; the centre of the first pixel is
        (0, 0).
    shape : (H, W, ...)
        Of the map.
    edges : {"exact", "snapped"}
        Snapped edges lie between pixels, at the nearest whole width.

    Returns
    -------
    (R, 4) float64
        left, top, right, bottom, in pixels from the map's upper left corner (half a pixel before the first centre).
        A window that would leave the map is moved inside, and cut where it is larger than the map.

    Raises
    ------
    FlowError
        Where these are not five points.

    Examples
    --------
    >>> points = np.array([(70, 80), (154, 80), (112, 120), (85, 165), (139, 165)])
    >>> region_boxes(region_table("anatomical"), points, (224, 224))[0].tolist()
    [14.5, 24.5, 126.5, 136.5]
    """
    found = np.asarray(points, np.float64)
    if found.shape != (len(POINT_NAMES), 2) or not np.isfinite(found).all():
        raise FlowError("Regions are cut around five points", expected="(5, 2) finite numbers", found=str(found.shape))
    lengths = np.array([shape[1], shape[0]], np.float64)
    unit = lengths if table.unit_in_use == "map" else np.full(2, np.linalg.norm(found[1] - found[0]))
    centres, extents = [], []
    for box in table.boxes:
        at = [POINT_NAMES.index(name) for name in box.around]
        middle = found[at].mean(axis=0) + 0.5 if at else lengths / 2
        centres.append(middle + np.multiply(box.offset, unit))
        extents.append(np.multiply(box.extent, unit))
    return _inside(np.array(centres), np.array(extents), lengths, snapped=edges == "snapped")


def _inside(
    centres: NDArray[np.float64], extents: NDArray[np.float64], lengths: NDArray[np.float64], *, snapped: bool
) -> NDArray[np.float64]:
    extents = np.clip(extents, 1e-6, lengths)
    if snapped:
        extents = np.clip(np.floor(extents + 0.5), 1, lengths)
    low = centres - extents / 2
    if snapped:  # floor(. + 1/2), not rint: rounding half to even would not commute with shifts of one pixel
        low = np.floor(low + 0.5)
    low = np.clip(low, 0, lengths - extents)
    return np.concatenate([low, low + extents], axis=1)


def cut_regions(
    maps: NDArray[np.float32],
    points: NDArray[np.floating],
    table: RegionTable,
    size: int,
    *,
    edges: Edges = "exact",
) -> NDArray[np.float32]:
    """Cut a set of regions out of one clip's maps.

    Parameters
    ----------
    maps : (C, H, W) float32
        At the working resolution.
    points : (5, 2) float
        As for `region_boxes`.
    table : RegionTable
    size : int
        Of the whole map that is stored beside the regions.
    edges : {"exact", "snapped"}

    Returns
    -------
    (R, C, h, w) float32

    Raises
    ------
    FlowError
        Where shapes do not fit.

    Examples
    --------
    >>> ramp = np.broadcast_to(np.arange(8.0, dtype=np.float32), (1, 8, 8))
    >>> points = np.array([(2, 2), (5, 2), (3.5, 4), (2, 6), (5, 6)])
    >>> cut_regions(ramp, points, RegionTable(grid=(1, 2), cells=(7, 14)), 8)[:, 0, 0].tolist()
    [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
    """
    if maps.ndim != 3 or min(maps.shape) < 1:
        raise FlowError("Regions are cut from one clip's maps", expected="(C, H, W)", found=str(maps.shape))
    height, width = table.shape(size)
    found = np.empty((len(table.boxes), len(maps), height, width), np.float32)
    for index, (left, top, right, bottom) in enumerate(region_boxes(table, points, maps.shape[1:], edges=edges)):
        first_row, rows = _weights(maps.shape[1], top, bottom, height)
        first_column, columns = _weights(maps.shape[2], left, right, width)
        part = maps[:, first_row : first_row + rows.shape[1], first_column : first_column + columns.shape[1]]
        found[index] = rows @ part.astype(np.float64) @ columns.T
    return found


def _weights(length: int, low: float, high: float, cells: int) -> tuple[int, NDArray[np.float64]]:
    """Return the first pixel that a window touches, and the weight of each pixel from there in each cell."""
    first, last = int(np.floor(low)), min(int(np.ceil(high)), length)
    edges = np.linspace(low, high, cells + 1)
    pixels = np.arange(first, last)
    lower = np.maximum(edges[:-1, None], pixels)
    upper = np.minimum(edges[1:, None], pixels + 1)
    weights = np.clip(upper - lower, 0, None)
    return first, weights / weights.sum(axis=1, keepdims=True)
