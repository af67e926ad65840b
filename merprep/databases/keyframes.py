"""Onset, apex and offset of a clip, checked against each other and against the files that exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from merprep.records import Clip, FrameSet

MissingFrames = Literal["nearest", "keep"]
_LISTED = 8
# Seconds; 100 frames of CAS(ME)^3, above which its users call a clip implausible. Micro-expressions last half a second.
_LONGEST = 100 / 30


def check_keyframes(clip: Clip, missing: MissingFrames = "nearest") -> Clip:
    """Return the clip with its key frames checked; whatever is changed or odd becomes a note.

    A number outside the order onset <= apex <= offset is not used. A frame that does not exist on disk is replaced
    by the nearest that does (``missing="keep"`` leaves it). A clip without onset, without frames, or none of whose
    frames exist is excluded.

    Parameters
    ----------
    clip : Clip
        With its frames and the numbers of the sheet.
    missing : {"nearest", "keep"}

    Examples
    --------
    >>> frames = FrameSet("a/img#.jpg", tuple(range(73, 97)))
    >>> checked = check_keyframes(Clip("casme2", "sub16", "EP01_08", "casme2:16", "", frames, 73, 94, 110))
    >>> checked.offset, checked.notes
    (96, ('offset 110 is not on disk: the nearest, 96, is used',))
    """
    if clip.status == "excluded":
        return clip
    if not clip.frames.numbers:
        return clip.excluded("no frames on disk")
    if clip.onset is None:
        return clip.excluded("no onset: the sheet gives no number")
    clip = _in_order(clip)
    if not _some_exist(clip):
        last = clip.onset if clip.offset is None else clip.offset
        return clip.excluded(f"none of the frames {clip.onset}-{last} is on disk: found {clip.frames.ranges()}")
    clip = _with_gaps(clip)
    if missing == "nearest":
        clip = _on_disk(clip)
    return _with_remarks(clip)


def midpoint(frames: FrameSet, onset: int, offset: int) -> int | None:
    """Return the existing frame nearest to onset + floor((offset - onset) / 2).

    Examples
    --------
    >>> midpoint(FrameSet("#.bmp", (10, 11, 14, 15)), 10, 15)
    11
    """
    return frames.nearest(onset + (offset - onset) // 2)


def _in_order(clip: Clip) -> Clip:
    onset = clip.onset
    if onset is None:
        return clip
    if clip.offset is not None and clip.offset < onset:
        clip = _noted(replace(clip, offset=None), f"offset {clip.offset} lies before the onset {onset}: not used")
    last = clip.offset if clip.offset is not None else clip.apex
    if clip.apex is not None and last is not None and not onset <= clip.apex <= last:
        note = f"apex {clip.apex} lies outside {onset}-{'' if clip.offset is None else last}: not used"
        clip = _noted(replace(clip, apex=None, apex_source="none"), note)
    return clip


def _some_exist(clip: Clip) -> bool:
    """Whether any file lies within onset to offset (or anything at or after the onset, without an offset)."""
    onset = clip.onset or 0
    last = clip.offset if clip.offset is not None else clip.frames.numbers[-1]
    return any(onset <= number <= last for number in clip.frames.numbers)


def _with_gaps(clip: Clip) -> Clip:
    present = set(clip.frames.numbers)
    first, last = clip.frames.numbers[0], clip.frames.numbers[-1]
    start = max(first, clip.onset or first)
    stop = min(last, last if clip.offset is None else clip.offset)
    lost = [number for number in range(start, stop + 1) if number not in present]
    if not lost:
        return clip
    listed = " ".join(map(str, lost[:_LISTED])) + (" …" if len(lost) > _LISTED else "")
    return _noted(clip, f"gap: {len(lost)} frame{'s' if len(lost) > 1 else ''} missing inside the clip ({listed})")


def _on_disk(clip: Clip) -> Clip:
    present = set(clip.frames.numbers)
    for name in ("onset", "apex", "offset"):
        number = getattr(clip, name)
        if number is None or number in present:
            continue
        near = _nearest_inside(clip, number)
        moved: dict[str, Any] = {name: near}
        clip = _noted(replace(clip, **moved), f"{name} {number} is not on disk: the nearest, {near}, is used")
    return clip


def _nearest_inside(clip: Clip, number: int) -> int:
    """Return the nearest existing frame within onset to offset, so that the order holds."""
    last = clip.offset if clip.offset is not None else clip.frames.numbers[-1]
    inside: Sequence[int] = [n for n in clip.frames.numbers if (clip.onset or 0) <= n <= last] or clip.frames.numbers
    return min(inside, key=lambda present: (abs(present - number), present))


def _with_remarks(clip: Clip) -> Clip:
    if clip.apex is not None and clip.apex == clip.onset:
        clip = _noted(clip, "apex equals onset")
    if clip.apex is not None and clip.apex == clip.offset:
        clip = _noted(clip, "apex equals offset")
    if clip.offset is not None and clip.onset is not None and clip.fps and clip.variant != "macro":
        seconds = (clip.offset - clip.onset) / clip.fps
        if seconds > _LONGEST:
            clip = _noted(clip, f"lasts {seconds:.1f} s, which is implausibly long for a micro-expression")
    return clip


def _noted(clip: Clip, note: str) -> Clip:
    return replace(clip, notes=(*clip.notes, note))
