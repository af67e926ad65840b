"""Which folder belongs to which row of the sheet, whatever the spelling of either."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from operator import itemgetter
from typing import Any

from merprep.databases.folders import ClipFolder
from merprep.databases.keys import Key, name_key, subject_key
from merprep.shelf import Codec, in_order

# The place of a folder that is not there.
NONE = -1


@dataclass(frozen=True)
class ClipName:
    """A subject and a clip as a sheet writes them."""

    subject: str
    clip: str

    @property
    def key(self) -> tuple[Key, Key]:
        """The clip, whatever its spelling."""
        return subject_key(self.subject), name_key(self.clip)


CLIP_NAME: Codec[ClipName] = Codec(lambda name: [name.subject, name.clip], lambda texts: ClipName(*texts))


def match_folders(names: Sequence[ClipName], folders: Sequence[ClipFolder], *, shared: bool = False) -> array[int]:
    """Return the place of each name's folder among the folders, each folder at most once unless they are `shared`.

    Subjects are compared as numbers, and not at all where no folder tells its subject. Clip names are compared first
    as they stand, then without case, then with runs of digits as numbers, so that an exact name is never taken by a
    similar one. A name without a folder has the place `NONE`. Eight bytes a name and one a folder are held.

    Examples
    --------
    >>> folder = ClipFolder("Sub1", "ep02_01F", "", "Sub1/ep02_01F")
    >>> match_folders([ClipName("01", "EP02_01f"), ClipName("02", "EP02_01f")], [folder]).tolist()
    [0, -1]
    """
    told = any(folder.subject for folder in folders)
    chosen, taken = array("q", [NONE]) * len(names), bytearray(len(folders))
    ways: tuple[Callable[[str, str], tuple[Key, Key | str]], ...] = (_exactly, _without_case, _as_numbers)
    for way in ways:
        if NONE not in chosen or 0 not in taken:
            break
        lost = (
            (ascii(way(name.subject if told else "", name.clip)), place)
            for place, name in enumerate(names)
            if chosen[place] == NONE
        )
        free = (
            (ascii(way(folder.subject, folder.clip)), place) for place, folder in enumerate(folders) if not taken[place]
        )
        for wanted, fitting in alike(lost, free):
            for place, folder in zip(wanted, repeat(fitting[0]) if shared else fitting, strict=False):
                chosen[place] = folder
                taken[folder] = not shared
    return chosen


def alike(
    names: Iterable[tuple[str, int]], folders: Iterable[tuple[str, int]]
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the places of the names and of the folders that have a key in common, each in their order.

    Examples
    --------
    >>> list(alike([("a", 0), ("b", 1), ("a", 2)], [("c", 0), ("a", 1)]))
    [([0, 2], [1])]
    """
    both: Iterator[Any] = chain(([key, 0, place] for key, place in names), ([key, 1, place] for key, place in folders))
    for _, group in groupby(in_order(both, lambda entry: entry[0].encode()), itemgetter(0)):
        sides: tuple[list[int], list[int]] = ([], [])
        for _, side, place in group:
            sides[side].append(place)
        if all(sides):
            yield sides


def _exactly(subject: str, clip: str) -> tuple[Key, str]:
    return subject_key(subject), clip.strip()


def _without_case(subject: str, clip: str) -> tuple[Key, str]:
    return subject_key(subject), clip.strip().casefold()


def _as_numbers(subject: str, clip: str) -> tuple[Key, Key]:
    return subject_key(subject), name_key(clip)
