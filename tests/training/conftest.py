"""Small feature files in which each class moves another part of the face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, RegionSet, write_features

CLASSES = ("negative", "positive", "surprise")
NAMES = {
    "anatomical": ("image_left_eye", "image_right_eye", "image_left_mouth", "image_right_mouth"),
    "htnet-published": ("top_left", "top_right", "bottom_left", "bottom_right"),
}
# Where (x, y) each class moves, and how (u, v), in a map of 28 x 28: brows down and in, mouth corners out, brows up.
MOTIONS = {
    "negative": (((9, 8), (0.8, 1.0)), ((19, 8), (-0.8, 1.0))),
    "positive": (((10, 21), (-1.2, -0.6)), ((18, 21), (1.2, -0.6))),
    "surprise": (((9, 7), (0.0, -1.2)), ((19, 7), (0.0, -1.2)), ((14, 24), (0.0, 0.8))),
}

Maker = Callable[..., Path]


def bump_map(emotion: str, rng: np.random.Generator, noise: float) -> np.ndarray:
    """(3, 28, 28) float32: u, v in pixels and a stand-in for strain."""
    y, x = np.mgrid[:28, :28]
    flow = rng.normal(0, noise, (2, 28, 28)) + rng.normal(0, 0.3, (2, 1, 1))
    for (cx, cy), (u, v) in MOTIONS[emotion]:
        shift = rng.normal(0, 0.7, 2)
        bump = np.exp(-((x - cx - shift[0]) ** 2 + (y - cy - shift[1]) ** 2) / 12) * rng.uniform(0.6, 1.4)
        flow += np.array([u, v])[:, None, None] * bump
    strain = np.hypot(np.gradient(flow[0], axis=1), np.gradient(flow[1], axis=0))
    return np.concatenate([flow, strain[None]]).astype(np.float32)


@pytest.fixture
def make_features(tmp_path: Path) -> Maker:
    """Write a feature file: every person with equal counts of all classes, unless `emotions` says otherwise."""

    def make(
        name: str = "bumps.h5",
        *,
        persons: int = 4,
        clips_per_class: int = 2,
        noise: float = 0.1,
        emotions: Callable[[int], tuple[str, ...]] | None = None,
        spoil: Callable[[np.ndarray], np.ndarray] | None = None,
        channels: tuple[str, ...] = ("u", "v", "strain"),
        regions: bool = True,
    ) -> Path:
        rng = np.random.default_rng(0)
        rows = []
        for person in range(persons):
            own = emotions(person) if emotions else CLASSES * clips_per_class
            database = ("casme2", "samm")[person % 2]
            for number, emotion in enumerate(own):
                values = bump_map(emotion, rng, noise) if emotion in MOTIONS else np.zeros((3, 28, 28), np.float32)
                values = spoil(values) if spoil else values
                quarters = np.stack([values[:, r : r + 14, c : c + 14] for r in (0, 14) for c in (0, 14)])
                cut = dict.fromkeys(NAMES, quarters) if regions else {}
                clip = Clip(database, f"s{person}", f"c{number}", person=f"{database}:{person}", emotion=emotion)
                rows.append((clip, ClipFeatures(values, cut)))
        sets = {name: RegionSet(parts, {}) for name, parts in NAMES.items()} if regions else {}
        header = FeatureHeader(channels, ("px", "px", "1/px"), "none", {"made": name}, {}, sets)
        path = tmp_path / name
        write_features(path, header, rows, len(rows))
        return path

    return make
