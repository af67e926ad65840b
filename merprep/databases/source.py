"""What the clips of one database are made from: its description, what was found on disk, the corrections."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from merprep.databases.errata import ErrataBook
from merprep.databases.folders import ClipFolder, FoundLayout
from merprep.databases.frames import read_frames
from merprep.databases.keyframes import MissingFrames
from merprep.databases.spec import DatabaseSpec
from merprep.records import FrameSet
from merprep.shelf import Codec, Shelf

Frames = tuple[FrameSet, list[str]]
_FRAMES: Codec[Frames] = Codec(
    lambda found: [found[0].pattern, found[0].ranges(), found[1]],
    lambda values: (FrameSet.parse(values[0], values[1]), values[2]),
)
# Recordings whose frames are at hand; sheets name the clips of a recording one after the other.
_AT_HAND = 16


@dataclass(frozen=True)
class Source:
    """What the clips of one database are made from; the frames of a recording are read once."""

    spec: DatabaseSpec
    found: FoundLayout
    book: ErrataBook
    missing: MissingFrames
    # The sheet of another database, for fields that are joined.
    extra: Path | None = None
    _at_hand: dict[str, Frames] = field(default_factory=dict)
    _known: Shelf[Frames] = field(default_factory=lambda: Shelf(codec=_FRAMES))

    def frames(self, folder: ClipFolder) -> Frames:
        """Return the frames of a folder, and notes on them."""
        layout = self.found.layout
        if not (layout.shared or layout.global_numbers):  # then it is asked for once
            return self._read(folder)
        if folder.path not in self._at_hand:
            if folder.path not in self._known:
                self._known[folder.path] = self._read(folder)
            if len(self._at_hand) == _AT_HAND:
                del self._at_hand[next(iter(self._at_hand))]
            self._at_hand[folder.path] = self._known[folder.path]
        frames, notes = self._at_hand[folder.path]
        return frames, list(notes)

    def _read(self, folder: ClipFolder) -> Frames:
        return read_frames(self.spec, self.found.layout, self.found.root, folder, tree=self.found.tree)
