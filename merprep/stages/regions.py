"""The region sets that every feature file carries, as the file wants them described."""

from __future__ import annotations

from merprep.features import REGION_NAMES, region_geometry
from merprep.store import RegionSet


def region_sets(size: int, *, points: str) -> dict[str, RegionSet]:
    """Return both region sets of maps of `size` pixels; `points` says where their points come from.

    Examples
    --------
    >>> region_sets(28, points="landmarks")["anatomical"].names[0]
    'image_left_eye'
    """
    geometry = region_geometry(size, points=points)
    return {name: RegionSet(REGION_NAMES[name], geometry[name]) for name in REGION_NAMES}
