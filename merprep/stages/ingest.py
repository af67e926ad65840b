"""Ingest: a raw database becomes rows of the workspace's manifest, all of them or none."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from merprep.databases import DatabaseReading, load_row_corrections, read_database, spec
from merprep.databases.checking import LEVELS, FrameCheck, Verify, check_frames
from merprep.databases.clip_making import CUT
from merprep.databases.errata import ErrataPolicy
from merprep.databases.keyframes import MissingFrames
from merprep.databases.sheet import CodingSheet
from merprep.errors import DatabaseError, UsageError
from merprep.labels import CountTable, count_table, scheme
from merprep.progress import Progress, Silent
from merprep.records import Clip, Outcome, StageReport
from merprep.stages.writing import one_writer
from merprep.store import Workspace, read_manifest_or_empty, write_manifest, written_whole
from merprep.store.accounts import keep_account
from merprep.store.hashes import write_hashes
from merprep.store.provenance import sha256_of

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
    clips : tuple of Clip
        The rows of the manifest.
    report : StageReport
    digest : str
        Of the list of usable clips; equal digests, equal clips.
    """

    reading: DatabaseReading
    clips: tuple[Clip, ...]
    report: StageReport
    digest: str

    @property
    def database(self) -> str:
        """The database's id."""
        return self.reading.spec.id

    def classes(self) -> CountTable:
        """Return the clips by class of MEGC2019."""
        return count_table(self.clips, scheme(_SCHEME))

    def reasons(self) -> dict[str, int]:
        """Return how many clips are excluded for each kind of reason (its words before the colon)."""
        excluded = (clip.reason.partition(":")[0] for clip in self.clips if clip.status == "excluded")
        return dict(Counter(excluded).most_common())

    def as_json(self) -> dict[str, Any]:
        """Return the JSON document of ``merprep ingest``."""
        states = Counter(clip.status for clip in self.clips)
        sheet = self.reading.sheet
        return {
            "database": self.database,
            "clips": {"ok": states["ok"], "excluded": states["excluded"]},
            "reasons": self.reasons(),
            "excluded": {clip.id: clip.reason for clip in self.clips if clip.status == "excluded"},
            "errata": _errata_json(self.reading),
            "counts": {**self.reading.counts(), "classes": {_SCHEME: self.classes().counts.get(self.database, {})}},
            "apex": dict(Counter(clip.apex_source for clip in self.clips if clip.status == "ok").most_common()),
            "root": self.reading.root.as_posix(),
            "layout": self.reading.layout,
            "sheet": None if sheet is None else _sheet_json(sheet),
            "sheets": [_sheet_json(one) for one in self.reading.sheets],
            "notes": list(self.reading.notes),
            "clip_notes": {clip.id: list(clip.notes) for clip in self.clips if clip.notes},
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
        own = [f"{clip.id}: {note}" for clip in self.clips for note in clip.notes if not note.startswith(CUT)]
        lines += _some("note", own)
        return lines + _some("ignored", reading.ignored)


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
    clips, checks = _verified(reading, verify, jobs, progress or Silent())
    if not any(clip.status == "ok" for clip in clips):
        raise _nothing_usable(reading, clips)
    hashes = _hashes(workspace, manifest.sources.get(reading.spec.id, {}), reading, verify, checks)
    manifest = manifest.replacing(reading.spec.id, clips, _source(reading, errata, missing_frames, verify, hashes))
    own = manifest.of_database(reading.spec.id)
    result = IngestResult(
        reading, own, _report(workspace, own, started), manifest.digest([c for c in own if c.status == "ok"])
    )
    _write_report(workspace, result)
    write_manifest(workspace, manifest)
    keep_account(workspace, result.report, subject=result.database)
    return result


def _verified(
    reading: DatabaseReading, level: Verify, jobs: int | None, progress: Progress
) -> tuple[list[Clip], dict[str, FrameCheck]]:
    """Return the clips, those with a bad frame excluded, and what was found of each that was looked at."""
    usable = [clip for clip in reading.clips if clip.status == "ok"]
    if level == "none":
        return list(reading.clips), {}
    from joblib import Parallel, delayed

    progress.start(f"verify {reading.spec.id}", len(usable))
    # Reading and decoding release the interpreter's lock, so threads do.
    workers = Parallel(n_jobs=jobs or -1, backend="threading", return_as="generator")
    found = {}
    try:
        checks = workers(delayed(check_frames)(reading.root, clip, level) for clip in usable)
        for clip, check in zip(usable, checks, strict=True):
            found[clip.id] = check
            progress.advance(failed=bool(check.problem))
    finally:
        progress.finish()
    problems = {name: check.problem for name, check in found.items() if check.problem}
    clips = [clip.excluded(problems[clip.id]) if clip.id in problems else clip for clip in reading.clips]
    return clips, found


def _hashes(
    workspace: Workspace, before: dict[str, Any], reading: DatabaseReading, verify: Verify, found: dict[str, FrameCheck]
) -> dict[str, str]:
    """Write the hashes of the files, and return those of the clips; hashes from before stay with their root."""
    if verify == "hash":
        write_hashes(
            workspace, reading.spec.id, {path: h for check in found.values() for path, h in check.hashes.items()}
        )
        return {name: check.digest for name, check in found.items() if check.digest}
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


def _report(workspace: Workspace, clips: Sequence[Clip], started: float) -> StageReport:
    outcomes = tuple(
        Outcome(clip.id, "done") if clip.status == "ok" else Outcome(clip.id, "skipped", clip.reason) for clip in clips
    )
    # A frame that was looked at and is bad is a failure; a clip that never had any is not.
    broken = ("unreadable", "empty file")
    outcomes = tuple(replace(o, state="failed") if o.reason.startswith(broken) else o for o in outcomes)
    outputs = (workspace.manifest_path.as_posix(),)
    return StageReport("ingest", outcomes, time.perf_counter() - started, outputs, "merprep flow")


def _write_report(workspace: Workspace, result: IngestResult) -> None:
    path = workspace.reports / f"ingest-{result.database}.json"
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(result.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _nothing_usable(reading: DatabaseReading, clips: Sequence[Clip]) -> DatabaseError:
    reasons = Counter(clip.reason.partition(":")[0] for clip in clips).most_common(3)
    return DatabaseError(
        f"None of the {len(clips)} clips can be used",
        where=str(reading.root),
        found=", ".join(f"{count} × {reason}" for reason, count in reasons) or "no clip at all",
        mend="check that the folder and the coding sheet belong together, and that the download is whole",
    )
