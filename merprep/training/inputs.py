"""From what a feature file holds to what a network eats: channel order, normalisation, mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ModelError
from merprep.models.presets import InputSpec
from merprep.store.features import FeatureFile
from merprep.store.mosaics import mosaic

Array = NDArray[np.float32]

# A channel that is the same everywhere has no span to stretch.
_FLAT = np.float32(1e-12)
# How wide the range is that minimum and maximum become the ends of, and where it begins.
_RANGES = {"minmax-255": (255, 0), "minmax-symmetric": (2, -1)}


def check_input(file: FeatureFile, spec: InputSpec) -> None:
    """Raise where a feature file lacks what a network eats, naming the command that makes it.

    Raises
    ------
    ModelError
    """
    missing = [name for name in spec.channels if name not in file.channels]
    if missing:
        raise ModelError(
            f"The feature file has no channel {', '.join(map(repr, missing))}",
            where=str(file.path),
            expected=", ".join(spec.channels),
            found=", ".join(file.channels),
            mend=f"run `merprep flow --channels {','.join((*file.channels, *missing))}`",
        )
    if spec.region_set is not None and spec.region_set not in file.regions:
        raise ModelError(
            f"The feature file has no regions {spec.region_set!r} to compose a mosaic from",
            where=str(file.path),
            found=", ".join(file.regions) or "no region set",
            mend="run `merprep flow` or `merprep import` again, or train a preset that takes the whole map",
        )


def read_input(file: FeatureFile, index: int | slice, spec: InputSpec) -> Array:
    """Read one clip, or a slice of clips, as the network's input.

    Parameters
    ----------
    index : int or slice
    spec : InputSpec

    Returns
    -------
    (C, H, W) or (N, C, H, W) float32
        Channels in the order of `spec`.
    """
    order = [file.channels.index(name) for name in spec.channels]
    whole = np.asarray(file.features[index], np.float32)[..., order, :, :]
    if spec.region_set is None:
        return normalise(whole, whole, spec)
    regions = np.asarray(file.regions[spec.region_set][index], np.float32)[..., order, :, :]
    return normalise(mosaic(regions), whole, spec)


def normalise(values: Array, whole: Array, spec: InputSpec) -> Array:
    """Scale each channel of each clip, by statistics of its whole map or by fixed bounds.

    ``train-standard`` changes nothing here: what it needs is fitted inside each fold, by
    `merprep.training.normalising`.

    Parameters
    ----------
    values : (..., C, h, w) float32
        What is scaled: the map itself, or a mosaic of its regions.
    whole : (..., C, H, W) float32
        The whole maps of the same clips.
    spec : InputSpec
        See `merprep.models.InputSpec`.

    Examples
    --------
    >>> values = np.array([[[-1.0, 3.0]]], np.float32)
    >>> normalise(values, values, InputSpec(channels=("u",), normalisation="minmax-255")).ravel().tolist()
    [0.0, 255.0]
    >>> normalise(values, values, InputSpec(channels=("u",), normalisation="peak-symmetric")).ravel().tolist()
    [-0.3333333432674408, 1.0]
    """
    if spec.normalisation in ("none", "train-standard"):
        return values
    zero, scale = _zero_and_scale(whole, spec)
    unit = (values - zero) / scale
    if spec.normalisation == "fixed-bound":
        return cast("Array", np.clip(unit, -1, 1))
    width, first = _RANGES.get(spec.normalisation, (1, 0))
    return cast("Array", unit * width + first)


def denormalise(values: Array, whole: Array, spec: InputSpec) -> Array:
    """Bring a normalised input back to the units of its channels: the inverse of `normalise`.

    Statistics of a clip are read off its whole map, which the feature file holds unnormalised. What ``fixed-bound``
    cut off comes back as the bound; ``train-standard`` is undone by `merprep.training.normalising.Normaliser.undo`.

    Parameters
    ----------
    values : (..., C, h, w) float32
    whole : (..., C, H, W) float32
        The whole maps of the same clips, as the feature file holds them.
    spec : InputSpec

    Examples
    --------
    >>> map = np.array([[[-1.0, 3.0]]], np.float32)
    >>> spec = InputSpec(channels=("u",), normalisation="minmax-255")
    >>> denormalise(normalise(map, map, spec), map, spec).ravel().tolist()
    [-1.0, 3.0]
    """
    if spec.normalisation in ("none", "train-standard"):
        return values
    zero, scale = _zero_and_scale(whole, spec)
    width, first = _RANGES.get(spec.normalisation, (1, 0))
    return cast("Array", (values - first) / width * scale + zero)


def _zero_and_scale(whole: Array, spec: InputSpec) -> tuple[Array, Array]:
    """Return what is taken off each channel and what the rest is divided by, each broadcast over (..., C, h, w)."""
    none = np.zeros((len(spec.channels), 1, 1), np.float32)
    if spec.normalisation == "fixed-bound":
        return none, np.array([spec.bounds[name] for name in spec.channels], np.float32)[:, None, None]
    if spec.normalisation == "peak-symmetric":
        return none, np.maximum(np.abs(whole).max(axis=(-2, -1), keepdims=True), _FLAT)
    low = whole.min(axis=(-2, -1), keepdims=True)
    return low, np.maximum(whole.max(axis=(-2, -1), keepdims=True) - low, _FLAT)


def horizontal_channels(channels: Sequence[str]) -> list[int]:
    """Return the positions of the channels that a mirrored face negates.

    Examples
    --------
    >>> horizontal_channels(("strain", "v", "u"))
    [2]
    """
    return [index for index, name in enumerate(channels) if name == "u"]
