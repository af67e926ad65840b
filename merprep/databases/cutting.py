"""Puts the numbers of a sheet and the frames on disk onto one count, and cuts clips out of recordings."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import Literal

from merprep.databases.spec import DatabaseSpec, Layout
from merprep.records import Clip, FrameSet

# Frames that a folder may have lost or gained against its row and still be taken for that row's clip.
_SLACK = 2


def fitted(clip: Clip, spec: DatabaseSpec, layout: Layout) -> Clip:
    """Return the clip with its frames and numbers on one count, cut out of its recording where it lies in one."""
    if clip.frames.is_video and not isinstance(layout.begins, int):
        clip = _video_begun(clip, layout.begins)
    if spec.numbering == "either":
        clip = _shifted(clip)
    return _cut(clip) if layout.shared else clip


def _video_begun(clip: Clip, begins: Literal["onset", "fit"]) -> Clip:
    """Count the frames of a video from the clip's onset, if it holds nothing but the clip."""
    if clip.onset is None or clip.offset is None or not clip.frames.numbers:
        return clip
    count, span = len(clip.frames), clip.offset - clip.onset + 1
    if begins == "fit" and count != span and clip.offset <= count:
        return clip
    first = clip.onset
    path = clip.frames.path(first)
    note = f"the video's first frame is taken for the onset {first}"
    video = FrameSet.of_video(path, tuple(range(first, first + count)), first)
    return replace(clip, frames=video, notes=(*clip.notes, note))


def _shifted(clip: Clip) -> Clip:
    """Shift numbers that count something else than the files so that the onset is the first file.

    They do where the clip lies outside the files, or sticks out of as many files as it is long.

    Examples
    --------
    >>> clip = Clip("mmew", "S01", "S01-01-001", "mmew:1", "", FrameSet("a/#.jpg", tuple(range(1, 6))), 101, 103, 105)
    >>> shifted = _shifted(clip)
    >>> shifted.onset, shifted.apex, shifted.offset
    (1, 3, 5)
    """
    if clip.onset is None or clip.offset is None or not clip.frames.numbers:
        return clip
    first, last = clip.frames.numbers[0], clip.frames.numbers[-1]
    if first <= clip.onset and clip.offset <= last:
        return clip
    outside = clip.offset < first or clip.onset > last
    as_long = abs((clip.offset - clip.onset) - (last - first)) <= _SLACK
    by = first - clip.onset
    if by == 0 or not (outside or as_long):
        return clip
    note = f"the sheet counts {clip.onset}-{clip.offset} where the files are {first}-{last}: shifted by {by:+d}"
    apex = None if clip.apex is None else clip.apex + by
    return replace(
        clip, onset=clip.onset + by, apex=apex, offset=clip.offset + by, notes=(*clip.notes, note)
    )  # fmt: skip


def _cut(clip: Clip) -> Clip:
    """Keep the frames from onset to offset (to the apex, where there is no offset); all, where none is inside."""
    if clip.onset is None:
        return clip
    ends = [number for number in (clip.offset, clip.apex) if number is not None and number >= clip.onset]
    numbers = clip.frames.numbers
    last = ends[0] if ends else clip.onset
    inside = numbers[bisect_left(numbers, clip.onset) : bisect_right(numbers, last)]
    return replace(clip, frames=FrameSet(clip.frames.pattern, inside)) if inside else clip
