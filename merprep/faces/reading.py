"""Reading a frame from disk: the whole of it, or an error that says what is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from merprep.errors import ImageError
from merprep.faces.images import Image, checked
from merprep.faces.video import read_video
from merprep.records import FrameSet

# How each format's file ends. OpenCV decodes a cut-off file into a picture whose lower part is grey, without a word.
_ENDS = ((b"\xff\xd8", b"\xff\xd9"), (b"\x89PNG", b"IEND"))
_TRAILER = 4096  # bytes; some cameras write a little after the end


def read_image(path: Path) -> Image:
    """Read an image file as it is: grey or BGR.

    Returns
    -------
    (H, W) or (H, W, 3) uint8

    Raises
    ------
    ImageError
        Where the file is missing, empty, cut off, no image, or not of 8 bits.
    """
    import cv2

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(f"The image cannot be read: {error.strerror}", where=str(path)) from error
    if not _is_whole(content):
        raise _broken(path, f"a file of {len(content)} bytes that is cut off")
    try:
        # From a buffer, since cv2.imread cannot open every file name on Windows.
        image: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    except cv2.error:
        image = None
    if image is None:
        raise _broken(path, f"{len(content)} bytes that no image decoder understands" if content else "an empty file")
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
        As for `read_image`; for a video also where it ends too early.
    """
    if frames.is_video:
        yield from read_video(root / frames.path(frames.first), [frames.index(number) for number in numbers])
        return
    for number in numbers:
        yield read_image(root / frames.path(number))


def _is_whole(content: bytes) -> bool:
    for start, end in _ENDS:
        if content.startswith(start):
            return end in content[-_TRAILER:]
    return True


def _broken(path: Path, found: str) -> ImageError:
    return ImageError(
        "The image file is broken",
        where=str(path),
        expected="an 8-bit JPEG, PNG, BMP or other format that OpenCV reads",
        found=found,
        mend="extract or download it again",
    )
