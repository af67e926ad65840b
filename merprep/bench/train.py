"""What a fold costs: each preset on random maps of the composite's size, folds one at a time and side by side."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, write_features
from merprep.store.features import RegionSet

# Folds side by side, also of a network for which training would not choose it.
_STACK = 4

# The MEGC2019 composite: 442 clips of 68 persons.
CLIPS, PERSONS = 442, 68
PRESETS = (
    ("flow-cnn", "sanity"),
    ("htnet", "sanity"),
    ("ststnet", "sanity"),
    ("off-apexnet", "sanity"),
    ("rcn-a", "sanity"),
)


@dataclass(frozen=True)
class TrainCost:
    """What the folds of one preset cost.

    Parameters
    ----------
    model, preset : str
    folds, epochs : int
        How many were trained, for how many epochs.
    alone : float
        Milliseconds of wall-clock time a fold and epoch, one fold at a time in one process.
    together : float
        The same with folds side by side, in one process.
    ratio : float
        The first divided by the second: how many times as fast.
    workers : float
        Milliseconds with folds side by side in `jobs` processes, starting them included.
    jobs : int
    difference : float
        The largest difference of a probability between folds trained alone and side by side.
    """

    model: str
    preset: str
    folds: int
    epochs: int
    alone: float
    together: float
    ratio: float
    workers: float
    jobs: int
    difference: float


def train_cost(
    presets: Sequence[tuple[str, str]] = PRESETS, *, folds: int = 8, epochs: int = 4, jobs: int | None = None
) -> list[TrainCost]:
    """Train a few folds of each preset on random maps in three ways and measure the time.

    Parameters
    ----------
    presets : sequence of (model, preset)
    folds, epochs : int
    jobs : int, optional
        Processes of the third way; None takes all cores.

    Returns
    -------
    list of TrainCost
    """
    jobs = jobs or os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        features = random_features(Path(name) / "features.h5")
        return [_cost(features, model, preset, folds, epochs, jobs) for model, preset in presets]


def _cost(features: Path, model: str, preset: str, folds: int, epochs: int, jobs: int) -> TrainCost:
    _timed(features, model, preset, 1, 1, 1, None)  # What is loaded on first use is not counted.
    alone, one = _timed(features, model, preset, folds, epochs, 1, 1)
    together, other = _timed(features, model, preset, folds, epochs, 1, _STACK)
    workers, _ = _timed(features, model, preset, folds, epochs, jobs, _STACK)
    difference = float(np.abs(one - other).max())
    return TrainCost(model, preset, folds, epochs, alone, together, alone / together, workers, jobs, difference)


def _timed(
    features: Path, model: str, preset: str, folds: int, epochs: int, jobs: int, stack: int | None
) -> tuple[float, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Return milliseconds a fold and epoch, and the predicted probabilities."""
    from merprep.training import train

    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        result = train(
            features, model=model, preset=preset, run_folder=Path(name) / "run", max_folds=folds, epochs=epochs,
            jobs=jobs, stack=stack, device="cpu",
        )  # fmt: skip
        seconds = time.perf_counter() - started
    return seconds / folds / epochs * 1000, result.predictions.filter(like="probability_").to_numpy()


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
