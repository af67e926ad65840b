"""Ingest: a raw database becomes rows of the workspace's manifest, all of them or none."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from merprep.databases import DatabaseReading, load_row_corrections, read_database, spec
from merprep.databases.checking import LEVELS, FrameCheck, Verify, check_frames
from merprep.databases.clip_making import CUT
from merprep.databases.errata import ErrataPolicy
from merprep.databases.keyframes import MissingFrames
from merprep.databases.sheet import CodingSheet
from merprep.errors import DatabaseError, UsageError
from merprep.labels import Counting, CountTable, scheme
from merprep.ordinary import sha256_of
from merprep.progress import Progress, Silent
from merprep.records import CLIP, Clip, Outcome, StageReport
from merprep.shelf import Rows
from merprep.stages.writing import one_writer
from merprep.store import Workspace, read_manifest_or_empty, write_manifest, written_whole
from merprep.store.accounts import keep_account
from merprep.store.hashes import write_hashes

# What a printed account lists before it says how many more there are.
_LISTED = 8
_SCHEME = "megc2019"
_BY_ROW = "not applied, known by row number only"


@dataclass(frozen=True)
class IngestResult:
    """What ingest found and wrote.

    Attributes
    ----------
    reading : DatabaseReading
        Sheet, layout, errata and notes.
    clips : sequence of Clip
        The rows of the manifest, kept on the disk.
    report : StageReport
    digest : str
        Of the list of usable clips; equal digests, equal clips.
    tally : _Tally
        What is counted and said of the clips.
    """

    reading: DatabaseReading
    clips: Sequence[Clip]
    report: StageReport
    digest: str
    tally: _Tally = field(repr=False)

    @property
    def database(self) -> str:
        """The database's id."""
        return self.reading.spec.id

    def classes(self) -> CountTable:
        """Return the clips by class of MEGC2019."""
        return self.tally.classes.table()

    def reasons(self) -> dict[str, int]:
        """Return how many clips are excluded for each kind of reason (its words before the colon)."""
        return dict(Counter(reason.partition(":")[0] for reason in self.tally.excluded.values()).most_common())

    def as_json(self) -> dict[str, Any]:
        """Return the JSON document of ``merprep ingest``."""
        excluded = self.tally.excluded
        sheet = self.reading.sheet
        return {
            "database": self.database,
            "clips": {"ok": len(self.clips) - len(excluded), "excluded": len(excluded)},
            "reasons": self.reasons(),
            "excluded": dict(excluded),
            "errata": _errata_json(self.reading),
            "counts": {**self.reading.counts(), "classes": {_SCHEME: self.classes().counts.get(self.database, {})}},
            "apex": dict(self.tally.apexes.most_common()),
            "root": self.reading.root.as_posix(),
            "layout": self.reading.layout,
            "sheet": None if sheet is None else _sheet_json(sheet),
            "sheets": [_sheet_json(one) for one in self.reading.sheets],
            "notes": list(self.reading.notes),
            "clip_notes": {name: list(notes) for name, notes in self.tally.notes.items()},
            "ignored": list(self.reading.ignored),
            "digest": self.digest,
        }

    def lines(self) -> list[str]:
        """Return the printed account."""
        counts, reading = self.reading.counts(), self.reading
        named = [f"sheet {sheet.path.name} ({sheet.version or 'unknown version'})" for sheet in reading.sheets]
        source = ", ".join(named) or "labels from folders"
        lines = [
            f"{reading.spec.title}: layout {reading.layout} in {reading.root}, {source}",
            f"{counts['sheet_rows']} rows of the sheet + {counts['folders_without_row']} folders "
            f"without a row = {counts['manifest_rows']} clips; {counts['folders']} folders, {counts['frames']} frames",
        ]
        if len(counts["variants"]) > 1:
            lines.append("variants: " + ", ".join(f"{name} {count}" for name, count in counts["variants"].items()))
        classes = self.classes().counts.get(self.database, {})
        lines.append("MEGC2019 classes: " + ", ".join(f"{name} {count}" for name, count in classes.items()))
        lines.append(f"digest of the list of usable clips: {self.digest}")
        lines += _errata_lines(reading)
        lines += _some("note", reading.notes)
        noted = self.tally.notes.items()
        own = [f"{name}: {note}" for name, notes in noted for note in notes if not note.startswith(CUT)]
        lines += _some("note", own)
        return lines + _some("ignored", reading.ignored)


@dataclass
class _Tally:
    """What the account says of the clips; of single ones, where there is something to say."""

    excluded: dict[str, str] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    apexes: Counter[str] = field(default_factory=Counter)
    classes: Counting = field(default_factory=lambda: Counting(scheme(_SCHEME)))

    def passing(self, clips: Iterable[Clip]) -> Iterator[Clip]:
        """Pass clips on, and take them into account."""
        for clip in clips:
            if clip.status == "excluded":
                self.excluded[clip.id] = clip.reason
            else:
                self.apexes[clip.apex_source] += 1
            if clip.notes:
                self.notes[clip.id] = clip.notes
            self.classes.add(clip)
            yield clip


@one_writer
def ingest(
    workspace: Workspace,
    database: str,
    root: str | Path,
    *,
    variant: str | None = None,
    annotations: str | Path | None = None,
    extra: str | Path | None = None,
    errata: ErrataPolicy = "default",
    missing_frames: MissingFrames = "nearest",
    verify: Verify = "none",
    jobs: int | None = None,
    progress: Progress | None = None,
) -> IngestResult:
    """Read a raw database into the manifest of a workspace.

    Every row of the coding sheet and every clip's folder becomes one row, usable or excluded with its reason. Rows
    of the same database from before are replaced, those of others stay. Nothing is written where anything raises.

    Parameters
    ----------
    workspace : Workspace
    database : str
        Any usual spelling (``casme2``, ``CASME II``, ``smic-hs``).
    root : path-like
        The folder that the database was unzipped to, or one near it.
    variant : str, optional
        ``hs``, ``vis`` or ``nir`` of SMIC.
    annotations : path-like, optional
        The coding sheet; None looks for it near the frames.
    extra : path-like, optional
        Another database's sheet that gives some of the fields (SAMM's emotions for SAMM-LV); None looks for it too.
    errata : {"default", "all", "none"}
    missing_frames : {"nearest", "keep"}
        Where a frame that the sheet names does not exist: use the nearest that does (and note it), or keep the number.
    verify : {"none", "exists", "decode", "hash"}
        How hard the frames are looked at; a clip with a bad one is excluded.
    jobs : int, optional
        Threads that look at frames; None takes one a core.
    progress : Progress, optional

    Returns
    -------
    IngestResult

    Raises
    ------
    UnknownNameError, RootNotFoundError, SheetError, DatabaseError
        Where the name, the folder, the sheet or both together are wrong.
    """
    started = time.perf_counter()
    if verify not in LEVELS:
        raise UsageError(f"There is no verification {verify!r}", expected=", ".join(LEVELS))
    reading = read_database(
        spec(database, variant),
        root,
        annotations=annotations,
        extra=extra,
        errata=errata,
        missing_frames=missing_frames,
    )
    manifest = read_manifest_or_empty(workspace)
    looked = _looked_at(reading, verify, jobs, progress or Silent())
    if not any(clip.status == "ok" for clip in looked.clips):
        raise _nothing_usable(reading, looked.clips)
    hashes = _hashes(workspace, manifest.sources.get(reading.spec.id, {}), reading, verify, looked)
    source = _source(reading, errata, missing_frames, verify, hashes)
    manifest = manifest.replacing(reading.spec.id, looked.clips, source)
    own = manifest.of_database(reading.spec.id)
    usable, tally = manifest.digest(clip for clip in own if clip.status == "ok"), _Tally()
    result = IngestResult(reading, own, _report(workspace, tally.passing(own), started), usable, tally)
    _write_report(workspace, result)
    write_manifest(workspace, manifest)
    keep_account(workspace, result.report, subject=result.database)
    return result


@dataclass(frozen=True)
class _Looked:
    """The clips after their frames were looked at, and the hashes of their files, where asked for.

    Attributes
    ----------
    clips : sequence of Clip
        Those with a bad frame are excluded.
    files : sequence of (str, str)
        The path of each file below the root, and its SHA-256.
    digests : dict of str
        By clip, one hash over its files.
    """

    clips: Sequence[Clip]
    files: Rows[tuple[str, str]]
    digests: dict[str, str]


def _looked_at(reading: DatabaseReading, level: Verify, jobs: int | None, progress: Progress) -> _Looked:
    if level == "none":
        return _Looked(reading.clips, Rows(), {})
    from joblib import Parallel, delayed

    def usable() -> Iterator[Clip]:
        return (clip for clip in reading.clips if clip.status == "ok")

    progress.start(f"verify {reading.spec.id}", sum(1 for _ in usable()))
    # Reading and decoding release the interpreter's lock, so threads do.
    workers = Parallel(n_jobs=jobs or -1, backend="threading", return_as="generator")
    found = _Looked(Rows(codec=CLIP), Rows(), {})
    try:
        checks = workers(delayed(check_frames)(reading.root, clip, level) for clip in usable())
        clips = Rows(_checked(reading.clips, checks, found, progress), CLIP)
    finally:
        progress.finish()
    return replace(found, clips=clips)


def _checked(clips: Iterable[Clip], checks: Iterator[FrameCheck], found: _Looked, progress: Progress) -> Iterator[Clip]:
    for clip in clips:
        if clip.status != "ok":
            yield clip
            continue
        check = next(checks)
        found.files.extend(check.hashes.items())
        if check.digest:
            found.digests[clip.id] = check.digest
        progress.advance(failed=bool(check.problem))
        yield clip.excluded(check.problem) if check.problem else clip


def _hashes(
    workspace: Workspace, before: dict[str, Any], reading: DatabaseReading, verify: Verify, found: _Looked
) -> dict[str, str]:
    """Write the hashes of the files, and return those of the clips; hashes from before stay with their root."""
    if verify == "hash":
        write_hashes(workspace, reading.spec.id, found.files)
        return found.digests
    kept: dict[str, str] = before.get("hashes", {})
    return kept if before.get("root") == reading.root.as_posix() else {}


def _source(reading: DatabaseReading, errata: str, missing: str, verify: str, hashes: dict[str, str]) -> dict[str, Any]:
    """Return what the manifest's sidecar says of where the rows came from."""
    return {
        "root": reading.root.as_posix(),
        "layout": reading.layout,
        "variant": reading.spec.variant,
        "sheet": None if reading.sheet is None else _sheet_json(reading.sheet),
        "sheets": [_sheet_json(sheet) for sheet in reading.sheets],
        "errata_policy": errata,
        "missing_frames": missing,
        "errata": _errata_json(reading),
        "verify": verify,
        "hashes": hashes,
        "counts": reading.counts(),
    }


def _sheet_json(sheet: CodingSheet) -> dict[str, Any]:
    return {
        "path": sheet.path.absolute().as_posix(),
        "sha256": sha256_of(sheet.path),
        "sheet": sheet.sheet,
        "version": sheet.version,
        "header_row": sheet.header_row,
        "columns": sheet.columns,
    }


def _errata_json(reading: DatabaseReading) -> dict[str, list[str]]:
    """Return, by state, the corrections in it."""
    states: dict[str, list[str]] = {}
    for outcome in reading.errata:
        erratum = outcome.erratum
        states.setdefault(outcome.state, []).append(f"{erratum.label} ({erratum.subject}/{erratum.clip})")
    by_row = [correction.line() for correction in load_row_corrections(reading.spec.id)]
    return {**states, **({_BY_ROW: by_row} if by_row else {})}


def _errata_lines(reading: DatabaseReading) -> list[str]:
    states: Counter[str] = Counter(outcome.state for outcome in reading.errata)
    by_row = len(load_row_corrections(reading.spec.id))
    if by_row:
        states[_BY_ROW] = by_row
    if not states:
        return []
    lines = ["errata: " + ", ".join(f"{count} {state}" for state, count in states.most_common())]
    for outcome in reading.errata:
        if outcome.state in ("applied", "not matching"):
            lines.append(f"  {outcome.line()} ({outcome.erratum.reason})")
    return lines


def _some(kind: str, texts: Sequence[str]) -> list[str]:
    more = [f"  … and {len(texts) - _LISTED} more, all in the report"] if len(texts) > _LISTED else []
    return [f"  {kind}: {text}" for text in texts[:_LISTED]] + more


def _report(workspace: Workspace, clips: Iterable[Clip], started: float) -> StageReport:
    outcomes = cast("Sequence[Outcome]", map(_outcome, clips))
    outputs = (workspace.manifest_path.as_posix(),)
    return StageReport("ingest", outcomes, time.perf_counter() - started, outputs, "merprep flow")


def _outcome(clip: Clip) -> Outcome:
    if clip.status == "ok":
        return Outcome(clip.id, "done")
    # A frame that was looked at and is bad is a failure; a clip that never had any is not.
    broken = clip.reason.startswith(("unreadable", "empty file"))
    return Outcome(clip.id, "failed" if broken else "skipped", clip.reason)


def _write_report(workspace: Workspace, result: IngestResult) -> None:
    path = workspace.reports / f"ingest-{result.database}.json"
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.writelines(json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(result.as_json()))
        stream.write("\n")


def _nothing_usable(reading: DatabaseReading, clips: Sequence[Clip]) -> DatabaseError:
    reasons = Counter(clip.reason.partition(":")[0] for clip in clips).most_common(3)
    return DatabaseError(
        f"None of the {len(clips)} clips can be used",
        where=str(reading.root),
        found=", ".join(f"{count} × {reason}" for reason, count in reasons) or "no clip at all",
        mend="check that the folder and the coding sheet belong together, and that the download is whole",
    )
