"""The transform from a face's landmarks to the one geometry that all aligned faces share.

The similarity (rotation, one scale, translation) that brings points p_i closest to their places q_i in the least
squares sense, ``min over s, R, t of sum |s R p_i + t - q_i|^2`` with ``det R = 1``, has a closed form:
S. Umeyama, Least-squares estimation of transformation parameters between two point patterns, IEEE TPAMI 13(4), 1991.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FaceError
from merprep.faces.config import AlignConfig
from merprep.manifest_data import load_table

Points = NDArray[np.float64]
Affine = NDArray[np.float64]


@dataclass(frozen=True)
class CanonicalFace:
    """Where the expression-stable points of a scheme lie.

    Parameters
    ----------
    indices : (K,) int64
        The points' numbers in the scheme.
    points : (K, 2) float64
        (x, y) in units of the distance between the eye centres, origin midway between them, y down.
    """

    indices: NDArray[np.int64]
    points: Points

    def places(self, config: AlignConfig) -> Points:
        """Return where the points belong in an aligned face, (K, 2), px."""
        size = float(config.size)
        inner = size / (1 + 2 * config.margin)  # the part of the square that the face itself has
        border = (size - inner) / 2
        middle = np.array([inner / 2, inner * config.eye_height]) + border - 0.5
        return np.asarray(self.points * (config.interocular * inner) + middle)


@cache
def canonical_face(scheme: str) -> CanonicalFace:
    """Return the stable points of a landmark scheme, from ``manifests/faces``.

    Examples
    --------
    >>> canonical_face("mesh478").points.shape
    (38, 2)
    """
    table = load_table("faces", scheme)["points"]
    return CanonicalFace(
        np.array([int(number) for number in table], np.int64), np.array(list(table.values()), np.float64)
    )


def similarity(source: Points, target: Points) -> Affine:
    """Return the similarity that brings points closest to others, by least squares.

    Parameters
    ----------
    source, target : (K, 2) float64
        (x, y); K of 2 or more.

    Returns
    -------
    (2, 3) float64
        Applied as ``transform[:, :2] @ point + transform[:, 2]``.

    Raises
    ------
    FaceError
        Where all source points coincide.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> (similarity(square, 2 * square + 5).round(6) + 0.0).tolist()
    [[2.0, 0.0, 5.0], [0.0, 2.0, 5.0]]
    """
    mean_p, mean_q = source.mean(axis=0), target.mean(axis=0)
    p, q = source - mean_p, target - mean_q
    variance = float((p**2).sum())
    if not np.isfinite(variance) or variance < 1e-12:
        raise FaceError("The landmarks coincide, so they give no transform", found=f"{len(source)} points")
    # In two dimensions Umeyama's singular value decomposition reduces to these two sums.
    along = float((p * q).sum()) / variance
    across = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / variance
    linear = np.array([[along, -across], [across, along]])
    return np.column_stack([linear, mean_q - linear @ mean_p])


def face_transform(landmarks: Points, scheme: str, config: AlignConfig) -> tuple[Affine, float]:
    """Return the transform of a face, and how well its stable points then lie.

    Parameters
    ----------
    landmarks : (P, 2) float64
        (x, y) in pixels of the original image.
    scheme : str
    config : AlignConfig

    Returns
    -------
    transform : (2, 3) float64
        From the original image to the aligned face.
    residual : float
        Root mean square distance of the stable points from their places, px of the aligned face.
    """
    face = canonical_face(scheme)
    source, target = landmarks[face.indices], face.places(config)
    transform = similarity(source, target)
    distances = np.linalg.norm(apply(transform, source) - target, axis=1)
    return transform, float(np.sqrt((distances**2).mean()))


def resize_transform(shape: tuple[int, ...], size: int) -> Affine:
    """Return the transform that only resizes: the whole image, its longer side as long as the square, in its middle.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (H, W, 3) of the image.
    size : int
        Side of the square, px.

    Examples
    --------
    >>> resize_transform((100, 200), 100).tolist()
    [[0.5, 0.0, -0.25], [0.0, 0.5, 24.75]]
    """
    height, width = shape[:2]
    scale = size / max(height, width)
    # Edges are kept, not pixel centres: those lie half a pixel inside.
    left, top = ((size - scale * side) / 2 + scale / 2 - 0.5 for side in (width, height))
    return np.array([[scale, 0.0, left], [0.0, scale, top]])


def apply(transform: Affine, points: Points) -> Points:
    """Apply an affine transform (2, 3) to points (K, 2).

    Examples
    --------
    >>> apply(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]]), np.array([[1.0, 1.0]])).tolist()
    [[3.0, 4.0]]
    """
    return np.asarray(points @ transform[:, :2].T + transform[:, 2])


def inverse(transform: Affine) -> Affine:
    """Return the inverse of an affine transform (2, 3)."""
    linear = np.linalg.inv(transform[:, :2])
    return np.column_stack([linear, -linear @ transform[:, 2]])


def scale_of(transform: Affine) -> float:
    """Return by how much a transform enlarges lengths."""
    return float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
