"""Finished clips on their way into one file: kept from the file of an earlier run, or from parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from merprep.records import Clip
from merprep.store.clip_file import ClipFile
from merprep.store.parts import Arrays, Parts

File = TypeVar("File", bound=ClipFile)
Made = TypeVar("Made")


@dataclass(frozen=True)
class Finished(Generic[File, Made]):
    """Where finished clips are, and how they are read.

    Parameters
    ----------
    final : Path
        The file of an earlier run, and of this one.
    kept : collection of str
        Ids of the clips that stay as they are in it.
    parts : Parts
    digests : mapping of str to str
        By clip id, of what its part was made from.
    command : str
        What makes the file, for messages.
    opened : callable
        Opens the file.
    reader : callable
        From the open file to what reads one clip of it by its id.
    from_part : callable
        From the arrays of a part and its digest to the same.
    """

    final: Path
    kept: Collection[str]
    parts: Parts
    digests: Mapping[str, str]
    command: str
    opened: Callable[[Path], File]
    reader: Callable[[File], Callable[[str], Made]]
    from_part: Callable[[Arrays, str], Made]

    def rows(self, clips: Sequence[Clip]) -> Iterator[tuple[Clip, Made]]:
        """Yield the clips one by one; the earlier file is closed before the new one takes its name."""
        with ExitStack() as stack:
            earlier = None
            if self.kept:
                file = self.opened(self.final)
                stack.callback(file.close)
                earlier = self.reader(file)
            for clip in clips:
                if earlier is not None and clip.id in self.kept:
                    yield clip, earlier(clip.id)
                else:
                    digest = self.digests[clip.id]
                    yield clip, self.from_part(self.parts.take(clip.id, digest, self.command), digest)

    def gather(self, done: Sequence[Clip], write: Callable[[Iterator[tuple[Clip, Made]]], object]) -> None:
        """Let `write` put the finished clips, one or more, into one file, unless the file there says just that."""
        if not self._has(done):
            write(self.rows(done))
        self.parts.clear()

    def _has(self, clips: Sequence[Clip]) -> bool:
        if len(self.kept) != len(clips) or not all(clip.id in self.kept for clip in clips):
            return False
        with self.opened(self.final) as file:
            return file.says(clips)
