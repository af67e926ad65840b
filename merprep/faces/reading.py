"""Reading a frame from disk: the whole of it, or an error that says what is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from merprep.faces.images import Image, checked
from merprep.faces.video import read_video
from merprep.media.files import check_inside, read_whole
from merprep.media.pictures import decoded
from merprep.records import FrameSet


def read_image(path: Path, *, root: Path | None = None) -> Image:
    """Read an image file as it is: grey or BGR.

    Parameters
    ----------
    path : Path
    root : Path, optional
        The folder that links may not lead out of.

    Returns
    -------
    (H, W) or (H, W, 3) uint8

    Raises
    ------
    ImageError
        Where the file is missing, empty, cut off, no image, of absurd size, not of 8 bits, or outside `root`.
    """
    image: Any = decoded(read_whole(path, root=root), where=str(path))
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[:, :, :3]  # the alpha channel of a screen shot
    return checked(image, where=str(path))


def read_frames(root: Path, frames: FrameSet, numbers: Sequence[int]) -> Iterator[Image]:
    """Yield frames of a clip, from image files or from its video file.

    Parameters
    ----------
    root : Path
        The folder that the frames' pattern is relative to.
    frames : FrameSet
    numbers : sequence of int
        File numbers, ascending.

    Yields
    ------
    (H, W) or (H, W, 3) uint8

    Raises
    ------
    ImageError
        As for `read_image`; for a video also where it ends too early. Links out of `root` are not followed.
    """
    if frames.is_video:
        path = root / frames.path(frames.first)
        check_inside(path, root)
        yield from read_video(path, [frames.index(number) for number in numbers])
        return
    for number in numbers:
        yield read_image(root / frames.path(number), root=root)
