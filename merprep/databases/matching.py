"""Which folder belongs to which row of the sheet, whatever the spelling of either."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from merprep.databases.folders import ClipFolder
from merprep.databases.keys import Key, name_key, subject_key


@dataclass(frozen=True)
class ClipName:
    """A subject and a clip as a sheet writes them."""

    subject: str
    clip: str

    @property
    def key(self) -> tuple[Key, Key]:
        """The clip, whatever its spelling."""
        return subject_key(self.subject), name_key(self.clip)


def match_folders(
    names: Sequence[ClipName], folders: Sequence[ClipFolder], *, shared: bool = False
) -> list[ClipFolder | None]:
    """Return the folder of each name, each folder at most once unless folders are `shared`.

    Subjects are compared as numbers, and not at all where no folder tells its subject. Clip names are compared first
    as they stand, then without case, then with runs of digits as numbers, so that an exact name is never taken by a
    similar one.

    Examples
    --------
    >>> folder = ClipFolder("Sub1", "ep02_01F", "", "Sub1/ep02_01F")
    >>> match_folders([ClipName("01", "EP02_01f")], [folder])[0].path
    'Sub1/ep02_01F'
    """
    if folders and not any(folder.subject for folder in folders):
        names = [ClipName("", name.clip) for name in names]
    chosen: list[ClipFolder | None] = [None] * len(names)
    free = dict.fromkeys(folders)
    ways: tuple[Callable[[str, str], Hashable], ...] = (_exactly, _without_case, _as_numbers)
    for way in ways:
        index: dict[Hashable, list[ClipFolder]] = {}
        for folder in free:
            index.setdefault(way(folder.subject, folder.clip), []).append(folder)
        for place, name in enumerate(names):
            fitting = index.get(way(name.subject, name.clip), [])
            if chosen[place] is None and fitting:
                chosen[place] = fitting[0] if shared else fitting.pop(0)
        taken = set() if shared else set(chosen)
        free = dict.fromkeys(folder for folder in free if folder not in taken)
    return chosen


def _exactly(subject: str, clip: str) -> Hashable:
    return subject_key(subject), clip.strip()


def _without_case(subject: str, clip: str) -> Hashable:
    return subject_key(subject), clip.strip().casefold()


def _as_numbers(subject: str, clip: str) -> Hashable:
    return subject_key(subject), name_key(clip)
