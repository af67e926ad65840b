"""Looks at the frames themselves: that they are there and not empty, that they decode, what their bytes are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from merprep.errors import ImageError, UsageError
from merprep.media.files import read_whole
from merprep.media.pictures import decoded
from merprep.media.videos import open_video
from merprep.ordinary import sha256_of
from merprep.records import Clip, FrameSet

Verify = Literal["none", "exists", "decode", "hash"]
LEVELS = ("none", "exists", "decode", "hash")


@dataclass(frozen=True)
class FrameCheck:
    """What was found when the files of one clip were looked at.

    Attributes
    ----------
    problem : str
        What is wrong with the first bad file; empty where nothing is.
    hashes : dict of str
        SHA-256 by path below the root, where hashes were asked for.
    """

    problem: str = ""
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """One hash over the names and bytes of all files; empty without hashes."""
        if not self.hashes:
            return ""
        lines = "".join(f"{digest}  {path.rpartition('/')[2]}\n" for path, digest in sorted(self.hashes.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def clip_files(frames: FrameSet) -> tuple[str, ...]:
    """Return the paths of a clip's files below the root: one a frame, or the one video.

    Examples
    --------
    >>> clip_files(FrameSet("a/#.png", (3, 5))), clip_files(FrameSet("a.avi", (1, 2, 3)))
    (('a/3.png', 'a/5.png'), ('a.avi',))
    """
    if frames.is_video:
        return (frames.path(1),) if frames.numbers else ()
    return tuple(frames.path(number) for number in frames.numbers)


def check_frames(root: Path, clip: Clip, level: Verify) -> FrameCheck:
    """Look at every frame of one clip, up to the first bad one.

    Parameters
    ----------
    root : Path
        The folder that the clip's frames are relative to.
    clip : Clip
    level : {"none", "exists", "decode", "hash"}
        Nothing; there and not empty; also decoded; there, and hashed.

    Raises
    ------
    UsageError
        Where there is no such level.
    """
    if level not in LEVELS:
        raise UsageError(f"There is no verification {level!r}", expected=", ".join(LEVELS))
    if level == "none":
        return FrameCheck()
    hashes = {}
    for name in clip_files(clip.frames):
        problem = _presence(root / name)
        if not problem and level == "decode":
            problem = _undecodable(root / name, clip.frames)
        if not problem and level == "hash":
            problem, hashes[name] = hash_file(root / name)
        if problem:
            return FrameCheck(f"{problem}: {name}")
    return FrameCheck("", hashes)


def hash_file(path: Path) -> tuple[str, str]:
    """Return what is wrong with a file, if anything, and the SHA-256 of its bytes."""
    try:
        return "", sha256_of(path)
    except OSError as error:
        return f"unreadable file ({error.strerror or error})", ""


def _presence(path: Path) -> str:
    try:
        return "" if path.stat().st_size else "empty file"
    except OSError as error:
        return f"unreadable file ({error.strerror or error})"


def _undecodable(path: Path, frames: FrameSet) -> str:
    if frames.is_video:
        return _short_video(path, frames.index(frames.numbers[-1]) + 1)
    return "" if _decodes(path) else "unreadable image"


def _decodes(path: Path) -> bool:
    try:
        decoded(read_whole(path), where=str(path))
    except ImageError:
        return False
    return True


def _short_video(path: Path, needed: int) -> str:
    video, problem = open_video(path)
    if video is None:
        return f"unreadable video (it {problem})"
    try:
        found = 0
        while found < needed and video.grab():
            found += 1
        return "" if found == needed else f"unreadable video ({found} of {needed} frames decode)"
    finally:
        video.release()
