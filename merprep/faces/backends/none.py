"""No registration: for databases that are published cropped and registered, whose pictures are only resized.

The mesh still marks the face, since regions are cut around its points; its landmarks move nothing.
"""

from __future__ import annotations

from merprep.faces.backends.base import DetectedFace, FaceBox, Image
from merprep.faces.backends.mesh import SCHEME, MeshBackend
from merprep.faces.backends.mesh import create as create_mesh

__all__ = ["SCHEME", "NoneBackend", "create"]


def create(device: str = "auto") -> NoneBackend:
    """Fetch the mesh's weights where they are missing, and load them."""
    return NoneBackend(create_mesh(device))


class NoneBackend:
    """The mesh's landmarks, for pictures that are registered already.

    Parameters
    ----------
    marker : MeshBackend
    """

    name = "none"
    scheme = SCHEME

    def __init__(self, marker: MeshBackend) -> None:
        self._marker = marker

    def find(self, image: Image, *, detail: int = 1) -> list[FaceBox]:
        """Return the boxes of all faces, the largest first."""
        return self._marker.find(image, detail=detail)

    def mark(self, image: Image, box: FaceBox) -> DetectedFace | None:
        """Return the landmarks within a box, or None where the mesh sees no face."""
        return self._marker.mark(image, box)
