"""How many frames a video file holds."""

from __future__ import annotations

from pathlib import Path


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

    try:
        if not path.stat().st_size:
            return 0, f"the video {path.name} is an empty file"
    except OSError as error:
        return 0, f"the video {path.name} cannot be read: {error.strerror or error}"
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            return 0, f"the video {path.name} cannot be opened: damaged, or of a kind that OpenCV does not decode"
        said = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        count = said if 0 < said < 10_000_000 else _counted(video)
        return count, "" if count else f"the video {path.name} holds no frame"
    finally:
        video.release()


def _counted(video: object) -> int:
    count = 0
    while video.grab():  # type: ignore[attr-defined]
        count += 1
    return count
