"""From a file of aligned faces to the pictures of a clip that a network eats, as stored: uint8, unnormalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from merprep.errors import ModelError
from merprep.models.presets import InputSpec
from merprep.records import Clip
from merprep.store.aligned import AlignedFile
from merprep.temporal.sampling import uniform_indices

Pictures = NDArray[np.uint8]

# ITU-R BT.601, blue, green, red.
_GREY = np.array([0.114, 0.587, 0.299], np.float32)


def lack_of(file: AlignedFile, clip: Clip, spec: InputSpec) -> str:
    """Return why a clip of the file cannot be given to a network, or an empty text.

    Raises
    ------
    ModelError
        Where the whole file was made without the frames that the network needs.
    """
    if clip.onset is None or clip.apex is None:
        return f"it has no {'onset' if clip.onset is None else 'apex'} frame"
    onset, apex, offset = key_frames(clip, file.numbers(clip.id))
    if spec.frames:
        _check_density(file, clip, onset, apex, offset, spec)
    return ""


def key_frames(clip: Clip, present: Sequence[int]) -> tuple[int, int, int]:
    """Return onset, apex and offset, in an order that makes sense, as frames that are there.

    As the published HSTA mends labels: an apex or an offset before the onset becomes the onset, an apex behind the
    offset the middle of both. A clip without an offset ends with its last frame.

    Examples
    --------
    >>> clip = Clip("casme2", "sub01", "a", person="casme2:1", onset=10, apex=30, offset=20)
    >>> key_frames(clip, range(10, 21))
    (10, 15, 20)
    """
    onset = clip.onset or 0
    offset = max(onset, present[-1] if clip.offset is None else clip.offset)
    apex = max(onset, onset if clip.apex is None else clip.apex)
    apex = (onset + offset) // 2 if apex > offset else apex
    first, middle, last = (min(present, key=lambda number: abs(number - wanted)) for wanted in (onset, apex, offset))
    return first, middle, last


def _check_density(file: AlignedFile, clip: Clip, onset: int, apex: int, offset: int, spec: InputSpec) -> None:
    """Raise where only the key frames of a longer clip were aligned."""
    present = file.numbers(clip.id)
    if len(present) <= 3 and {clip.onset, clip.apex, clip.offset} >= set(present) and offset - onset >= len(present):
        raise ModelError(
            f"Only key frames are aligned, and the network sees {spec.frames} frames of each clip",
            where=f"{file.path}, {clip.id}",
            expected=f"the frames {onset} to {offset}",
            found=", ".join(map(str, present)),
            mend="run `merprep align --frames all`",
        )


def stored_shape(file: AlignedFile, clips: Sequence[Clip], spec: InputSpec) -> tuple[int, ...]:
    """Return the shape of every clip's stored pictures: (C, S, S), or (C, T, S, S) where there are several."""
    side = spec.size
    if spec.train_size:
        # Training and testing need different sizes, each of them from the picture as it is.
        side = file.frames(clips[0].id, file.numbers(clips[0].id)[:1]).shape[1]
    colours = len(spec.channels)
    if not spec.frames:
        return colours, side, side
    if spec.sampling == "even":
        return colours, spec.frames + 2, side, side
    # All frames that may be drawn, then onset, apex, and one that says how many there are to draw from.
    longest = max(len(_window(file, clip, spec)) for clip in clips)
    return colours, max(longest, spec.frames) + 3, side, side


def read_pictures(file: AlignedFile, clip: Clip, spec: InputSpec, shape: tuple[int, ...]) -> Pictures:
    """Read one clip, as (C, S, S) or (C, T, S, S) uint8 of the given shape.

    Along the time axis stand the frames of the clip, its onset and its apex. Where the frames are drawn at random they
    are all here, and a last slice, filled with their number, says how many of them count.
    """
    present = file.numbers(clip.id)
    onset, apex, _ = key_frames(clip, present)
    if not spec.frames:
        return coloured(file.frames(clip.id, [apex]), spec, shape[-1])[:, 0]
    window = _window(file, clip, spec)
    if spec.sampling == "even":
        numbers, before, behind = even_frames(window, spec.frames)
    else:
        numbers, before, behind = window, 0, shape[1] - 3 - len(window)
    taken = coloured(file.frames(clip.id, [*numbers, onset, apex]), spec, shape[-1])
    video, keys = taken[:, :-2], taken[:, -2:]
    parts = [*[_padding(video[:, :1], spec)] * before, video, *[_padding(video[:, -1:], spec)] * behind, keys]
    if spec.sampling == "random":
        parts.append(np.full_like(video[:, :1], len(window)))
    return np.concatenate(parts, axis=1)


def _window(file: AlignedFile, clip: Clip, spec: InputSpec) -> list[int]:
    present = file.numbers(clip.id)
    onset, _, offset = key_frames(clip, present)
    return [number for number in present if onset <= number <= min(offset, onset + spec.window)]


def even_frames(window: Sequence[int], count: int) -> tuple[list[int], int, int]:
    """Return the frames that are taken, and how many places are to be padded in front and behind.

    Examples
    --------
    >>> even_frames(range(10, 21), 6)
    ([10, 12, 14, 16, 18, 20], 0, 0)
    >>> even_frames([3, 4, 5], 6)
    ([3, 4, 5], 1, 2)
    """
    if len(window) >= count:
        return [window[int(index)] for index in uniform_indices(len(window), count)], 0, 0
    missing = count - len(window)
    return list(window), missing // 2, missing - missing // 2


def _padding(frame: Pictures, spec: InputSpec) -> Pictures:
    return frame if spec.padding == "repeat" else np.zeros_like(frame)


def coloured(frames: Pictures, spec: InputSpec, side: int) -> Pictures:
    """Turn grey (T, H, W) or blue-green-red (T, H, W, 3) frames into (C, T, side, side) of the input's colours.

    Examples
    --------
    >>> frames = np.zeros((2, 8, 8, 3), np.uint8)
    >>> frames[..., 2] = 200
    >>> coloured(frames, InputSpec(representation="apex", channels=("r", "g", "b"), size=4), 4)[:, 0, 0, 0].tolist()
    [200, 0, 0]
    """
    if spec.channels == ("gray",):
        grey = frames if frames.ndim == 3 else np.rint(frames.astype(np.float32) @ _GREY).astype(np.uint8)
        found = grey[np.newaxis]
    elif frames.ndim == 3:
        found = np.repeat(frames[np.newaxis], 3, axis=0)
    else:
        found = frames[..., ::-1].transpose(3, 0, 1, 2)
    if found.shape[2:] == (side, side):
        return np.ascontiguousarray(found)
    # Smaller pictures are averaged, not picked from; one frame after the other, for whole clips are large as floats.
    resized = [
        functional.interpolate(
            torch.from_numpy(np.ascontiguousarray(found[:, index])).float()[None],
            (side, side),
            mode="bilinear",
            antialias=True,
        )[0]
        for index in range(found.shape[1])
    ]
    return cast("Pictures", torch.stack(resized, dim=1).round().clamp(0, 255).to(torch.uint8).numpy())
