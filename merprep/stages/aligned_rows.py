"""Finished clips of aligned faces, on their way into one file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from merprep.records import Clip
from merprep.store.aligned import AlignedHeader, ClipFaces, open_aligned, write_aligned
from merprep.store.parts import Parts


@dataclass(frozen=True)
class FinishedFaces:
    """Where finished clips are: in the file of an earlier run, or in parts.

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
    """

    final: Path
    kept: Collection[str]
    parts: Parts
    digests: Mapping[str, str]
    command: str

    def rows(self, clips: Sequence[Clip]) -> Iterator[tuple[Clip, ClipFaces]]:
        """Yield the clips one by one; the earlier file is closed before the new one takes its name."""
        with ExitStack() as stack:
            earlier = stack.enter_context(open_aligned(self.final)) if self.kept else None
            for clip in clips:
                if earlier is not None and clip.id in self.kept:
                    yield clip, earlier.faces(clip.id)
                else:
                    arrays = self.parts.take(clip.id, self.digests[clip.id], self.command)
                    yield clip, ClipFaces.from_arrays(arrays)


def gather(finished: FinishedFaces, header: AlignedHeader, done: Sequence[Clip]) -> None:
    """Write the finished clips, one or more, into one file, unless the file there says just that."""
    if set(finished.kept) != {clip.id for clip in done} or not _says(finished.final, done):
        needed = finished.parts.size() + (finished.final.stat().st_size if finished.kept else 0)
        write_aligned(finished.final, header, finished.rows(done), needed=needed)
    finished.parts.clear()


def _says(final: Path, clips: Sequence[Clip]) -> bool:
    with open_aligned(final) as file:
        return file.says(clips)
