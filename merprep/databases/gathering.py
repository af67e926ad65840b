"""Puts clips on the disk as they are made: each gets an id of its own, and is counted in passing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from merprep.databases.rows import watched
from merprep.records import CLIP, Clip, Repeats
from merprep.shelf import Rows


@dataclass
class ClipCounts:
    """What is counted of clips.

    Attributes
    ----------
    frames : int
    usable : int
        Clips that are not excluded.
    early : int
        Usable clips that begin before their onset.
    persons : set of str
    variants, emotions : Counter
    """

    frames: int = 0
    usable: int = 0
    early: int = 0
    persons: set[str] = field(default_factory=set)
    variants: Counter[str] = field(default_factory=Counter)
    emotions: Counter[str] = field(default_factory=Counter)

    def add(self, clip: Clip) -> None:
        """Take a clip into account."""
        self.frames += len(clip.frames)
        self.persons.add(clip.person)
        self.variants[clip.variant] += 1
        self.emotions[clip.emotion] += 1
        if clip.status == "ok" and clip.onset is not None:
            self.usable += 1
            self.early += clip.frames.numbers[0] < clip.onset

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; emotions that differ only in case are counted under the commoner spelling."""
        named = Counter({name: count for name, count in self.variants.items() if name})
        return {
            "frames": self.frames,
            "subjects": len(self.persons),
            "variants": dict(named.most_common()),
            "emotions": _by_emotion(Counter({name: count for name, count in self.emotions.items() if name})),
        }


def gathered(clips: Iterable[Clip]) -> tuple[Sequence[Clip], ClipCounts]:
    """Return the clips, on the disk, and their counts.

    Clips whose names differ only in spelling that the ids do not keep get a number of their own.

    Examples
    --------
    >>> again = Clip("samm", "006", "006_1_2", person="samm:6", emotion="Anger")
    >>> clips, counts = gathered([again, again])
    >>> [clip.id for clip in clips], counts.as_json()["emotions"]
    (['samm/006/006_1_2', 'samm/006/006_1_2 (2)'], {'Anger': 2})
    """
    repeats, counts = Repeats(), ClipCounts()
    rows = Rows(_counted(watched(clips, repeats, _id), counts), CLIP)
    twice = set(repeats.among(map(_id, rows)))
    return (Rows(_numbered(rows, twice), CLIP) if twice else rows), counts


def _counted(clips: Iterable[Clip], counts: ClipCounts) -> Iterator[Clip]:
    for clip in clips:
        counts.add(clip)
        yield clip


def _numbered(clips: Iterable[Clip], twice: set[str]) -> Iterator[Clip]:
    seen: Counter[str] = Counter()
    for clip in clips:
        if clip.id in twice:
            seen[clip.id] += 1
        again = seen[clip.id]
        yield replace(clip, clip=f"{clip.clip} ({again})") if again > 1 else clip


def _id(clip: Clip) -> str:
    return clip.id


def _by_emotion(counts: Counter[str]) -> dict[str, int]:
    spelling: dict[str, str] = {}
    for emotion, _ in counts.most_common():
        spelling.setdefault(emotion.casefold(), emotion)
    merged: Counter[str] = Counter()
    for emotion, count in counts.items():
        merged[spelling[emotion.casefold()]] += count
    return dict(merged.most_common())
