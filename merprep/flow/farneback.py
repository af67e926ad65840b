"""Farnebäck's polynomial expansion, by OpenCV: fast, and blind to the smallest motions."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from merprep.config import StageConfig
from merprep.flow.opencv import OpenCvEstimator


class FarnebackParameters(StageConfig):
    """The parameters of ``cv2.calcOpticalFlowFarneback``; the defaults are those that the field uses."""

    pyramid_scale: float = Field(default=0.5, gt=0, lt=1)
    levels: int = Field(default=3, ge=1)
    window: int = Field(default=15, ge=1)
    iterations: int = Field(default=3, ge=1)
    poly_n: int = Field(default=5, ge=3)
    poly_sigma: float = Field(default=1.2, gt=0)


class Farneback(OpenCvEstimator[FarnebackParameters]):
    """Farnebäck's flow.

    References
    ----------
    G. Farnebäck, "Two-frame motion estimation based on polynomial expansion", SCIA 2003.

    Examples
    --------
    >>> Farneback().parameters.window
    15
    """

    name = "farneback"

    model = FarnebackParameters

    def engine(self) -> Any:
        """Return OpenCV's function with these parameters."""
        import cv2

        p = self.parameters
        numbers = (p.pyramid_scale, p.levels, p.window, p.iterations, p.poly_n, p.poly_sigma)
        return lambda onset, apex: cv2.calcOpticalFlowFarneback(onset, apex, None, *numbers, 0)


ESTIMATOR = Farneback
