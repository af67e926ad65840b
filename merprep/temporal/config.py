"""The settings of apex spotting."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from merprep.config import StageConfig
from merprep.faces.config import AlignConfig


class SpotConfig(StageConfig):
    """How the apex is found in clips that were annotated without one.

    Parameters
    ----------
    align : AlignConfig
        How faces are brought into one geometry; half the usual size by default, which is as exact here.
    method : {"flow", "dnc-rois"}
        See `merprep.temporal.spot_apex`.
    flow_method : str
        For ``flow``: one of `merprep.flow.methods()`.
    steady : bool
        For ``flow``: the head's motion is undone in the images first.
    mask_eyes : bool
        For ``flow``: the eyes with their lids do not count, so that a blink is not taken for the apex.
    least_confidence : float
        A clip with less keeps its midpoint.

    Examples
    --------
    >>> SpotConfig().align.size, SpotConfig().method
    (112, 'flow')
    """

    align: AlignConfig = Field(default_factory=lambda: AlignConfig(size=112))
    method: Literal["flow", "dnc-rois"] = "flow"
    flow_method: str = "tvl1"
    steady: bool = True
    mask_eyes: bool = True
    least_confidence: float = Field(default=0.5, ge=0, le=1)
