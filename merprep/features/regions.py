"""The four regions of a face, cut in two ways: anatomically right, and as the published HTNet cuts them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError
from merprep.features.resize import area_average

ANATOMICAL = "anatomical"
PUBLISHED = "htnet-published"

# Regions in the order of the mosaic: 0 and 1 above 2 and 3.
REGION_NAMES = {
    ANATOMICAL: ("image_left_eye", "image_right_eye", "image_left_mouth", "image_right_mouth"),
    PUBLISHED: ("top_left", "top_right", "bottom_left", "bottom_right"),
}

# Which of the five points each set uses (see points.POINT_NAMES); both leave the nose out.
_CORNERS = (0, 1, 3, 4)


def cut_anatomical(
    maps: NDArray[np.float32], points: NDArray[np.floating], size: int | None = None
) -> NDArray[np.float32]:
    """Cut a window of half the map around both eyes and both mouth corners.

    The window of ``H // 2`` by ``W // 2`` working pixels has the pixel nearest to the point at its centre: its first
    column is ``floor(x + 1/2 - w/2 + 1/2)``, a point at (x, y) being the centre of pixel (x, y). Snapping to whole
    working pixels costs at most half a working pixel and keeps every value as it was computed. A window that would
    leave the map is moved inside. Then it is area averaged.

    Parameters
    ----------
    maps : (C, H, W) float32
        At the working resolution.
    points : (5, 2) float
        (x, y) in pixels of the map, in the order of `merprep.features.POINT_NAMES`.
    size : int, optional
        The regions become ``size // 2`` pixels wide; None leaves them at the working resolution.

    Returns
    -------
    (4, C, h, w) float32
        image-left eye, image-right eye, image-left mouth corner, image-right mouth corner.

    Raises
    ------
    FlowError
        Where shapes do not fit.

    Examples
    --------
    >>> maps = np.arange(28 * 28, dtype=np.float32).reshape(1, 28, 28)
    >>> points = np.array([(8, 9), (19, 9), (14, 15), (9, 20), (18, 20)], np.float32)
    >>> regions = cut_anatomical(maps, points, 28)
    >>> regions.shape, divmod(int(regions[0, 0, 0, 0]), 28)
    ((4, 1, 14, 14), (3, 2))
    """
    _check(maps, points)
    boxes = anatomical_boxes(points, maps.shape[1:])
    windows = np.stack([maps[:, top:bottom, left:right] for left, top, right, bottom in boxes])
    return windows.astype(np.float32, copy=False) if size is None else area_average(windows, size // 2)


def anatomical_boxes(points: NDArray[np.floating], shape: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Return where the anatomical regions are cut.

    Parameters
    ----------
    points : (5, 2) float
        (x, y) in pixels, in the order of `merprep.features.POINT_NAMES`.
    shape : (H, W, ...)
        Of the working map or image.

    Returns
    -------
    list of (left, top, right, bottom)
        In pixels, right and bottom outside: image-left eye, image-right eye, image-left mouth corner, image-right
        mouth corner.

    Examples
    --------
    >>> points = np.array([(70, 80), (154, 80), (112, 120), (85, 165), (139, 165)])
    >>> anatomical_boxes(points, (224, 224))[0]
    (15, 25, 127, 137)
    """
    height, width = shape[0] // 2, shape[1] // 2
    firsts = [(_first(float(points[k, 0]), width, shape[1]), _first(float(points[k, 1]), height, shape[0]))
              for k in _CORNERS]  # fmt: skip
    return [(left, top, left + width, top + height) for left, top in firsts]


def cut_published(maps: NDArray[np.float32], points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Cut the four regions exactly as the published HTNet does, its exchange of x and y included.

    On a map of S by S pixels each coordinate is clamped to [S/4, 3S/4] and truncated; the window is
    ``map[x - S/4 : x + S/4, y - S/4 : y + S/4]``, with x as the ROW and y as the COLUMN. The mosaic of these is
    the face transposed: both left regions above, both right ones below.

    Parameters
    ----------
    maps : (C, S, S) float32
        At the final size; S a multiple of 4 (published: 28).
    points : (5, 2) float
        (x, y) in pixels of this map, in the order of `merprep.features.POINT_NAMES`.

    Returns
    -------
    (4, C, S/2, S/2) float32
        The windows of points 0, 1, 3 and 4: top left, top right, bottom left, bottom right of the mosaic.

    Raises
    ------
    FlowError
        Where shapes do not fit.

    Examples
    --------
    >>> from merprep.features.points import fallback_points
    >>> maps = np.arange(28 * 28, dtype=np.float32).reshape(1, 28, 28)
    >>> [divmod(int(region[0, 0, 0]), 28) for region in cut_published(maps, fallback_points())]
    [(2, 4), (14, 3), (3, 14), (13, 14)]
    """
    _check(maps, points)
    size = maps.shape[-1]
    if maps.shape[-2] != size or size % 4:
        raise FlowError(
            "The published regions need a square map whose size is a multiple of 4", found=str(maps.shape[-2:])
        )
    quarter = size // 4
    centres = np.clip(np.asarray(points, np.float64), quarter, 3 * quarter).astype(int)
    windows = [maps[:, x - quarter : x + quarter, y - quarter : y + quarter] for x, y in (centres[i] for i in _CORNERS)]
    return np.stack(windows).astype(np.float32, copy=False)


def region_geometry(size: int, *, points: str) -> dict[str, dict[str, object]]:
    """Describe how each region set is cut, in plain values for the feature file.

    Parameters
    ----------
    size : int
        The size of the whole map; regions have half of it.
    points : str
        Where the points come from, in words.

    Returns
    -------
    dict
        By region set (the keys of `REGION_NAMES`).

    Examples
    --------
    >>> region_geometry(28, points="landmarks")["htnet-published"]["order"]
    'x used as row, y as column (as published)'
    """
    shared: dict[str, object] = {"size": size // 2, "points": points}
    return {
        ANATOMICAL: {
            **shared,
            "window": "half of the working map, centred on the point, moved inside, then area averaged",
            "order": "y as row, x as column",
        },
        PUBLISHED: {
            **shared,
            "window": f"{size // 2} pixels of the map; centre clamped to [{size // 4}, {3 * size // 4}], truncated",
            "order": "x used as row, y as column (as published)",
        },
    }


def _first(centre: float, window: int, length: int) -> int:
    # floor(. + 1/2), not round(): rounding half to even would not commute with shifts of one pixel.
    first = int(np.floor(centre + 0.5 - window / 2 + 0.5))
    return min(max(first, 0), length - window)


def _check(maps: NDArray[np.floating], points: NDArray[np.floating]) -> None:
    if maps.ndim != 3 or min(maps.shape) < 1 or min(maps.shape[1:]) < 2:
        raise FlowError("Regions are cut from one clip's maps", expected="(C, H, W)", found=str(maps.shape))
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise FlowError(
            "Regions are cut around five points",
            expected="(5, 2) finite numbers",
            found=f"{points.shape} {points.dtype}",
        )
