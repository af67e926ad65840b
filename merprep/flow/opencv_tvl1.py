"""TV-L1 as OpenCV's contrib build computes it: the field's default, for comparison."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from merprep.config import StageConfig
from merprep.flow.opencv import OpenCvEstimator, optflow


class OpenCvTvL1Parameters(StageConfig):
    """The parameters of ``cv2.optflow.DualTVL1OpticalFlow``, under OpenCV's names and with its defaults."""

    tau: float = Field(default=0.25, gt=0)
    lambda_: float = Field(default=0.15, gt=0)
    theta: float = Field(default=0.3, gt=0)
    scales: int = Field(default=5, ge=1)
    warps: int = Field(default=5, ge=1)
    epsilon: float = Field(default=0.01, gt=0)
    inner_iterations: int = Field(default=30, ge=1)
    outer_iterations: int = Field(default=10, ge=1)
    scale_step: float = Field(default=0.8, gt=0, lt=1)
    median: int = Field(default=5, ge=1)


class OpenCvTvL1(OpenCvEstimator[OpenCvTvL1Parameters]):
    """OpenCV's DualTVL1 with its own defaults.

    Examples
    --------
    >>> OpenCvTvL1().parameters.warps
    5
    """

    name = "opencv-tvl1"

    model = OpenCvTvL1Parameters

    def engine(self) -> Any:
        """Return OpenCV's solver as a function."""
        values = self.parameters
        solver = optflow("DualTVL1OpticalFlow_create", self.name)(
            tau=values.tau,
            lambda_=values.lambda_,
            theta=values.theta,
            nscales=values.scales,
            warps=values.warps,
            epsilon=values.epsilon,
            innnerIterations=values.inner_iterations,  # OpenCV spells it so
            outerIterations=values.outer_iterations,
            scaleStep=values.scale_step,
            medianFiltering=values.median,
        )
        return lambda onset, apex: solver.calc(onset, apex, None)


ESTIMATOR = OpenCvTvL1
