"""How many frames a video file holds."""

from __future__ import annotations

from pathlib import Path

from merprep.media.videos import MOST_FRAMES, open_video


def count_frames(path: Path) -> tuple[int, str]:
    """Count the frames of a video: by what its container says, or, where that is silent, one by one.

    Returns
    -------
    count : int
        0 where the file is no video.
    problem : str
        Why there are none; empty otherwise.
    """
    import cv2

    video, problem = open_video(path)
    if video is None:
        return 0, f"the video {path.name} {problem}"
    try:
        said = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        count = said if 0 < said <= MOST_FRAMES else _counted(video)
        return count, "" if count else f"the video {path.name} holds no frame"
    finally:
        video.release()


def _counted(video: object) -> int:
    count = 0
    while count < MOST_FRAMES and video.grab():  # type: ignore[attr-defined]
        count += 1
    return count
