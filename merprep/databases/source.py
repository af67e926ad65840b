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


@dataclass(frozen=True)
class Source:
    """What the clips of one database are made from; frames are read once a folder."""

    spec: DatabaseSpec
    found: FoundLayout
    book: ErrataBook
    missing: MissingFrames
    # The sheet of another database, for fields that are joined.
    extra: Path | None = None
    # What is in a folder, read once however many clips it holds.
    known: dict[str, tuple[FrameSet, list[str]]] = field(default_factory=dict)

    def frames(self, folder: ClipFolder) -> tuple[FrameSet, list[str]]:
        """Return the frames of a folder, and notes on them."""
        if folder.path not in self.known:
            self.known[folder.path] = read_frames(
                self.spec, self.found.layout, self.found.root, folder, tree=self.found.tree
            )
        frames, notes = self.known[folder.path]
        return frames, list(notes)
