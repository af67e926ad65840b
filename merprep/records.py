"""The frozen records that travel between the rooms: a clip, its frames, a stage's account."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np

from merprep.errors import UsageError
from merprep.shelf import Codec, Rows

ApexSource = Literal["annotated", "errata", "midpoint", "spotted", "none"]
Status = Literal["ok", "excluded"]
State = Literal["done", "skipped", "failed"]
_FIRST = "?first="


@dataclass(frozen=True, slots=True)
class FrameSet:
    """The image files of one clip: a pattern relative to the database's root, and the numbers present.

    Parameters
    ----------
    pattern : str
        POSIX path relative to the root; the run of ``#`` in its last component stands for the file number, zero
        padded to the length of the run. A pattern without ``#`` names a video file; ``?first=N`` behind it says the
        number of its first frame where that is not 1 (``?`` stands in no file name that Windows allows).
    numbers : tuple of int
        The file numbers that exist, ascending.

    Examples
    --------
    >>> frames = FrameSet("sub01/EP02_01f/img#.jpg", (46, 47, 49))
    >>> frames.path(46)
    'sub01/EP02_01f/img46.jpg'
    >>> frames.ranges()
    '46-47 49'
    >>> frames.nearest(48)
    47
    >>> video = FrameSet("video/spNO.1_a_355.mp4?first=355", (355, 356, 357))
    >>> video.is_video, video.path(356), video.index(356)
    (True, 'video/spNO.1_a_355.mp4', 1)
    """

    pattern: str = ""
    numbers: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def path(self, number: int) -> str:
        """Return the root-relative POSIX path of the frame with this file number."""
        folder, _, name = self.pattern.rpartition("/")
        found = list(re.finditer(r"#+", name))
        if not found:
            return self.pattern.partition(_FIRST)[0]
        start, stop = found[-1].span()
        name = f"{name[:start]}{number:0{stop - start}d}{name[stop:]}"
        return f"{folder}/{name}" if folder else name

    @property
    def is_video(self) -> bool:
        """Whether the frames are inside one video file."""
        return bool(self.pattern) and "#" not in self.pattern.rpartition("/")[2]

    @property
    def first(self) -> int:
        """The number of the first frame of a video file."""
        return int(self.pattern.partition(_FIRST)[2] or 1)

    def index(self, number: int) -> int:
        """Return the place, from 0, of a frame in its video file."""
        return number - self.first

    @classmethod
    def of_video(cls, path: str, numbers: tuple[int, ...], first: int = 1) -> FrameSet:
        """Make the frames of a video file whose first frame has the number `first`."""
        return cls(path if first == 1 else f"{path}{_FIRST}{first}", numbers)

    def nearest(self, number: int) -> int | None:
        """Return the existing file number nearest to `number` (the lower of two), or None without frames."""
        return min(self.numbers, key=lambda present: (abs(present - number), present), default=None)

    def ranges(self) -> str:
        """Write the numbers compactly, ``46-47 49``."""
        numbers = self.numbers
        if (
            len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1
        ):  # most likely without a gap, which is fast
            first, last = numbers[0], numbers[-1]
            if numbers == tuple(range(first, last + 1)):
                return f"{first}-{last}"
        parts: list[list[int]] = []
        for number in numbers:
            if parts and number == parts[-1][-1] + 1:
                parts[-1] = [parts[-1][0], number]
            else:
                parts.append([number])
        return " ".join("-".join(str(end) for end in part) for part in parts)

    @classmethod
    def parse(cls, pattern: str, ranges: str) -> FrameSet:
        """Read what `ranges` wrote.

        Examples
        --------
        >>> FrameSet.parse("a/#.png", "3-5 9").numbers
        (3, 4, 5, 9)
        """
        numbers: list[int] = []
        for part in ranges.split():
            first, _, last = part.partition("-")
            numbers.extend(range(int(first), int(last or first) + 1))
        return cls(pattern, tuple(numbers))


@dataclass(frozen=True, slots=True)
class Clip:
    """One micro-expression clip: a row of the manifest.

    Frame numbers (`onset`, `apex`, `offset`) are FILE numbers, those in the frames' names. `emotion` and
    `action_units` are as annotated; labels of a scheme are computed from the row when asked for, never stored.

    Examples
    --------
    >>> clip = Clip("casme2", "sub01", "EP02_01f", person="casme2:1", onset=46, apex=59, offset=86)
    >>> clip.id
    'casme2/sub01/EP02_01f'
    """

    database: str
    subject: str
    clip: str
    person: str
    variant: str = ""
    frames: FrameSet = field(default_factory=FrameSet)
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    fps: float | None = None
    emotion: str = ""
    action_units: str = ""
    objective_class: str = ""
    objective_source: Literal["", "published", "derived"] = ""
    apex_source: ApexSource = "none"
    errata: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    status: Status = "ok"
    reason: str = ""

    @property
    def id(self) -> str:
        """``database/subject/clip``."""
        return f"{self.database}/{self.subject}/{self.clip}"

    def excluded(self, reason: str) -> Clip:
        """Return this clip as unusable, with its reason."""
        return replace(self, status="excluded", reason=reason)


def _clip_as_plain(clip: Clip) -> list[Any]:
    frames = [clip.frames.pattern, clip.frames.ranges()]
    numbers = [None if number is None else int(number) for number in (clip.onset, clip.apex, clip.offset)]
    return [
        clip.database, clip.subject, clip.clip, clip.person, clip.variant, frames, *numbers, clip.fps, clip.emotion,
        clip.action_units, clip.objective_class, clip.objective_source, clip.apex_source, clip.errata, clip.notes,
        clip.status, clip.reason,
    ]  # fmt: skip


def _clip_of_plain(values: list[Any]) -> Clip:
    values[5] = FrameSet.parse(*values[5])
    values[15:17] = map(tuple, values[15:17])
    return Clip(*values)


# How clips are kept on the disk.
CLIP: Codec[Clip] = Codec(_clip_as_plain, _clip_of_plain)


def person_of(namespace: str, subject: str) -> str:
    """Name the person behind a subject's folder or cell; subjects are compared as numbers.

    Parameters
    ----------
    namespace : str
        The person namespace of the database (SAMM and SAMM-LV share one, as do the variants of SMIC).
    subject : str
        The subject as written: ``sub01``, ``006``, ``s1``, ``spNO.1``.

    Examples
    --------
    >>> person_of("smic", "s01"), person_of("smic", "s1"), person_of("samm", "006")
    ('smic:1', 'smic:1', 'samm:6')
    """
    digits = re.findall(r"\d+", subject)
    return f"{namespace}:{int(digits[-1])}" if digits else f"{namespace}:{subject.strip().lower()}"


class Repeats:
    """Finds names that occur more than once; holds eight bytes of each.

    Examples
    --------
    >>> repeats, names = Repeats(), ["a", "b", "a"]
    >>> for name in names:
    ...     repeats.add(name)
    >>> repeats.among(names)
    ['a']
    """

    def __init__(self) -> None:
        self._hashes = array("q")

    def add(self, name: str) -> None:
        """Take a name into account."""
        self._hashes.append(hash(name))

    def among(self, names: Iterable[str]) -> list[str]:
        """Return the names that several have; `names` are those that were added, walked along only where needed."""
        hashes = np.sort(np.array(self._hashes, np.int64))
        twice = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        if not twice:
            return []
        counts = Counter(name for name in names if hash(name) in twice)
        return [name for name, count in counts.items() if count > 1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one stage did with one clip.

    `reason` says why it was skipped or failed; it is empty for `done` (and may name what was `kept` from before).
    """

    clip_id: str
    state: State
    reason: str = ""


def _outcome_as_plain(outcome: Outcome) -> list[str]:
    return [outcome.clip_id, outcome.state, outcome.reason]


def _outcome_of_plain(values: list[Any]) -> Outcome:
    return Outcome(*values)


# How outcomes are kept on the disk.
OUTCOME: Codec[Outcome] = Codec(_outcome_as_plain, _outcome_of_plain)
_STATES: tuple[State, ...] = ("done", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class StageReport:
    """The account that a stage gives: every clip that went in is done, skipped or failed.

    Parameters
    ----------
    stage : str
    outcomes : sequence of Outcome
        Given as any iterable; kept on the disk (see `merprep.shelf`).
    seconds : float
        Wall clock.
    outputs : tuple of str
        The files that were written.
    next_step : str
        The command that comes next.
    notes : tuple of str

    Raises
    ------
    UsageError
        Where a clip is counted twice.

    Examples
    --------
    >>> report = StageReport("flow", (Outcome("a/1/x", "done"), Outcome("a/1/y", "skipped", "no apex")), seconds=1.5)
    >>> report.counts()
    {'in': 2, 'done': 1, 'skipped': 1, 'failed': 0}
    >>> report.reasons("skipped")
    {'no apex': 1}
    """

    stage: str
    outcomes: Sequence[Outcome]
    seconds: float = 0.0
    outputs: tuple[str, ...] = ()
    next_step: str = ""
    notes: tuple[str, ...] = ()
    # By place, the number of the state.
    _states: bytearray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        repeats, states = Repeats(), bytearray()

        def seen() -> Iterable[Outcome]:
            for outcome in self.outcomes:
                repeats.add(outcome.clip_id)
                states.append(_STATES.index(outcome.state))
                yield outcome

        rows = Rows(seen(), OUTCOME)
        object.__setattr__(self, "outcomes", rows)
        object.__setattr__(self, "_states", states)
        twice = repeats.among(outcome.clip_id for outcome in rows)
        if twice:
            raise UsageError(f"A clip is counted twice by the stage {self.stage}", where=", ".join(twice[:5]))

    def counts(self) -> dict[str, int]:
        """Return how many clips went in and what became of them; in = done + skipped + failed."""
        return {"in": len(self._states), **{name: self._states.count(code) for code, name in enumerate(_STATES)}}

    def reasons(self, state: Literal["skipped", "failed"]) -> dict[str, int]:
        """Return how often each reason was given, most frequent first."""
        return dict(Counter(outcome.reason for outcome in self.of_state(state)).most_common())

    def of_state(self, state: State) -> Sequence[Outcome]:
        """Return the outcomes in one state, in the order of the clips."""
        places = np.flatnonzero(np.array(self._states, np.uint8) == _STATES.index(state))
        return cast("Rows[Outcome]", self.outcomes).chosen(places)
