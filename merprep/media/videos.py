"""Video files: only real containers are opened, and only of a reasonable size.

The library behind OpenCV's videos also understands play lists and scripts, which name other files and addresses; a
dataset's ``clip.avi`` that is one of those must not make it fetch them.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from merprep.media.pictures import header

# 8K video; a decoder holds several frames of that at a time.
MOST_PIXELS = 1 << 25
LONGEST_SIDE = 1 << 14
_HEADERS = 1 << 18  # bytes at either end of a file, where headers are
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
    if _is_absurd(width, height):
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
            start = stream.read(_HEADERS)
            stream.seek(max(0, about.st_size - _HEADERS))
            end = stream.read(_HEADERS)
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    if not (start.startswith(_BEGINNINGS) or start[4:8] in _BOXES):
        return "cannot be opened: it is no video container (AVI, MP4, MOV, MKV, WMV, MPEG)"
    # Opening decodes the first frames already, and they may be of any size that a header asks for.
    sizes = (size for part in (start, end) for size in _sizes(part) if _is_absurd(*size))
    return next((f"says it has {width} by {height} pixels" for width, height in sizes), "")


def _is_absurd(width: int, height: int) -> bool:
    return width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE


def _sizes(part: bytes) -> Iterator[tuple[int, int]]:
    """Yield the sizes that headers of AVI and MP4 name, and those of JPEG frames."""
    for place in _places(part, b"avih"):
        yield from _unpacked("<II", part, place + 8 + 32)
    for place in _places(part, b"strf"):
        yield from _unpacked("<ii", part, place + 8 + 4)
    for place in _places(part, b"stsd"):
        yield from _unpacked(">HH", part, place + 12 + 32)
    for place in _places(part, b"\xff\xd8\xff"):
        try:
            frame = header(part[place : place + (1 << 16)])
        except ValueError:
            continue
        yield frame.width, frame.height


def _places(part: bytes, what: bytes) -> Iterator[int]:
    place = part.find(what)
    while place >= 0:
        yield place
        place = part.find(what, place + 1)


def _unpacked(form: str, part: bytes, place: int) -> Iterator[tuple[int, int]]:
    if place + struct.calcsize(form) <= len(part):
        width, height = struct.unpack_from(form, part, place)
        yield abs(width), abs(height)
