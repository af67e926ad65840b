"""Robust local optical flow on a grid, interpolated between, by OpenCV's contrib build."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from merprep.config import StageConfig
from merprep.flow.opencv import OpenCvEstimator, optflow


class RlofParameters(StageConfig):
    """Parameters of OpenCV's ``DenseRLOFOpticalFlow``.

    Parameters
    ----------
    grid : int
        Distance of the points that are tracked, px; OpenCV's own 6 skips over micro-motion.
    forward_backward : float
        Points that come back further than this from where they started do not count, px; 0 keeps all.
    """

    grid: int = Field(default=3, ge=1)
    forward_backward: float = Field(default=1.0, ge=0)


class Rlof(OpenCvEstimator[RlofParameters]):
    """Dense RLOF.

    References
    ----------
    J. Geistert, T. Senst, T. Sikora, "Robust local optical flow: Dense motion vector field interpolation", PCS 2016.

    Examples
    --------
    >>> Rlof(grid=6).parameters.grid
    6
    """

    name = "opencv-rlof"

    model = RlofParameters

    def engine(self) -> Any:
        """Return OpenCV's solver as a function."""
        import cv2

        values = self.parameters
        solver = optflow("DenseRLOFOpticalFlow_create", self.name)(
            forwardBackwardThreshold=values.forward_backward, gridStep=(values.grid, values.grid)
        )
        # It takes colour images only.
        return lambda *pair: solver.calc(*(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) for image in pair), None)


ESTIMATOR = Rlof
