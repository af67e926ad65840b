"""The apex of a clip that was annotated without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ImageError, UnknownNameError
from merprep.temporal.checks import Frames, checked_frames
from merprep.temporal.courses import Box, Mask, flow_course, texture_course
from merprep.temporal.peaks import Peak, halved_peak, rounded_peak

Method = Literal["flow", "dnc-rois"]
METHODS: tuple[Method, ...] = ("flow", "dnc-rois")
_LEAST_FRAMES = 3


@dataclass(frozen=True)
class SpottedApex:
    """Where the apex of a clip was found.

    Parameters
    ----------
    index : int
        The frame, from 0.
    confidence : float
        0 to 1: how far the peak stands out, see docs/temporal.md. 0 where the motion peaks at an end of the clip.
    course : (T,) float64
        How far the face has moved, or changed, in each frame since the first.
    method : {"flow", "dnc-rois"}
    """

    index: int
    confidence: float
    course: NDArray[np.float64]
    method: Method


def spot_apex(
    frames: Frames,
    method: Method = "flow",
    *,
    mask: Mask | None = None,
    regions: Sequence[Box] | None = None,
    flow_method: str = "tvl1",
    steady: bool = True,
) -> SpottedApex:
    """Find the apex of a clip that runs from onset to offset.

    ``flow``: the flow from the onset to every frame, without the motion of the head, is summed up as one pattern of
    motion and its strength in each frame (the leading singular vectors); the apex is the top of a peak that may rise
    and fall at different speeds, fitted to the strength. It needs the face to be aligned by one transform.

    ``dnc-rois``: texture (uniform local binary patterns) around eyes and mouth is compared with the onset's; the
    clip is halved again and again, towards the half whose peaks add up to more (Liong et al. 2015).

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, 3), uint8 or float
        From the onset to the offset; 3 or more.
    method : {"flow", "dnc-rois"}
    mask : (H, W) bool, optional
        For ``flow``: pixels that do not count, such as the eyes.
    regions : sequence of (x, y, width, height), optional
        For ``dnc-rois``: parts of the picture, each from 0 to 1. Default: eyes with brows, and mouth, where
        `merprep.faces.align` puts them.
    flow_method : str
        One of `merprep.flow.methods()`.
    steady : bool
        For ``flow``: fit the head's motion and undo it in the images before flow is computed; a head that moves by
        more than a pixel needs it. Without it, only what a similarity explains is taken out of the fields.

    Returns
    -------
    SpottedApex

    Raises
    ------
    ImageError
        Where these are not the frames of a clip, fewer than 3, or nothing changes in them.
    UnknownNameError
        Where there is no such method.

    Examples
    --------
    >>> from merprep.synthetic import render_clip
    >>> clip = render_clip("surprise", n_frames=13, apex=4, size=(96, 80), colour=False, noise=0.5)
    >>> spot_apex(clip.frames).index
    4
    """
    if method not in METHODS:
        raise UnknownNameError.among("spotting method", method, list(METHODS))
    given = checked_frames(frames, least=_LEAST_FRAMES)
    if (given == given[:1]).all():
        raise ImageError("Nothing changes in the clip, so it has no apex", found=f"{len(given)} equal frames")
    if method == "flow":
        course, share = flow_course(given, mask=mask, method=flow_method, steady=steady)
        return _spotted(course, rounded_peak, share, method)
    return _spotted(texture_course(given, regions), halved_peak, 1.0, method)


def _spotted(
    course: NDArray[np.float64], find: Callable[[NDArray[np.float64]], Peak], share: float, method: Method
) -> SpottedApex:
    peak = find(course)
    inside = 0 < peak.index < len(course) - 1
    return SpottedApex(peak.index, round(share * peak.distinctness, 3) if inside else 0.0, course, method)
