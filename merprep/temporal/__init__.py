"""A clip in time: where its apex is, how many frames it has, and how large its motion looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merprep.lazy import lazy_names

if TYPE_CHECKING:
    from merprep.temporal.config import SpotConfig
    from merprep.temporal.interpolation import interpolate, linear_weights, tim_weights
    from merprep.temporal.magnification import magnify
    from merprep.temporal.sampling import sample_uniformly, uniform_indices
    from merprep.temporal.spotting import SpottedApex, spot_apex
    from merprep.temporal.steps import Magnification, TemporalConfig, TemporalSteps

__all__ = [
    "Magnification",
    "SpotConfig",
    "SpottedApex",
    "TemporalConfig",
    "TemporalSteps",
    "interpolate",
    "linear_weights",
    "magnify",
    "sample_uniformly",
    "spot_apex",
    "tim_weights",
    "uniform_indices",
]

# OpenCV and numba are imported when a name is first used.
__getattr__ = lazy_names(
    __name__,
    {
        "SpotConfig": "config",
        **dict.fromkeys(("interpolate", "linear_weights", "tim_weights"), "interpolation"),
        "magnify": "magnification",
        **dict.fromkeys(("sample_uniformly", "uniform_indices"), "sampling"),
        **dict.fromkeys(("SpottedApex", "spot_apex"), "spotting"),
        **dict.fromkeys(("Magnification", "TemporalConfig", "TemporalSteps"), "steps"),
    },
)
