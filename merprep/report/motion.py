"""Which clips move how much, and the flow of one clip as its feature file was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.config import short_hash
from merprep.flow import estimate
from merprep.flow.strain import strain
from merprep.store import FeatureFile

# The strongest twentieth of a map's cells: a movement of one brow covers about as much.
_STRONGEST = 95.0


@dataclass(frozen=True)
class Choice:
    """Ids of the clips that a gallery shows."""

    strongest: tuple[str, ...]
    weakest: tuple[str, ...]
    random: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.strongest, *self.weakest, *self.random)


def strengths(file: FeatureFile) -> pd.Series | None:
    """Return how far each clip's skin moves, px: the 95th percentile of its stored flow's length, by clip id.

    None where the file does not hold flow in pixels (maps that were stretched tell no lengths).
    """
    units = dict(zip(file.channels, file.units, strict=True))
    if units.get("u") != "px" or units.get("v") != "px" or file.normalisation != "none":
        return None
    u, v = file.channels.index("u"), file.channels.index("v")
    values = np.empty(len(file))
    for start in range(0, len(file), 512):
        maps = file.features[start : start + 512]
        length = np.hypot(maps[:, u], maps[:, v]).reshape(len(maps), -1)
        values[start : start + 512] = np.percentile(length, _STRONGEST, axis=1)
    return pd.Series(values, index=file.clips["id"].tolist(), name="strength")


def choose(strength: pd.Series, count: int) -> Choice:
    """Choose the clips that move most and least, and as many others at random but always the same.

    Examples
    --------
    >>> chosen = choose(pd.Series({"a": 3.0, "b": 1.0, "c": 2.0, "d": 5.0}), 1)
    >>> chosen.strongest, chosen.weakest, len(chosen.random)
    (('d',), ('b',), 1)
    """
    ordered = strength.sort_values(ascending=False, kind="stable").index.tolist()
    count = max(min(count, len(ordered) // 3), 1 if ordered else 0)
    strongest, weakest = ordered[:count], ordered[count:][-count:][::-1]
    others = ordered[count : len(ordered) - len(weakest)]
    others.sort(key=lambda name: short_hash(str(name), 16))
    return Choice(tuple(strongest), tuple(weakest), tuple(others[:count]))


def field_and_strain(
    onset: NDArray[np.float32], apex: NDArray[np.float32], config: Mapping[str, Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return flow (2, S, S) and strain (S, S) between two aligned grey faces, by the method of a feature file."""
    method, parameters = str(config.get("method", "tvl1")), dict(config.get("parameters") or {})
    field = np.asarray(estimate(onset, apex, method=method, **parameters), np.float32)
    return field, np.asarray(strain(field), np.float32)


def left_out(config: Mapping[str, Any]) -> list[str]:
    """Return what the feature file did beyond the flow of two frames, which the gallery's large maps do not show."""
    found = []
    if config.get("head_motion", "none") != "none":
        found.append(f"removal of the head's motion ({config['head_motion']})")
    if config.get("average"):
        found.append(f"averages of {config['average']} frames on each side")
    if config.get("mask_eyes"):
        found.append("the mask of the eyes")
    if config.get("flow_size"):
        found.append(f"shrinking to {config['flow_size']} px")
    return found
