"""Verify: what became of the raw files, the sheets and the list of clips since they were ingested."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from merprep.databases import DatabaseSpec, spec
from merprep.databases.checking import clip_files, hash_file
from merprep.databases.folders import ClipFolder, find_layout
from merprep.databases.frames import read_frames
from merprep.errors import DatabaseError, UnknownNameError
from merprep.ordinary import sha256_of
from merprep.progress import Progress, Silent
from merprep.records import Clip, Outcome, StageReport
from merprep.store import Manifest, Workspace, read_manifest, written_whole
from merprep.store.hashes import read_hashes
from merprep.store.manifest import recorded_digest

# What a printed account lists before it says how many more there are.
_LISTED = 8
SheetState = Literal["same", "changed", "missing", "none"]


@dataclass(frozen=True)
class ClipFiles:
    """What became of the files of one clip; paths are below the database's root."""

    checked: int = 0
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    def reason(self) -> str:
        """Write what differs; empty where nothing does."""
        parts = {name: getattr(self, name) for name in ("changed", "missing", "extra", "unreadable")}
        return ", ".join(
            f"{len(paths)} {name} ({paths[0]}{', …' * (len(paths) > 1)})" for name, paths in parts.items() if paths
        )


@dataclass(frozen=True)
class VerifiedDatabase:
    """What became of one database.

    Attributes
    ----------
    root : Path
    hashed : bool
        Whether hashes were stored at ingest; without them only presence could be looked at.
    files : int
        How many files were looked at.
    changed, missing, unreadable : tuple of str
        Files of the manifest, by their paths below the root.
    extra : tuple of str
        Files and folders of clips that the manifest does not know.
    sheet : {"same", "changed", "missing", "none"}
    digest : str
        Of the list of usable clips.
    """

    name: str
    root: Path
    hashed: bool
    files: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unreadable: tuple[str, ...]
    sheet: SheetState
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether everything is as it was."""
        return not (self.changed or self.missing or self.extra or self.unreadable) and self.sheet in ("same", "none")

    def as_json(self) -> dict[str, Any]:
        """Return the part of the JSON document that is about this database."""
        return {
            "root": self.root.as_posix(),
            "intact": self.intact,
            "hashed": self.hashed,
            "files": self.files,
            "changed": list(self.changed),
            "missing": list(self.missing),
            "extra": list(self.extra),
            "unreadable": list(self.unreadable),
            "sheet": self.sheet,
            "digest": self.digest,
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """Return the printed account."""
        how = "hashes compared" if self.hashed else "presence only: no hashes were stored at ingest"
        state = "intact" if self.intact else "NOT as it was"
        lines = [f"{self.name}: {state}; {self.files} files in {self.root}, {how}; sheet {self.sheet}"]
        for kind in ("changed", "missing", "extra", "unreadable"):
            paths = getattr(self, kind)
            lines += [f"  {kind}: {path}" for path in paths[:_LISTED]]
            lines += [f"  … and {len(paths) - _LISTED} more {kind}"] if len(paths) > _LISTED else []
        lines += [f"  note: {note}" for note in self.notes]
        return [*lines, f"  digest of the list of usable clips: {self.digest}"]


@dataclass(frozen=True)
class VerifyResult:
    """What `verify` found.

    Attributes
    ----------
    digest, recorded : str
        Of the list of all usable clips: as the table says now, and as it was when it was written.
    """

    databases: tuple[VerifiedDatabase, ...]
    report: StageReport
    digest: str
    recorded: str

    @property
    def intact(self) -> bool:
        """Whether every database and the list of clips are as they were."""
        return all(found.intact for found in self.databases) and self.digest == self.recorded

    def as_json(self) -> dict[str, Any]:
        """Return the JSON document of ``merprep verify``."""
        return {
            "intact": self.intact,
            "digest": self.digest,
            "recorded_digest": self.recorded,
            "databases": {found.name: found.as_json() for found in self.databases},
            "clips": self.report.counts(),
        }

    def lines(self) -> list[str]:
        """Return the printed account."""
        lines = [line for found in self.databases for line in found.lines()]
        if self.digest != self.recorded:
            lines.append(
                f"manifest.csv was edited: its clips have the digest {self.digest}, recorded was {self.recorded}"
            )
        return lines


def verify(
    workspace: Workspace,
    *,
    databases: Sequence[str] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> VerifyResult:
    """Compare the raw files with what was ingested.

    Every file of every clip is looked for, and hashed where ``ingest --verify hash`` stored hashes; frames and
    folders that came since are named; so is a coding sheet that changed. Nothing but the account is written.

    Parameters
    ----------
    workspace : Workspace
    databases : sequence of str, optional
        Any usual spelling; None is all of the manifest.
    jobs : int, optional
        Threads that read files; None takes one a core.
    progress : Progress, optional

    Raises
    ------
    StoreError
        Where there is no manifest, or it or the hashes are damaged.
    UnknownNameError
        Where a named database is not in the manifest.
    """
    started = time.perf_counter()
    manifest = read_manifest(workspace)
    known = sorted({*manifest.databases, *manifest.sources})
    chosen = known if databases is None else [_known(name, known) for name in databases]
    found: list[VerifiedDatabase] = []
    outcomes: list[Outcome] = []
    for name in chosen:
        result, own = _verify_database(workspace, manifest, name, jobs, progress or Silent())
        found.append(result)
        outcomes += own
    path = workspace.reports / "verify.json"
    report = StageReport("verify", tuple(outcomes), time.perf_counter() - started, (path.as_posix(),))
    verified = VerifyResult(tuple(found), report, manifest.digest(), recorded_digest(workspace))
    report = replace(
        report, next_step="" if verified.intact else "`merprep ingest DATABASE ROOT` again, to take what is there now"
    )
    verified = replace(verified, report=report)
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(verified.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return verified


@dataclass(frozen=True)
class _Known:
    """What the manifest says of one database's files."""

    root: Path
    clips: Sequence[Clip]
    hashes: Mapping[str, str]
    # Whether clips are cut out of recordings, whose other frames are none of the manifest's business.
    shared: bool
    description: DatabaseSpec | None
    layout: str


def _verify_database(
    workspace: Workspace, manifest: Manifest, name: str, jobs: int | None, progress: Progress
) -> tuple[VerifiedDatabase, list[Outcome]]:
    clips = manifest.of_database(name)
    source = manifest.sources.get(name, {})
    known = _recall(workspace, manifest, name, clips, source)
    looked = [clip for clip in clips if clip.frames.pattern]
    outcomes = [Outcome(clip.id, "skipped", f"no files: {clip.reason}") for clip in clips if not clip.frames.pattern]
    files = _look(name, looked, known, jobs, progress)
    for clip, of_clip in zip(looked, files, strict=True):
        reason = of_clip.reason()
        outcomes.append(Outcome(clip.id, "failed", reason) if reason else Outcome(clip.id, "done"))
    extra, notes = _new_clips(known)
    result = VerifiedDatabase(
        name=name,
        root=known.root,
        hashed=bool(known.hashes),
        files=sum(of_clip.checked for of_clip in files),
        changed=_all(files, "changed"),
        missing=_all(files, "missing"),
        extra=(*_all(files, "extra"), *extra),
        unreadable=_all(files, "unreadable"),
        sheet=_sheet_state(source),
        digest=manifest.digest([clip for clip in clips if clip.status == "ok"]),
        notes=notes,
    )
    return result, outcomes


def _recall(
    workspace: Workspace, manifest: Manifest, name: str, clips: Sequence[Clip], source: dict[str, Any]
) -> _Known:
    root = manifest.root_of(clips[0]) if clips else Path(str(source.get("root", "")))
    hashes = read_hashes(workspace, name) if source.get("hashes") else {}
    layout = str(source.get("layout", ""))
    try:
        description = spec(name)
        shared = description.layout(layout).shared
    except UnknownNameError:
        description, shared = None, True
    return _Known(root, clips, hashes, shared, description, layout)


def _look(name: str, clips: Sequence[Clip], known: _Known, jobs: int | None, progress: Progress) -> list[ClipFiles]:
    from joblib import Parallel, delayed

    progress.start(f"verify {name}", len(clips))
    workers = Parallel(n_jobs=jobs or -1, backend="threading", return_as="generator")
    try:
        found = []
        for of_clip in workers(delayed(_look_at)(clip, known) for clip in clips):
            found.append(of_clip)
            progress.advance(failed=bool(of_clip.reason()))
        return found
    finally:
        progress.finish()


def _look_at(clip: Clip, known: _Known) -> ClipFiles:
    changed, missing, unreadable = [], [], []
    paths = clip_files(clip.frames)
    for path in paths:
        try:
            size = (known.root / path).stat().st_size
        except (OSError, ValueError):  # ValueError: a name with a null character
            missing.append(path)
            continue
        problem, digest = hash_file(known.root / path) if path in known.hashes else ("" if size else "empty file", "")
        if problem:
            unreadable.append(path)
        elif digest and digest != known.hashes[path]:
            changed.append(path)
    return ClipFiles(len(paths), tuple(changed), tuple(missing), _new_frames(clip, known), tuple(unreadable))


def _new_frames(clip: Clip, known: _Known) -> tuple[str, ...]:
    """Return the frames in the clip's folder that the manifest does not know."""
    if known.shared or known.description is None or clip.frames.is_video:
        return ()
    layout = known.description.layout(known.layout)
    if layout.of != "folders":
        return ()
    folder = clip.frames.pattern.rpartition("/")[0]
    now, _ = read_frames(known.description, layout, known.root, ClipFolder(clip.subject, clip.clip, "", folder))
    before = set(clip.frames.numbers)
    return tuple(now.path(number) for number in now.numbers if number not in before)


def _new_clips(known: _Known) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the folders (or videos) of clips that the manifest does not know, and why none could be looked for."""
    if known.description is None:
        return (), ("its description is not there any more: new folders were not looked for",)
    try:
        found = find_layout(known.description, known.root)
    except DatabaseError as error:
        return (), (f"new folders were not looked for: {error.what}",)
    if found.root != known.root:
        return (), (f"new folders were not looked for: the database is found in {found.root} now",)
    if known.shared:
        return (), ()
    inside = {_place(clip, found.layout.of) for clip in known.clips if clip.frames.pattern}
    strangers = [folder for folder in found.clips if folder.path not in inside]
    # A folder that was empty at ingest has no path in the manifest; it is news only if it holds frames now.
    full = [f for f in strangers if read_frames(known.description, found.layout, found.root, f)[0].numbers]
    return tuple(folder.path for folder in full), ()


def _place(clip: Clip, of: str) -> str:
    """Return the path that a clip was found at: its folder, or its one file."""
    return clip.frames.pattern.rpartition("/")[0] if of == "folders" else clip_files(clip.frames)[0]


def _sheet_state(source: dict[str, Any]) -> SheetState:
    """Return what became of the coding sheets: the worst of them counts."""
    sheets = source.get("sheets") or ([source["sheet"]] if source.get("sheet") else [])
    states = [_file_state(Path(str(sheet.get("path", ""))), str(sheet.get("sha256", ""))) for sheet in sheets]
    order: tuple[SheetState, ...] = ("missing", "changed", "same")
    return next((state for state in order if state in states), "none")


def _file_state(path: Path, digest: str) -> SheetState:
    try:
        return "same" if sha256_of(path) == digest else "changed"
    except OSError:
        return "missing"


def _all(files: Sequence[ClipFiles], kind: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for of_clip in files for path in getattr(of_clip, kind)))


def _known(name: str, known: list[str]) -> str:
    if name in known:
        return name
    try:
        wanted = spec(name).id
    except UnknownNameError:
        wanted = name
    if wanted not in known:
        raise UnknownNameError.among("database in the manifest", name, known)
    return wanted
