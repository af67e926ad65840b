"""DeepFlow without its matching, by OpenCV's contrib build."""

from __future__ import annotations

from typing import Any

from merprep.config import StageConfig
from merprep.flow.opencv import OpenCvEstimator, optflow


class DeepFlowParameters(StageConfig):
    """OpenCV's solver has no parameters in Python."""


class DeepFlow(OpenCvEstimator[DeepFlowParameters]):
    """The variational part of DeepFlow.

    References
    ----------
    P. Weinzaepfel, J. Revaud, Z. Harchaoui, C. Schmid, "DeepFlow: Large displacement optical flow with deep
    matching", ICCV 2013.

    Examples
    --------
    >>> DeepFlow().name
    'opencv-deepflow'
    """

    name = "opencv-deepflow"

    model = DeepFlowParameters

    def engine(self) -> Any:
        """Return OpenCV's solver as a function."""
        solver = optflow("createOptFlow_DeepFlow", self.name)()
        return lambda onset, apex: solver.calc(onset, apex, None)


ESTIMATOR = DeepFlow
