"""Merge: the files of shards become the files that one run over all clips would have written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from merprep.errors import StoreError
from merprep.progress import Progress, Silent
from merprep.records import Clip, Outcome, StageReport
from merprep.stages.shards import RECORD, Shard, ShardRecord, read_record, whole_digest
from merprep.stages.writing import one_writer
from merprep.store.accounts import keep_account
from merprep.store.aligned import AlignedFile, AlignedHeader, open_aligned, write_aligned
from merprep.store.clip_file import ClipFile
from merprep.store.features import FeatureFile, open_features, write_features
from merprep.store.manifest import Manifest, read_manifest, write_manifest
from merprep.store.workspace import Workspace


@dataclass(frozen=True)
class MergeResult:
    """What was merged.

    Attributes
    ----------
    files : tuple of Path
        What was written.
    shards : tuple of Path
        What it was made from; `merprep clean` frees their room.
    """

    files: tuple[Path, ...]
    shards: tuple[Path, ...]
    report: StageReport


@one_writer
def merge(workspace: Workspace, shards: Sequence[str | Path] = (), *, progress: Progress | None = None) -> MergeResult:
    """Make one file of the files of all shards, equal in every dataset to that of a run over all clips.

    Parameters
    ----------
    workspace : Workspace
        The whole.
    shards : sequence of path-like, optional
        The shards' folders, or files in them; none takes those in the workspace's folder ``shards``.
    progress : Progress, optional

    Raises
    ------
    StoreError
        Where a shard is missing, unfinished or there twice, was made with other settings, versions or another list
        of clips, or holds clips that are not its own.

    Examples
    --------
    >>> merge(Workspace("study"))  # doctest: +SKIP
    """
    began = time.perf_counter()
    manifest = read_manifest(workspace)
    records = _records(workspace, shards)
    _check_complete(records)
    _check_same_clips(records, whole_digest(manifest))
    files, done = [], set()
    for name in _finished(records):
        paths = {record.shard: record.folder / name for record in records}
        found, clips = _merged(workspace, manifest, name, paths, progress or Silent())
        files += found
        done |= clips
    _note(workspace, manifest, records)
    outcomes = [
        Outcome(c.id, "done") if c.id in done else Outcome(c.id, "skipped", "its shard's report says why")
        for c in manifest.clips
    ]
    report = StageReport(
        "merge", tuple(outcomes), time.perf_counter() - began, tuple(map(str, files)), "merprep train --preset sanity"
    )
    return MergeResult(tuple(files), tuple(record.folder for record in records), keep_account(workspace, report))


def _records(workspace: Workspace, shards: Sequence[str | Path]) -> list[ShardRecord]:
    folders = [_folder(Path(shard)) for shard in shards] or sorted((workspace.folder / "shards").glob("*-of-*"))
    if not folders:
        raise StoreError(
            "There are no shards to merge",
            where=str(workspace.folder / "shards"),
            mend="run `merprep flow --shard 1/2` and `--shard 2/2`, or name the folders of the shards",
        )
    return sorted((read_record(folder) for folder in dict.fromkeys(folders)), key=lambda record: record.shard.index)


def _folder(path: Path) -> Path:
    """Return the shard that a path is, or is a file of."""
    return next((folder for folder in (path, *path.parents[:2]) if (folder / RECORD).is_file()), path)


def _check_complete(records: Sequence[ShardRecord]) -> None:
    splits = sorted({record.shard.count for record in records})
    if len(splits) > 1:
        raise StoreError(
            "The shards are of different splits",
            found=" and ".join(f"{sum(r.shard.count == n for r in records)} of {n}" for n in splits),
            mend="name those of one split, or remove the others",
        )
    numbers = Counter(record.shard.index for record in records)
    twice = [str(index) for index, count in numbers.items() if count > 1]
    if twice:
        folders = [str(record.folder) for record in records if str(record.shard.index) in twice]
        raise StoreError("A shard is there twice", where=", ".join(folders), mend="name each shard once")
    missing = [f"{index}/{splits[0]}" for index in range(1, splits[0] + 1) if index not in numbers]
    if missing:
        raise StoreError(
            f"{len(missing)} of {splits[0]} shards are missing",
            found=", ".join(missing[:12]) + (", …" if len(missing) > 12 else ""),
            mend=f"run `--shard {missing[0]}`; an unfinished shard goes on where it stopped",
        )


def _check_same_clips(records: Sequence[ShardRecord], digest: str) -> None:
    others = [record for record in records if record.clips != digest]
    if others:
        raise StoreError(
            "A shard was made of another list of clips",
            where=str(others[0].folder),
            expected=f"the manifest's, {digest}",
            found=others[0].clips,
            mend="run that shard again: the manifest was changed since",
        )


def _finished(records: Sequence[ShardRecord]) -> list[str]:
    """Return the names of the files to merge, which all shards must have finished."""
    names = sorted({name for record in records for name in record.finished})
    for name in names:
        lacking = [f"{r.shard.index}/{r.shard.count}" for r in records if name not in r.finished]
        if lacking:
            raise StoreError(
                "The shards were made with different settings, or some are not finished",
                where=name,
                found=f"not finished by shard {', '.join(lacking[:12])}",
                mend=f"run `--shard {lacking[0]}` with the settings of the others, or remove that file from them and "
                f"its name from their {RECORD}",
            )
    return names


def _merged(
    workspace: Workspace, manifest: Manifest, name: str, paths: dict[Shard, Path], progress: Progress
) -> tuple[list[Path], set[str]]:
    """Write one file; nothing where no shard has a clip for it."""
    final = workspace.folder / name
    with ExitStack() as stack:
        opener = open_aligned if name.startswith("aligned/") else open_features
        opened = {shard: stack.enter_context(opener(path)) for shard, path in paths.items() if path.is_file()}
        if not opened:
            return [], set()
        _check_alike([*opened.values()])
        homes = _homes(manifest, opened)
        progress.start(f"merge {name}", len(homes))
        try:
            _write(final, manifest, homes, progress)
        finally:
            progress.finish()
    return [final], set(homes)


def _check_alike(files: Sequence[ClipFile]) -> None:
    first = files[0]
    for other in files[1:]:
        different = [what for what, value in _about(first).items() if _about(other)[what] != value]
        if different:
            what = different[0]
            raise StoreError(
                f"The shards were made with different {what}",
                where=f"{first.path} and {other.path}",
                expected=str(_about(first)[what])[:400],
                found=str(_about(other)[what])[:400],
                mend="run one of them again, with the settings and versions of the others",
            )


def _about(file: ClipFile) -> dict[str, Any]:
    common = {"settings": file.config, "versions": file.created_with, "device": file.device}
    if isinstance(file, AlignedFile):
        return {**common, "landmarks": file.scheme}
    if not isinstance(file, FeatureFile):
        return common
    header = file.header()
    return {**common, "channels": header.channels, "units": header.units, "regions": header.region_sets}


def _homes(manifest: Manifest, opened: Mapping[Shard, Any]) -> dict[str, tuple[Any, int]]:
    """Return, by clip in the order of the manifest, the file that has it and its row there."""
    homes = {}
    for shard, file in opened.items():
        own = {clip.id for clip in shard.of(manifest.clips)}
        names = file.clips["id"].tolist()
        strange = [name for name in names if name not in own]
        if strange:
            raise StoreError(
                "A shard holds a clip that is not its own",
                where=str(file.path),
                found=strange[0],
                mend="run that shard again",
            )
        homes.update({name: (file, row) for row, name in enumerate(names)})
    return {clip.id: homes[clip.id] for clip in manifest.clips if clip.id in homes}


def _write(final: Path, manifest: Manifest, homes: Mapping[str, tuple[Any, int]], progress: Progress) -> None:
    inputs = {"manifest": Manifest(tuple(clip for clip in manifest.clips if clip.id in homes)).digest()}
    first = next(iter(homes.values()))[0]
    records = {file.path: file.records() for file, _ in homes.values()}
    clips = [records[file.path][row] for file, row in homes.values()]
    if isinstance(first, AlignedFile):
        faces = (file.faces(name) for name, (file, _) in homes.items())
        header = AlignedHeader(first.config, first.scheme, inputs, first.device)
        write_aligned(final, header, _counted(zip(clips, faces, strict=True), progress))
    else:
        rows = (file.row(row) for file, row in homes.values())
        made = replace(first.header(), inputs={**first.inputs, **inputs})
        write_features(final, made, _counted(zip(clips, rows, strict=True), progress), len(clips))


def _counted(rows: Iterable[tuple[Clip, Any]], progress: Progress) -> Iterator[tuple[Clip, Any]]:
    for row in rows:
        yield row
        progress.advance()


def _note(workspace: Workspace, manifest: Manifest, records: Sequence[ShardRecord]) -> None:
    """Take over what the shards noted of clips."""
    noted = {clip.id: clip.notes for record in records for clip in read_manifest(Workspace(record.folder)).clips}
    clips = tuple(replace(clip, notes=noted.get(clip.id, clip.notes)) for clip in manifest.clips)
    if clips != manifest.clips:
        write_manifest(workspace, replace(manifest, clips=clips))
