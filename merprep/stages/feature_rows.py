"""Finished clips of features, on their way into one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from merprep.records import Clip
from merprep.stages.finished import Finished
from merprep.store.features import ClipFeatures, FeatureFile, FeatureHeader, write_features
from merprep.store.parts import Parts

FinishedFeatures = Finished[FeatureFile, ClipFeatures]


def finished_features(
    final: Path, kept: Mapping[str, int], parts: Parts, digests: Mapping[str, str]
) -> FinishedFeatures:
    """Say where finished clips of features are; `kept` has their rows in the file of an earlier run."""
    return Finished(
        final,
        kept,
        parts,
        digests,
        "merprep flow",
        FeatureFile,
        lambda file: lambda clip_id: file.row(kept[clip_id]),
        ClipFeatures.from_arrays,
    )


def gather(finished: FinishedFeatures, header: FeatureHeader, done: Sequence[Clip]) -> None:
    """Write the finished clips, one or more, into one file, unless the file there says just that."""
    finished.gather(done, lambda rows: write_features(finished.final, header, rows, len(done)))
