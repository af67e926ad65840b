"""The region sets that a feature file carries, as the file wants them described."""

from __future__ import annotations

from collections.abc import Mapping

from merprep.features import REGION_NAMES, RegionTable, region_geometry
from merprep.features.region_sets import Edges
from merprep.store import RegionSet


def region_sets(
    size: int, *, points: str, tables: Mapping[str, RegionTable] | None = None, edges: Edges = "exact"
) -> dict[str, RegionSet]:
    """Describe the region sets of maps of `size` pixels.

    Parameters
    ----------
    size : int
    points : str
        Where the points come from, in words.
    tables : mapping of str to RegionTable, optional
        Sets that were cut from tables, by name; they take the place of those of the same name.
    edges : {"exact", "snapped"}
        Of those.

    Examples
    --------
    >>> region_sets(28, points="landmarks")["anatomical"].names[0]
    'image_left_eye'
    """
    geometry = region_geometry(size, points=points)
    both = {name: RegionSet(REGION_NAMES[name], geometry[name]) for name in REGION_NAMES}
    own = {
        name: RegionSet(table.names, table.geometry(size, points=points, edges=edges))
        for name, table in (tables or {}).items()
    }
    return both | own
