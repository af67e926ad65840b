"""The photograph that every synthetic subject is made from, and the points of its face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from merprep.manifest_data import load_table

LEFT, RIGHT = "image_left_", "image_right_"


@dataclass(frozen=True)
class Photograph:
    """A picture of a face with named points.

    Parameters
    ----------
    image : (H, W, 3) float32
        BGR, 0..255.
    names : tuple of str
        Of the points; left and right are those of the image.
    points : (P, 2) float64
        (x, y) in pixels.
    """

    image: NDArray[np.float32]
    names: tuple[str, ...]
    points: NDArray[np.float64]

    def mirrored(self) -> Photograph:
        """Return the picture as in a mirror; points keep the name of the side on which they then are.

        Examples
        --------
        >>> once = photograph().mirrored()
        >>> once.names == photograph().names, bool(np.allclose(once.mirrored().points, photograph().points))
        (True, True)
        """
        swapped = [self.names.index(_other_side(name)) for name in self.names]
        points = self.points[swapped].copy()
        points[:, 0] = self.image.shape[1] - 1 - points[:, 0]
        return Photograph(np.ascontiguousarray(self.image[:, ::-1]), self.names, points)

    def point(self, name: str) -> NDArray[np.float64]:
        """Return one point, (x, y)."""
        found: NDArray[np.float64] = self.points[self.names.index(name)]
        return found


def _other_side(name: str) -> str:
    if name.startswith(LEFT):
        return RIGHT + name.removeprefix(LEFT)
    return LEFT + name.removeprefix(RIGHT) if name.startswith(RIGHT) else name


@cache
def photograph() -> Photograph:
    """Return scikit-image's astronaut (NASA), with the points of ``manifests/synthetic/photograph.toml``."""
    import skimage.data

    table = load_table("synthetic", "photograph")
    image = skimage.data.astronaut()[:, :, ::-1].astype(np.float32)
    image.setflags(write=False)
    names = tuple(table["landmarks"])
    return Photograph(image, names, np.array([table["landmarks"][name] for name in names], dtype=np.float64))
