r"""How far a face has moved, or changed, in each frame of a clip since its first one.

By flow. With :math:`w_t` the flow from the first frame to frame t, averaged over cells and stacked as a vector, and
Q an orthonormal basis of what a similarity does to the cells (shift, turn, scale),

.. math:: r_t = (1 - Q Q^T) \, w_t, \quad [r_1 .. r_T] = U \Sigma V^T, \quad s_t = \sigma_1 V_{t1}  \qquad (1)

s is the strength of the one pattern of motion that explains most of the clip. An expression that comes and goes is
such a pattern; noise differs from frame to frame and is spread over all the others. The part of the energy in the
pattern, :math:`\sigma_1^2 / \sum_k \sigma_k^2`, says how well one pattern describes the clip.

By texture. Histograms h of uniform local binary patterns (8 neighbours, 59 bins) of each region are compared with
those of the first frame,

.. math:: d_t = \sum_{regions} 1 - \frac{h_1 \cdot h_t}{|h_1| \, |h_t|}                            \qquad (2)

References
----------
S.-T. Liong, J. See, K. Wong, A. C. Le Ngo, Y.-H. Oh, R. C.-W. Phan, "Automatic apex frame spotting in
micro-expression database", ACPR 2015, doi:10.1109/ACPR.2015.7486586: D&C-RoIs. Ours differs in its regions (boxes
where aligned faces have eyes and mouth) and is named "D&C-RoIs-like".
T. Ojala, M. Pietikäinen, T. Mäenpää, "Multiresolution gray-scale and rotation invariant texture classification with
local binary patterns", TPAMI 24(7), 2002: uniform patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ImageError, UsageError
from merprep.flow import estimator
from merprep.flow.checks import checked_pair
from merprep.flow.steady import steady_fields
from merprep.temporal.checks import Frames

Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]
Course = NDArray[np.float64]

# Eyes with brows, and mouth, as `merprep.faces.align` places them by default: eyes at 1/4 of the height.
REGIONS: tuple[Box, ...] = ((0.10, 0.05, 0.40, 0.35), (0.50, 0.05, 0.40, 0.35), (0.25, 0.50, 0.50, 0.35))
_CELLS = 28
_AT_ONCE = 8  # frames whose flow is held at full size
_BGR_WEIGHTS = np.array([0.114, 0.587, 0.299], np.float32)
_BINS = 59


def flow_course(
    frames: Frames, *, mask: Mask | None = None, method: str = "tvl1", steady: bool = True
) -> tuple[Course, float]:
    """Return the strength of the clip's leading motion in each frame, px, and its share of all motion; see (1).

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, 3), uint8 or float
    mask : (H, W) bool, optional
        Pixels whose motion counts as none.
    method : str
        The flow method.
    steady : bool
        Undo the head's motion in the images first.

    Returns
    -------
    course : (T,) float64
        Root mean square over the cells, px; 0 in the first frame.
    share : float
        0 to 1.
    """
    grey = _grey(frames)
    if mask is not None and mask.shape != grey.shape[1:]:
        raise ImageError("The mask has another shape than the frames", expected=str(grey.shape[1:]),
                         found=str(mask.shape))  # fmt: skip
    cells = _cells(grey, mask, method, steady)
    basis = _similarity_basis(cells.shape[2:])
    fields = cells.reshape(len(cells), -1)
    fields = fields - (fields @ basis) @ basis.T
    left, sizes, _ = np.linalg.svd(fields, full_matrices=False)
    energy = float((sizes**2).sum())
    course = left[:, 0] * sizes[0] / np.sqrt(fields.shape[1] / 2)
    return np.asarray(course * (np.sign(course.sum()) or 1.0)), float(sizes[0] ** 2 / energy) if energy > 0 else 0.0


def _cells(grey: NDArray[np.float32], mask: Mask | None, method: str, steady: bool) -> NDArray[np.float64]:
    """Return the flow from the first frame to each, averaged over cells, (T, 2, h, w)."""
    engine = estimator(method)
    height, width = (min(_CELLS, side) for side in grey.shape[1:])
    cells = np.zeros((len(grey), 2, height, width))
    keep = None if mask is None else ~mask
    for first in range(1, len(grey), _AT_ONCE):
        later = grey[first : first + _AT_ONCE]
        onset, apex = checked_pair(np.broadcast_to(grey[0], later.shape).copy(), later)
        region = None if keep is None else np.broadcast_to(keep, later.shape)
        fields = steady_fields(engine, onset, apex, region=region)[0] if steady else engine.fields(onset, apex)
        if keep is not None:
            fields = np.where(keep, fields, np.float32(0))
        cells[first : first + len(later)] = _averaged(fields, height, width)
    return cells


def _averaged(fields: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    """Average over cells of whole pixels; the last ones of a size that does not divide are larger."""
    rows, columns = (np.linspace(0, side, n, endpoint=False).astype(int) for side, n in
                     zip(fields.shape[2:], (height, width), strict=True))  # fmt: skip
    total = np.add.reduceat(np.add.reduceat(fields, rows, axis=2, dtype=np.float64), columns, axis=3)
    size = np.diff([*rows, fields.shape[2]])[:, np.newaxis] * np.diff([*columns, fields.shape[3]])
    return np.asarray(total / size)


def _similarity_basis(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an orthonormal basis of shifts, turn and scale on a grid of cells, (2 h w, 4)."""
    y, x = (axis.ravel() - (side - 1) / 2 for axis, side in zip(np.mgrid[: shape[0], : shape[1]], shape, strict=True))
    one, none = np.ones(x.size), np.zeros(x.size)
    motions = [np.r_[one, none], np.r_[none, one], np.r_[x, y], np.r_[-y, x]]
    return np.asarray(np.linalg.qr(np.stack(motions, axis=1))[0])


def texture_course(frames: Frames, regions: Sequence[Box] | None = None) -> Course:
    """Return how far the texture of the regions is from that of the first frame; see (2).

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, 3), uint8 or float
    regions : sequence of (x, y, width, height), optional
        Parts of the picture, 0 to 1; see `REGIONS`.

    Returns
    -------
    (T,) float64
        0 in the first frame; at most the number of regions.
    """
    grey = _grey(frames)
    boxes = [_pixels(box, grey.shape[1:]) for box in (REGIONS if regions is None else regions)]
    if not boxes:
        raise UsageError("Texture needs at least one region")
    histograms = np.stack([_histograms(frame, boxes) for frame in grey])  # (T, regions, bins)
    unit = histograms / np.linalg.norm(histograms, axis=-1, keepdims=True)
    return np.asarray((1 - (unit * unit[:1]).sum(axis=-1)).sum(axis=-1).clip(0))


def _pixels(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    x, y, width, height = box
    if not (0 <= x < x + width <= 1 + 1e-9 and 0 <= y < y + height <= 1 + 1e-9):
        raise UsageError("A region leaves the picture", expected="x, y, width, height as parts of it, 0 to 1",
                         found=str(box))  # fmt: skip
    rows = slice(round(y * shape[0]), round((y + height) * shape[0]))
    columns = slice(round(x * shape[1]), round((x + width) * shape[1]))
    if min(rows.stop - rows.start, columns.stop - columns.start) < 3:
        raise UsageError("A region is too small for texture", expected="3 px or more each way", found=str(box))
    return rows, columns


def _histograms(frame: NDArray[np.float32], boxes: Sequence[tuple[slice, slice]]) -> NDArray[np.float64]:
    codes = _bins()[_codes(frame)]
    return np.stack([np.bincount(codes[box].ravel(), minlength=_BINS).astype(np.float64) for box in boxes])


def _codes(frame: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return which of its 8 neighbours are not darker than each pixel, as bits in a circle."""
    padded = np.pad(frame, 1, mode="edge")
    height, width = frame.shape
    codes = np.zeros(frame.shape, np.uint8)
    for bit, (dy, dx) in enumerate([(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]):
        codes |= (padded[dy : dy + height, dx : dx + width] >= frame).astype(np.uint8) << np.uint8(bit)
    return codes


@cache
def _bins() -> NDArray[np.int64]:
    """Return the bin of each code: one a uniform pattern (at most two changes round the circle), one for the rest."""
    bins = np.full(256, _BINS - 1, np.int64)
    uniform = [code for code in range(256) if bin(code ^ ((code >> 1) | (code & 1) << 7)).count("1") <= 2]
    bins[uniform] = np.arange(len(uniform))
    return bins


def _grey(frames: Frames) -> NDArray[np.float32]:
    if frames.ndim == 4:
        return np.asarray(frames.astype(np.float32) @ _BGR_WEIGHTS, np.float32)
    return np.asarray(frames, np.float32)
