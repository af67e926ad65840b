"""What a fold costs: each preset on random maps of the composite's size, one worker and all of them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, write_features
from merprep.store.features import RegionSet

# The MEGC2019 composite: 442 clips of 68 persons.
CLIPS, PERSONS = 442, 68
PRESETS = (("htnet", "sanity"), ("ststnet", "sanity"), ("ststnet", "published"))


@dataclass(frozen=True)
class TrainCost:
    """What the folds of one preset cost.

    Parameters
    ----------
    model, preset : str
    folds : int
        How many were trained.
    jobs : int
        Folds at once.
    seconds_per_fold : float
        Wall-clock seconds divided by folds, starting the workers included.
    """

    model: str
    preset: str
    folds: int
    jobs: int
    seconds_per_fold: float


def train_cost(
    presets: Sequence[tuple[str, str]] = PRESETS, *, folds: int = 8, jobs: Sequence[int] = (1, 2)
) -> list[TrainCost]:
    """Train a few folds of each preset on random maps and measure the time.

    Parameters
    ----------
    presets : sequence of (model, preset)
    folds : int
    jobs : sequence of int
        Folds at once; one row each.

    Returns
    -------
    list of TrainCost
    """
    from merprep.training import train

    rows = []
    with tempfile.TemporaryDirectory() as name:
        features = random_features(Path(name) / "features.h5")
        for model, preset in presets:
            for count in jobs:
                started = time.perf_counter()
                train(
                    features,
                    model=model,
                    preset=preset,
                    run_folder=Path(name) / f"{model}-{preset}-{count}",
                    max_folds=folds,
                    jobs=count,
                )
                rows.append(TrainCost(model, preset, folds, count, (time.perf_counter() - started) / folds))
    return rows


def random_features(path: Path, *, clips: int = CLIPS, persons: int = PERSONS, size: int = 28, seed: int = 0) -> Path:
    """Write a feature file of noise: as many clips and persons as asked for, classes in turn.

    Returns
    -------
    Path
        `path`.
    """
    rng = np.random.default_rng(seed)
    names = ("negative", "positive", "surprise")
    sets = {"htnet-published": RegionSet(("top_left", "top_right", "bottom_left", "bottom_right"), {})}
    header = FeatureHeader(("u", "v", "strain"), ("px", "px", "1/px"), "none", {"random": seed}, region_sets=sets)

    def rows() -> list[tuple[Clip, ClipFeatures]]:
        made = []
        for index in range(clips):
            number = index % persons + 1
            clip = Clip("casme2", f"sub{number:02d}", f"EP{index}", person=f"casme2:{number}", emotion=names[index % 3])
            maps = rng.normal(size=(3, size, size)).astype(np.float32)
            regions = rng.normal(size=(4, 3, size // 2, size // 2)).astype(np.float32)
            made.append((clip, ClipFeatures(maps, {"htnet-published": regions})))
        return made

    write_features(path, header, rows(), clips)
    return path
