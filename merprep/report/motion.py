"""Which clips move how much, and the flow of one clip as its feature file was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.config import short_hash
from merprep.faces.outlines import eyes_mask, rigid_mask
from merprep.flow import estimator
from merprep.flow.checks import checked_pair
from merprep.flow.steady import steady_fields
from merprep.manifest_data import load_table
from merprep.store import FeatureFile

Frames = NDArray[np.float32]
Points = NDArray[np.float32]

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
    if not is_flow(file):
        return None
    u, v = file.channels.index("u"), file.channels.index("v")
    values = np.empty(len(file))
    for start in range(0, len(file), 512):
        maps = file.features[start : start + 512]
        length = np.hypot(maps[:, u], maps[:, v]).reshape(len(maps), -1)
        values[start : start + 512] = np.percentile(length, _STRONGEST, axis=1)
    return pd.Series(values, index=file.clips["id"].tolist(), name="strength")


def is_flow(file: FeatureFile) -> bool:
    """Whether a feature file holds flow in pixels."""
    units = dict(zip(file.channels, file.units, strict=True))
    return units.get("u") == units.get("v") == "px" and file.normalisation == "none"


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


def fields_between(
    first: Frames, second: Frames, landmarks: Points, scheme: str, config: Mapping[str, Any]
) -> NDArray[np.float32]:
    """Return the flow of pairs of aligned faces of one clip, by the settings of a feature file.

    Parameters
    ----------
    first, second : (N, S, S) float32
        Grey.
    landmarks : (P, 2) float32
        (x, y) in aligned pixels.
    scheme : str
        What the landmarks are.
    config : mapping
        ``method``, ``parameters``, ``head_motion`` and ``mask_eyes`` count here.

    Returns
    -------
    (N, 2, S, S) float32
    """
    engine = estimator(str(config.get("method", "tvl1")), **dict(config.get("parameters") or {}))
    first, second = checked_pair(first, second)
    size, model = first.shape[-1], config.get("head_motion", "none")
    if model == "none":
        fields = engine.fields(first, second)
    else:
        # Five points outline nothing; the head's motion is then fitted to all of the picture.
        mask = rigid_mask(landmarks, scheme, size) if is_outlined(scheme) else np.ones((size, size), np.bool_)
        fields, _ = steady_fields(engine, first, second, model, region=np.repeat(mask[np.newaxis], len(first), axis=0))
    if config.get("mask_eyes"):
        fields = np.where(eyes_mask(landmarks, scheme, size), np.float32(0), fields)
    return np.asarray(fields, np.float32)


def is_outlined(scheme: str) -> bool:
    """Whether a landmark scheme has outlines of the face and its parts."""
    return "outlines" in load_table("faces", scheme)


def left_out(config: Mapping[str, Any]) -> list[str]:
    """Return what the feature file did beyond that, which large maps of single clips do not show."""
    found = []
    if config.get("average"):
        found.append(f"averages of {config['average']} frames on each side")
    if config.get("temporal"):
        found.append("changes in time")
    if config.get("flow_size"):
        found.append(f"shrinking to {config['flow_size']} px")
    return found
