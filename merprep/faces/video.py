"""Frames out of video files, one after the other from the first, so that a frame's number is never a guess."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from merprep.errors import ImageError
from merprep.faces.images import Image, checked
from merprep.media.videos import open_video


def read_video(path: Path, places: Sequence[int]) -> Iterator[Image]:
    """Yield frames of a video, by their places from 0.

    Frames before the last wanted one are decoded in order: jumping lands on a neighbouring frame in many codecs.

    Parameters
    ----------
    path : Path
    places : sequence of int
        Ascending.

    Yields
    ------
    (H, W, 3) uint8
        BGR.

    Raises
    ------
    ImageError
        Where the file cannot be opened, or ends before a frame that is wanted.
    """
    video, problem = open_video(path)
    if video is None:
        raise ImageError(
            "The video cannot be opened",
            where=str(path),
            expected="an .avi or .mp4 that OpenCV decodes",
            found=f"it {problem}",
            mend="download it again, or convert it to frames",
        )
    try:
        at = -1
        for place in places:
            while at < place:
                if not video.grab():
                    raise _ended(path, at + 1, place)
                at += 1
            worked, image = video.retrieve()
            if not worked:
                raise _ended(path, at, place)
            yield checked(image, where=f"{path}, frame {place}")
    finally:
        video.release()


def _ended(path: Path, found: int, place: int) -> ImageError:
    return ImageError(
        "The video ends before a frame that is wanted",
        where=str(path),
        expected=f"more than {place} frames",
        found=f"{found} that decode",
        mend="download it again",
    )
