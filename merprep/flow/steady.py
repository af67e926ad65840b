"""Flow as if the head had kept still: head motion is fitted, undone in the images, and what is left is computed again.

Flow of a moved head is less exact than that of a still one, and smoothness pulls its gradients flat. So:

1. the flow of the pair as it is gives the head's motion to some tenths of a pixel;
2. the apex is brought back by it, and the flow of what is left gives the rest, to some thousandths;
3. both images are brought half way towards each other, and their flow, read on the onset's pixels, is the result.

Half way, because an image that is read between its pixels loses a little of its sharpness and its noise: where both
lose the same, the loss is not taken for motion. Images are read by splines of the fifth degree, which blur least; what
they cannot read, edges sharper than the pixels, comes out differently in both, so both are smoothed by
(0.08, 0.84, 0.08) afterwards. In 3 they are rounded to whole grey levels where they came in whole ones; in 2 they are
not, since whole levels hide what is left of a motion below some hundredths of a pixel (docs/flow.md has the
measurements).

Where 1 finds that no corner moved by a tenth of a pixel, that motion is taken out of its flow and all is done.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from merprep.flow.base import Estimator, Fields, Images
from merprep.flow.head_motion import (
    Affine,
    HeadModel,
    after,
    fit_head_motion,
    grid,
    half,
    inverse,
    moved,
    without_head_motion,
)

_SMALL = 0.1  # px at the corner that moves most: below, the motion is taken out of the first flow and all is done
_SMOOTHING = np.float32(0.08)

Mask = NDArray[np.bool_]


def steady_fields(
    engine: Estimator[Any],
    onset: Images,
    apex: Images,
    model: HeadModel = "similarity",
    *,
    region: Mask | None = None,
    threads: int | None = None,
) -> tuple[Fields, NDArray[np.float64]]:
    """Compute the flow of each pair without the motion of the head.

    Parameters
    ----------
    engine : Estimator
        What computes flow.
    onset, apex : (N, H, W) float32
        Grey, 0 to 255.
    model : {"similarity", "affine"}
    region : (N, H, W) bool, optional
        The pixels that the head's motion is fitted to, such as the face without eyes and mouth; None takes all.
    threads : int, optional
        See `Estimator.fields`.

    Returns
    -------
    fields : (N, 2, H, W) float32
        As if the head had kept still, px.
    heads : (N, 2, 3) float64
        The head's motion from onset to apex; see `merprep.flow.head_motion.HeadMotion`.

    Raises
    ------
    FlowError
        Where too little of a face is left to fit to.

    Examples
    --------
    >>> from merprep.flow.registry import estimator
    >>> images = np.zeros((1, 32, 32), np.float32)
    >>> fields, heads = steady_fields(estimator("tvl1"), images, images)
    >>> fields.shape, heads.round(6).tolist()
    ((1, 2, 32, 32), [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    """
    wanted = np.ones(onset.shape, bool) if region is None else region
    found = engine.fields(onset, apex, threads=threads)
    heads = _fitted(found, onset, wanted, model)
    fields = np.stack([without_head_motion(field, head) for field, head in zip(found, heads, strict=True)])
    again = np.flatnonzero([_reach(head, onset.shape[1:]) > _SMALL for head in heads])
    if len(again):
        pairs = (onset[again], apex[again], wanted[again])
        heads[again] = _refined(engine, *pairs, heads[again], model, threads)
        fields[again], heads[again] = _met_half_way(engine, *pairs, heads[again], model, threads)
    return fields, heads


def _fitted(found: Fields, onset: Images, wanted: Mask, model: HeadModel) -> NDArray[np.float64]:
    return np.stack([fit_head_motion(f, model, image=image, region=region).matrix
                     for f, image, region in zip(found, onset, wanted, strict=True)])  # fmt: skip


def _refined(
    engine: Estimator[Any],
    onset: Images,
    apex: Images,
    wanted: Mask,
    heads: NDArray[np.float64],
    model: HeadModel,
    threads: int | None,
) -> NDArray[np.float64]:
    """Step 2: the motion that is left after the apex was brought back is added."""
    count = len(onset)
    inside = np.stack([_inside(head, onset.shape[1:]) for head in heads])
    # What was not in the picture takes the onset's values, where no motion is seen.
    back = np.stack([np.where(inside[k], read_at(apex[k], heads[k]), onset[k]) for k in range(count)])
    found = engine.for_small_motion().fields(onset, back, threads=threads)
    seen = inside & wanted
    rests = _fitted(found, onset, seen, model)
    return np.stack([after(head, rest) for head, rest in zip(heads, rests, strict=True)])


def _met_half_way(
    engine: Estimator[Any],
    onset: Images,
    apex: Images,
    wanted: Mask,
    heads: NDArray[np.float64],
    model: HeadModel,
    threads: int | None,
) -> tuple[Fields, NDArray[np.float64]]:
    """Step 3: the flow between both images half way, on the onset's pixels."""
    count, shape = len(onset), onset.shape[1:]
    halves = [half(head) for head in heads]
    inside = np.stack([_inside(h, shape) & _inside(inverse(h), shape) for h in halves])
    first = _as_given(onset, np.stack([read_at(onset[k], inverse(halves[k])) for k in range(count)]))
    second = _as_given(apex, np.stack([read_at(apex[k], halves[k]) for k in range(count)]))
    found = engine.fields(first, np.where(inside, second, first), threads=threads)
    fields = np.empty_like(found)
    rests = []
    for k in range(count):
        rest = fit_head_motion(found[k], model, image=first[k], region=inside[k] & wanted[k]).matrix
        still = without_head_motion(found[k], rest)
        on_onset = np.stack([read_at(part, halves[k], degree=1) for part in still])
        fields[k] = moved(np.column_stack([inverse(halves[k])[:, :2], np.zeros(2)]), on_onset.astype(np.float64))
        rests.append(after(halves[k], after(rest, halves[k])))
    return fields, np.stack(rests)


def read_at(image: NDArray[np.float32], motion: Affine, *, degree: Literal[1, 3, 5] = 5) -> NDArray[np.float32]:
    """Return ``image(motion(x))`` on the pixel grid, borders repeated.

    Parameters
    ----------
    image : (H, W) float32
    motion : (2, 3) float64
    degree : {1, 3, 5}
        Of the spline.

    Examples
    --------
    >>> ramp = np.tile(np.arange(32, dtype=np.float32), (32, 1))
    >>> round(float(read_at(ramp, np.array([[1.0, 0.0, 0.3], [0.0, 1.0, 0.0]]))[8, 8]), 3)
    8.3
    """
    from scipy.ndimage import map_coordinates

    x, y = moved(motion, grid((image.shape[0], image.shape[1])))
    values = map_coordinates(image, np.stack([y, x]), order=degree, mode="nearest", output=np.float32)
    return np.asarray(values, np.float32)


def _as_given(images: Images, moved_images: Images) -> Images:
    """Smooth what was read between pixels, and round it to whole grey levels where an image had whole ones."""
    from scipy.ndimage import convolve1d

    kernel = np.array([_SMOOTHING, 1 - 2 * _SMOOTHING, _SMOOTHING])
    for axis in (1, 2):
        moved_images = convolve1d(moved_images, kernel, axis=axis, mode="nearest")
    # Each image by itself: a batch may hold grey clips beside colour ones, whose grey is not whole.
    whole = (images == np.rint(images)).all(axis=(1, 2), keepdims=True)
    return np.clip(np.where(whole, np.rint(moved_images), moved_images), 0, 255).astype(np.float32)


def _inside(motion: Affine, shape: tuple[int, ...]) -> Mask:
    """Return which pixels come to lie inside the picture."""
    x, y = moved(motion, grid((shape[0], shape[1])))
    return np.asarray((x >= 0) & (y >= 0) & (x <= shape[1] - 1) & (y <= shape[0] - 1))


def _reach(matrix: Affine, shape: tuple[int, ...]) -> float:
    """Return how far the motion moves the corner that it moves most, px."""
    corners = np.array([[0, 0], [0, shape[0] - 1], [shape[1] - 1, 0], [shape[1] - 1, shape[0] - 1]], np.float64)
    shifts = corners @ (matrix[:, :2] - np.eye(2)).T + matrix[:, 2]
    return float(np.hypot(*shifts.T).max())
