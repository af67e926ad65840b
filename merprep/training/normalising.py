"""Normalisation by statistics of the training side, fitted inside a fold and nowhere else.

The tie between a fold and its statistics is one call: `fit_normalising` on the indices of the clips that are
trained on, then `Normaliser.apply` to every clip of the fold, trained or tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ModelError
from merprep.models.presets import InputSpec
from merprep.training.inputs import horizontal_channels

Array = NDArray[np.float32]
_SMALLEST = 1e-12  # a channel that never changes has no spread to divide by


@dataclass(frozen=True)
class Normaliser:
    """What was fitted on the training side: one mean and one standard deviation a channel.

    Channels that a mirrored face negates (u) are spread around zero and not around their mean: zero motion stays
    zero, and mirroring stays a change of sign.

    Parameters
    ----------
    mean, deviation : tuple of float
        In the order of the input's channels, in their units.
    clips : int
        How many clips they were fitted on.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    clips: int

    def apply(self, images: Array) -> Array:
        """Return ``(values - mean) / deviation`` of (..., C, H, W).

        Examples
        --------
        >>> Normaliser((1.0,), (2.0,), 5).apply(np.full((1, 1, 1, 1), 5.0, np.float32)).item()
        2.0
        """
        mean, deviation = self._columns()
        return (images - mean) / deviation

    def undo(self, images: Array) -> Array:
        """Return what `apply` was given.

        Examples
        --------
        >>> Normaliser((1.0,), (2.0,), 5).undo(np.full((1, 1, 1, 1), 2.0, np.float32)).item()
        5.0
        """
        mean, deviation = self._columns()
        return images * deviation + mean

    def as_json(self) -> dict[str, Any]:
        """Return plain values, as a final network keeps them."""
        return {"mean": list(self.mean), "deviation": list(self.deviation), "clips": self.clips}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Normaliser:
        """Rebuild what `as_json` wrote."""
        return cls(tuple(values["mean"]), tuple(values["deviation"]), int(values["clips"]))

    def _columns(self) -> tuple[Array, Array]:
        mean, deviation = (np.array(values, np.float32)[:, None, None] for values in (self.mean, self.deviation))
        return mean, deviation


def fit_normalising(spec: InputSpec, images: Array, train: NDArray[np.integer]) -> Normaliser | None:
    """Fit what an input's normalisation needs, on the training clips alone.

    Parameters
    ----------
    spec : InputSpec
    images : (N, C, H, W) float32
        All clips of the run, as `read_input` gives them; none but those of `train` are looked at.
    train : (M,) int
        Indices of the clips that are trained on: without test persons, and without those that choose the epoch.

    Returns
    -------
    Normaliser or None
        None where the normalisation fits nothing (all but ``train-standard``).

    Raises
    ------
    ModelError
        Where there is no training clip.

    Examples
    --------
    >>> images = np.stack([np.full((1, 2, 2), value, np.float32) for value in (1, 3, 1000)])
    >>> fit_normalising(InputSpec(channels=("v",), normalisation="train-standard"), images, np.array([0, 1]))
    Normaliser(mean=(2.0,), deviation=(1.0,), clips=2)
    """
    if spec.normalisation != "train-standard":
        return None
    if not len(train):
        raise ModelError("There is no clip to fit the normalisation to", expected="at least one training clip")
    chosen = images[train].astype(np.float64)
    mean = chosen.mean(axis=(0, 2, 3))
    mean[horizontal_channels(spec.channels)] = 0.0
    spread = np.sqrt(np.square(chosen - mean[:, None, None]).mean(axis=(0, 2, 3)))
    return Normaliser(tuple(mean.tolist()), tuple(np.maximum(spread, _SMALLEST).tolist()), len(train))


def normalised(spec: InputSpec, images: Array, train: NDArray[np.integer]) -> Array:
    """Return all clips by statistics of the training clips, or the very same array where nothing is fitted.

    Examples
    --------
    >>> images = np.zeros((2, 1, 4, 4), np.float32)
    >>> normalised(InputSpec(channels=("u",)), images, np.array([0])) is images
    True
    """
    fitted = fit_normalising(spec, images, train)
    return images if fitted is None else fitted.apply(images)
