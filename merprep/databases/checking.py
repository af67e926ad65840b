"""Looks at the frames themselves: that they are there and not empty, that they decode, what their bytes are."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from merprep.errors import UsageError
from merprep.records import Clip

Verify = Literal["none", "exists", "decode", "hash"]
LEVELS = ("none", "exists", "decode", "hash")


def check_frames(root: Path, clip: Clip, level: Verify) -> tuple[str, str]:
    """Look at every frame of one clip.

    Parameters
    ----------
    root : Path
        The folder that the clip's frames are relative to.
    clip : Clip
    level : {"none", "exists", "decode", "hash"}
        Nothing; there and not empty; also decoded; there, and hashed.

    Returns
    -------
    problem : str
        What is wrong with the first bad frame; empty where nothing is.
    digest : str
        SHA-256 over the names and bytes of the frames for ``hash``, else empty.

    Raises
    ------
    UsageError
        Where there is no such level.
    """
    if level not in LEVELS:
        raise UsageError(f"There is no verification {level!r}", expected=", ".join(LEVELS))
    if level == "none":
        return "", ""
    digest = hashlib.sha256()
    for number in clip.frames.numbers:
        name = clip.frames.path(number)
        problem, data = _read(root / name, whole=level != "exists")
        if not problem and level == "decode" and not _decodes(data):
            problem = "unreadable image"
        if problem:
            return f"{problem}: {name}", ""
        digest.update(f"{name.rpartition('/')[2]} {len(data)}\n".encode() + data)
    return "", digest.hexdigest() if level == "hash" else ""


def _read(path: Path, *, whole: bool) -> tuple[str, bytes]:
    try:
        if not path.stat().st_size:
            return "empty file", b""
        return "", path.read_bytes() if whole else b""
    except OSError as error:
        return f"unreadable file ({error.strerror or error})", b""


def _decodes(data: bytes) -> bool:
    import cv2
    import numpy as np

    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) is not None
    except cv2.error:
        return False
