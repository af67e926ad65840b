"""What a fake database will hold: for each clip its truth, its files and who is in it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from merprep.labels import emotion_word
from merprep.manifest_data import load_table
from merprep.records import FrameSet


@dataclass(frozen=True)
class ClipPlan:
    """One clip of a fake database.

    Attributes
    ----------
    subject, clip, emotion : str
        As the sheet writes them.
    onset, apex, offset : int
        File numbers; apex None where none is annotated.
    first, last : int
        The files that are laid on disk.
    folder : str
        POSIX, below the root of the frames.
    file : str
        The name of a frame; a run of ``#`` stands for its number.
    face : int
        Whose face is rendered.
    action_units : tuple of str
    in_sheet : bool
        Whether the sheet has a row for it.
    kind : str
        ``micro`` or ``macro``, or the part of the database; empty where there is only one.
    video : str
        The recording that the clip is cut out of, for releases of whole recordings.
    fps : float
        0 is the rate of the database.
    begins : int
        The number of the first frame of a video file.
    gaps : tuple of int
        Files between `first` and `last` that are not there.
    name : str
        Whose pixels it shows in every layout; the folder where it is empty.
    """

    subject: str
    clip: str
    emotion: str
    onset: int
    apex: int | None
    offset: int
    first: int
    last: int
    folder: str
    file: str
    face: int
    action_units: tuple[str, ...] = ()
    in_sheet: bool = True
    kind: str = ""
    video: str = ""
    fps: float = 0
    begins: int = 1
    gaps: tuple[int, ...] = ()
    name: str = ""

    @property
    def frames(self) -> FrameSet:
        """The files on disk."""
        numbers = tuple(number for number in range(self.first, self.last + 1) if number not in self.gaps)
        path = f"{self.folder}/{self.file}" if self.folder else self.file
        return FrameSet(path, numbers) if "#" in self.file else FrameSet.of_video(path, numbers, self.begins)

    @property
    def peak(self) -> int:
        """The frame in which the expression is rendered strongest: the apex, or the middle."""
        middle = self.onset + (self.offset - self.onset) // 2
        return middle if self.apex is None else self.apex

    def seed(self, seed: int) -> int:
        """Return the seed of this clip's pixels."""
        return zlib.crc32(f"{seed} {self.name or self.folder}".encode())


@dataclass(frozen=True)
class Cast:
    """Who plays: how many subjects, clips of a class each and frames a clip, from which seed, for which table."""

    subjects: int
    clips_per_class: int
    seed: int
    n_frames: int = 24
    table: str = ""
    layout: str = ""

    def roles(self, database: str) -> Iterator[tuple[int, int, str]]:
        """Yield (subject from 1, number of the clip within the subject from 1, emotion) for every clip."""
        for subject in range(1, self.subjects + 1):
            number = 0
            for words in disk(database)["classes"]:
                for index in range(self.clips_per_class):
                    number += 1
                    yield subject, number, words[(subject + index) % len(words)]


@cache
def disk(database: str) -> dict[str, Any]:
    """Return what `manifests/synthetic/disk.toml` says of a database."""
    table: dict[str, Any] = load_table("synthetic", "disk")[database]
    return table


def usual_units(emotion: str) -> tuple[str, ...]:
    """Return action units that go with an emotion, for sheets whose frames are not rendered.

    Examples
    --------
    >>> usual_units("Happiness")
    ('12', '6')
    """
    table = load_table("synthetic", "emotions")
    word = emotion_word(emotion)
    rows = table.get(word) or table[table.get("synonyms", {}).get(word, "others")]
    return tuple(_unit(unit) for unit in rows[0])


def _unit(unit: int | str) -> str:
    text = str(unit)
    return f"L{text[:-1]}" if text.endswith("u") else text
