"""Finished clips of features, on their way into one file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from merprep.records import Clip
from merprep.store.features import ClipFeatures, FeatureHeader, open_features, write_features
from merprep.store.parts import Parts


@dataclass(frozen=True)
class FinishedFeatures:
    """Where finished clips are: in the feature file of an earlier run, or in parts.

    Parameters
    ----------
    final : Path
        The file of an earlier run, and of this one.
    kept : collection of str
        Ids of the clips that stay as they are in it.
    parts : Parts
    digests : mapping of str to str
        By clip id, of what its part was made from.
    """

    final: Path
    kept: Collection[str]
    parts: Parts
    digests: Mapping[str, str]

    def rows(self, clips: Sequence[Clip]) -> Iterator[tuple[Clip, ClipFeatures]]:
        """Yield the clips one by one; the earlier file is closed before the new one takes its name."""
        with ExitStack() as stack:
            earlier = stack.enter_context(open_features(self.final)) if self.kept else None
            rows = {} if earlier is None else {name: row for row, name in enumerate(earlier.clips["id"])}
            for clip in clips:
                if earlier is not None and clip.id in self.kept:
                    yield clip, earlier.row(rows[clip.id])
                else:
                    digest = self.digests[clip.id]
                    yield clip, ClipFeatures.from_arrays(self.parts.take(clip.id, digest, "merprep flow"), digest)


def gather(finished: FinishedFeatures, header: FeatureHeader, done: Sequence[Clip]) -> None:
    """Write the finished clips, one or more, into one file, unless the file there says just that."""
    if set(finished.kept) != {clip.id for clip in done} or not _says(finished.final, done):
        write_features(finished.final, header, finished.rows(done), len(done))
    finished.parts.clear()


def _says(final: Path, clips: Sequence[Clip]) -> bool:
    with open_features(final) as file:
        return file.says(clips)
