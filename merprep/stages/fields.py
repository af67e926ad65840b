"""The flow of clips from the file of aligned faces: one by one on the CPU, whole batches on a GPU."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from merprep.errors import FlowError
from merprep.faces.outlines import rigid_mask
from merprep.features import FlowConfig, area_average
from merprep.flow import estimator, to_grey
from merprep.flow.checks import checked_pair
from merprep.flow.steady import steady_fields
from merprep.manifest_data import load_table
from merprep.records import Clip
from merprep.stages.ahead import FieldsAhead
from merprep.stages.key_frames import key_frames
from merprep.store.aligned import open_aligned

Planes = NDArray[np.float32]
_LEAST_FACE = 0.01  # of the picture


@dataclass(frozen=True)
class ClipField:
    """The flow of a clip, and what was taken out of it.

    Parameters
    ----------
    flow : (2, S, S) float32
        At the working size, px.
    head : (2, 3) float64, optional
        The motion of the head that was removed, from the first frame to the second, in the same pixels.
    """

    flow: NDArray[np.float32]
    head: NDArray[np.float64] | None = None


def field_of(clip: Clip, *, source: Path, config: FlowConfig, device: str = "cpu") -> ClipField:
    """Compute the field of one clip, here and now, on one thread."""
    planes = planes_of(clip, source=source, config=config)[:, np.newaxis]
    return fields_of(*planes, config=config, device=device, threads=1)[0]


def fields_ahead(clips: Iterable[Clip], *, source: Path, config: FlowConfig, device: str) -> FieldsAhead[ClipField]:
    """Return what computes the fields of `clips` by batches, as they are asked for in their order."""
    read = partial(planes_of, source=source, config=config)
    return FieldsAhead(clips, read, partial(fields_of, config=config, device=device))


def planes_of(clip: Clip, *, source: Path, config: FlowConfig) -> Planes:
    """Return what a clip's field is computed from.

    Returns
    -------
    (2, S, S) or (3, S, S) float32
        The grey frames before and after the motion, each of which may be an average of several; then, where the
        head's motion is to be removed, 1 where it may be read and 0 elsewhere.

    Raises
    ------
    FlowError
        Where there is no face to read the head's motion off.
    """
    with open_aligned(source) as file:
        frames = key_frames(clip, config, file.numbers(clip.id))
        both = [to_grey(file.frames(clip.id, numbers)) for numbers in (frames.first, frames.second)]
        landmarks, scheme = file.landmarks(clip.id), file.scheme
    planes = np.stack([images.mean(axis=0, dtype=np.float32) for images in both])
    if config.flow_size is not None:
        planes = area_average(planes, config.flow_size)
    if config.head_motion == "none":
        return planes
    return np.concatenate([planes, readable(seen_at(landmarks, config), scheme, planes.shape[-1])[np.newaxis]])


def fields_of(
    onset: Planes,
    apex: Planes,
    region: Planes | None = None,
    *,
    config: FlowConfig,
    device: str,
    threads: int | None = None,
) -> list[ClipField]:
    """Compute the fields of many clips of one size, (N, S, S) each; see `planes_of`."""
    engine = estimator(config.method, **config.parameters).on(device)
    first, second = checked_pair(onset, apex)
    if config.head_motion == "none" or region is None:
        return [ClipField(flow) for flow in engine.fields(first, second, threads=threads)]
    fields, heads = steady_fields(engine, first, second, config.head_motion, region=region > 0, threads=threads)
    return [ClipField(flow, head) for flow, head in zip(fields, heads, strict=True)]


def seen_at(landmarks: NDArray[np.float32], config: FlowConfig) -> NDArray[np.float32]:
    """Return landmarks in pixels of the working size.

    The centre of the first pixel is (0, 0) at both sizes, so its left edge is at -1/2.

    Examples
    --------
    >>> seen_at(np.array([[0.0, 111.5]], np.float32), FlowConfig(flow_size=112)).tolist()
    [[-0.25, 55.5]]
    """
    return ((landmarks + 0.5) * (config.working_size / config.align.size) - 0.5).astype(np.float32)


def readable(landmarks: NDArray[np.float32], scheme: str, size: int) -> Planes:
    """Return where the head's motion is read: the face without eyes and mouth, or all where none is outlined.

    Five points outline nothing. Their pictures show little but the face, and the fit leaves out what moves otherwise.

    Returns
    -------
    (size, size) float32
        1 where it is read, 0 elsewhere.

    Raises
    ------
    FlowError
        Where the outline of the face lies outside the picture.

    Examples
    --------
    >>> bool(readable(np.zeros((5, 2), np.float32), "five", 32).all())
    True
    """
    if "outlines" not in load_table("faces", scheme):
        return np.ones((size, size), np.float32)
    mask = rigid_mask(landmarks, scheme, size)
    if mask.mean() < _LEAST_FACE:
        raise FlowError(
            "There is no face to read the head's motion off: its outline lies outside the picture",
            found=f"{mask.mean():.1%} of the picture",
            mend="look at the clip (`merprep show`), or leave the head's motion in with --head-motion none",
        )
    return mask.astype(np.float32)
