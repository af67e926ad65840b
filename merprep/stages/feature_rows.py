"""Finished clips of features, on their way into one file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from merprep.records import Clip
from merprep.stages.finished import Finished
from merprep.store.features import ClipFeatures, FeatureFile, FeatureHeader, open_features, write_features
from merprep.store.parts import Parts

FinishedFeatures = Finished[FeatureFile, ClipFeatures]


def finished_features(final: Path, kept: Collection[str], parts: Parts, digests: Mapping[str, str]) -> FinishedFeatures:
    """Say where finished clips of features are."""
    return Finished(final, kept, parts, digests, "merprep flow", open_features, _reader, ClipFeatures.from_arrays)


def _reader(file: FeatureFile) -> Callable[[str], ClipFeatures]:
    rows = {name: row for row, name in enumerate(file.clips["id"])}
    return lambda clip_id: file.row(rows[clip_id])


def gather(finished: FinishedFeatures, header: FeatureHeader, done: Sequence[Clip]) -> None:
    """Write the finished clips, one or more, into one file, unless the file there says just that."""
    finished.gather(done, lambda rows: write_features(finished.final, header, rows, len(done)))
