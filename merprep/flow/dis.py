"""Dense inverse search, by OpenCV: the fastest, made for large motions."""

from __future__ import annotations

from typing import Any, Literal

from merprep.config import StageConfig
from merprep.flow.opencv import OpenCvEstimator


class DisParameters(StageConfig):
    """OpenCV's presets."""

    preset: Literal["ultrafast", "fast", "medium"] = "medium"


class Dis(OpenCvEstimator[DisParameters]):
    """DIS flow.

    References
    ----------
    T. Kroeger, R. Timofte, D. Dai, L. Van Gool, "Fast optical flow using dense inverse search", ECCV 2016.

    Examples
    --------
    >>> Dis(preset="fast").parameters.preset
    'fast'
    """

    name = "dis"

    model = DisParameters

    def engine(self) -> Any:
        """Return OpenCV's solver as a function."""
        import cv2

        solver = cv2.DISOpticalFlow.create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{self.parameters.preset.upper()}"))
        return lambda onset, apex: solver.calc(onset, apex, None)


ESTIMATOR = Dis
