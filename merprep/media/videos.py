"""Video files: only real containers are opened, and only of a reasonable size.

The library behind OpenCV's videos also understands play lists and scripts, which name other files and addresses; a
dataset's ``clip.avi`` that is one of those must not make it fetch them.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from merprep.media.pictures import LONGEST_SIDE, MOST_PIXELS

MOST_FRAMES = 1_000_000  # 83 minutes at 200 frames a second
_BEGINNINGS = (b"RIFF", b"\x1aE\xdf\xa3", b"0&\xb2u", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"FLV", b"OggS")
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # MP4 and QuickTime, after a length


def open_video(path: Path) -> tuple[Any, str]:
    """Open a video file with OpenCV.

    Parameters
    ----------
    path : Path

    Returns
    -------
    video : cv2.VideoCapture or None
        Open; release it.
    problem : str
        Why there is none; empty otherwise.
    """
    import cv2

    problem = _unfit(path)
    if problem:
        return None, problem
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        return None, "cannot be opened: damaged, or of a kind that OpenCV does not decode"
    width, height = (int(video.get(what)) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        video.release()
        return None, f"says it has {width} by {height} pixels"
    return video, ""


def _unfit(path: Path) -> str:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            return "is no file"
        if not about.st_size:
            return "is an empty file"
        with path.open("rb") as stream:
            start = stream.read(12)
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    if start.startswith(_BEGINNINGS) or start[4:8] in _BOXES:
        return ""
    return "cannot be opened: it is no video container (AVI, MP4, MOV, MKV, WMV, MPEG)"
