"""Finished clips of aligned faces, on their way into one file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from merprep.records import Clip
from merprep.stages.finished import Finished
from merprep.store.aligned import AlignedFile, AlignedHeader, ClipFaces, open_aligned, write_aligned
from merprep.store.parts import Parts

FinishedFaces = Finished[AlignedFile, ClipFaces]


def finished_faces(
    final: Path, kept: Collection[str], parts: Parts, digests: Mapping[str, str], command: str
) -> FinishedFaces:
    """Say where finished clips of aligned faces are; `command` is what makes the file."""
    return Finished(
        final,
        kept,
        parts,
        digests,
        command,
        open_aligned,
        lambda file: file.faces,
        lambda arrays, _: ClipFaces.from_arrays(arrays),
    )


def gather(finished: FinishedFaces, header: AlignedHeader, done: Sequence[Clip]) -> None:
    """Write the finished clips, one or more, into one file, unless the file there says just that."""

    def write(rows: Iterator[tuple[Clip, ClipFaces]]) -> None:
        needed = finished.parts.size() + (finished.final.stat().st_size if finished.kept else 0)
        write_aligned(finished.final, header, rows, needed=needed)

    finished.gather(done, write)
