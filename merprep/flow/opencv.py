"""What the estimators that OpenCV computes have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError, MissingDependencyError
from merprep.flow.base import Estimator, Fields, Images, P

_MEND = (
    "pip uninstall -y opencv-python opencv-python-headless && "
    "pip install --force-reinstall --no-deps opencv-contrib-python"
)


def optflow(function: str, method: str) -> Any:
    """Return a function of OpenCV's contrib module ``optflow``.

    Raises
    ------
    MissingDependencyError
        Where the build at hand lacks it.
    """
    import cv2

    # hasattr(cv2, "optflow") says nothing: the folder stays behind when opencv-python overwrites the contrib build.
    module = getattr(cv2, "optflow", None)
    if not hasattr(module, function):
        raise MissingDependencyError(
            f"The flow method {method!r} needs OpenCV's contrib build, which is not installed or was overwritten",
            expected=f"cv2.optflow.{function}",
            found=f"OpenCV {getattr(cv2, '__version__', 'broken')} without it",
            mend=_MEND,
        )
    return getattr(module, function)


class OpenCvEstimator(Estimator[P]):
    """A method that OpenCV computes, pair by pair, from 8-bit images (float images are rounded)."""

    @abstractmethod
    def engine(self) -> Any:
        """Return a function from two (H, W) uint8 images to (H, W, 2) float32."""

    def fields(self, onset: Images, apex: Images, *, threads: int | None = None) -> Fields:
        """Compute the flow of each pair; see `Estimator.fields`. `threads` are OpenCV's own, within a pair."""
        import cv2

        engine = self.engine()
        flows = np.empty((len(onset), 2, *onset.shape[1:]), np.float32)
        with _opencv_threads(threads):
            for index in range(len(onset)):
                try:
                    flows[index] = engine(_eight_bit(onset[index]), _eight_bit(apex[index])).transpose(2, 0, 1)
                except cv2.error as error:
                    raise FlowError(
                        f"OpenCV cannot compute {self.name} on images of this size",
                        where=f"pair {index}",
                        found=f"{onset.shape[1]} by {onset.shape[2]} pixels: {str(error).strip().splitlines()[-1]}",
                        mend="use larger images, or the method 'tvl1'",
                    ) from error
        return flows


def _eight_bit(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


@contextmanager
def _opencv_threads(threads: int | None) -> Iterator[None]:
    import cv2

    before = cv2.getNumThreads()
    if threads is not None:
        cv2.setNumThreads(threads)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
