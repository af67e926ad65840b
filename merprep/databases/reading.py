"""Reads a whole database: sheet, folders and corrections become clips. Pure reading, nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from merprep.databases.cells import frame_number
from merprep.databases.clip_making import clip_of_folder, clip_of_row, clip_without_row
from merprep.databases.errata import ErrataBook, ErrataPolicy, ErratumOutcome, load_errata
from merprep.databases.folders import ClipFolder, FoundLayout, find_layout
from merprep.databases.joins import joined
from merprep.databases.keyframes import MissingFrames
from merprep.databases.keys import subject_key
from merprep.databases.matching import ClipName, match_folders
from merprep.databases.parts import FoundPart, common_root, find_parts, rooted
from merprep.databases.rows import RowName, row_names
from merprep.databases.sheet import CodingSheet, SheetRow, read_sheet
from merprep.databases.sheet_files import find_sheet
from merprep.databases.source import Source
from merprep.databases.spec import DatabaseSpec
from merprep.errors import DatabaseError, UsageError
from merprep.records import Clip


@dataclass(frozen=True)
class DatabaseReading:
    """What was read: one clip for every row of the sheet and for every folder without a row.

    Attributes
    ----------
    clips : tuple of Clip
    root : Path
        The folder that frames are relative to.
    layout : str
    sheet : CodingSheet or None
        None for databases whose folders are the annotation.
    folders, folders_without_row, sheet_rows : int
        sheet_rows + folders_without_row = number of clips.
    errata : tuple of ErratumOutcome
    ignored : tuple of str
        Folders that are no clips, and rows that name none.
    notes : tuple of str
        About the whole database; what concerns a clip stands in its own notes.
    """

    spec: DatabaseSpec
    clips: tuple[Clip, ...]
    root: Path
    layout: str
    sheet: CodingSheet | None
    sheet_rows: int
    folders: int
    folders_without_row: int
    errata: tuple[ErratumOutcome, ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    more_sheets: tuple[CodingSheet, ...] = ()

    @property
    def sheets(self) -> tuple[CodingSheet, ...]:
        """All coding sheets that were read, one a part."""
        return () if self.sheet is None else (self.sheet, *self.more_sheets)

    def counts(self) -> dict[str, Any]:
        """Return rows, folders and emotions as numbers."""
        return {
            "sheet_rows": self.sheet_rows,
            "folders": self.folders,
            "folders_without_row": self.folders_without_row,
            "manifest_rows": len(self.clips),
            "frames": sum(len(clip.frames) for clip in self.clips),
            "subjects": len({clip.person for clip in self.clips}),
            "variants": dict(Counter(clip.variant for clip in self.clips if clip.variant).most_common()),
            "emotions": _by_emotion(clip.emotion for clip in self.clips),
        }


def _by_emotion(emotions: Iterable[str]) -> dict[str, int]:
    """Count emotions, those that differ only in case (others and Others) under the commoner spelling."""
    counts = Counter(emotion for emotion in emotions if emotion)
    spelling: dict[str, str] = {}
    for emotion, _ in counts.most_common():
        spelling.setdefault(emotion.casefold(), emotion)
    merged: Counter[str] = Counter()
    for emotion, count in counts.items():
        merged[spelling[emotion.casefold()]] += count
    return dict(merged.most_common())


def read_database(
    spec: DatabaseSpec,
    root: str | Path,
    *,
    annotations: str | Path | None = None,
    extra: str | Path | None = None,
    errata: ErrataPolicy = "default",
    missing_frames: MissingFrames = "nearest",
) -> DatabaseReading:
    """Read a database from disk.

    Parameters
    ----------
    spec : DatabaseSpec
    root : path-like
        Any folder near the database: the one it was unzipped to, one above, or a subject's.
    annotations : path-like, optional
        The coding sheet; None looks for it near the frames.
    extra : path-like, optional
        Another database's sheet that gives some of the fields (SAMM's emotions for SAMM-LV); None looks for it too.
    errata : {"default", "all", "none"}
        Documented corrections to apply: all but the contested ones, all, or none.
    missing_frames : {"nearest", "keep"}
        Where a named frame does not exist: use the nearest that does (and note it), or keep the number.

    Returns
    -------
    DatabaseReading

    Raises
    ------
    RootNotFoundError
        Where no layout of the database is found.
    SheetError
        Where the coding sheet is missing, unreadable or lacks columns.
    DatabaseError
        Where no row of the sheet has a folder.
    """
    if spec.unlabelled:
        raise DatabaseError(
            f"{spec.title} has no labels: {spec.unlabelled}",
            where=str(root),
            mend="nothing can be trained on it; its labelled siblings are listed by `merprep databases`",
        )
    book = ErrataBook(load_errata(spec.id), errata)
    if spec.sheet is None and annotations is not None:
        raise UsageError(
            f"{spec.title} is labelled by its folders; no coding sheet is read for it",
            where=str(annotations),
            mend="leave --annotations out",
        )
    sheet = None if annotations is None else Path(annotations)
    if spec.parts:
        return _read_parts(spec, Path(root), sheet, book, missing_frames)
    source = Source(spec, find_layout(spec, Path(root)), book, missing_frames, None if extra is None else Path(extra))
    if spec.sheet is None:
        return _read_folders(source)
    return _read_rows(source, Path(root), sheet)


def _read_parts(
    spec: DatabaseSpec, given: Path, annotations: Path | None, book: ErrataBook, missing: MissingFrames
) -> DatabaseReading:
    """Read the parts of a database one after the other, into one reading relative to their common root."""
    found = find_parts(spec, given, annotations)
    readings = [_read_part(part, given, book, missing) for part in found if part.found or part.sheet]
    root = common_root([part.found.root for part in found if part.found])
    absent = [f"{part.spec.variant}: neither folders nor a sheet" for part in found if not (part.found or part.sheet)]
    sheets = [reading.sheet for reading in readings if reading.sheet]
    clips = [rooted(clip, reading.root, root) for reading in readings for clip in reading.clips]
    return DatabaseReading(
        spec=spec,
        clips=tuple(_with_own_ids(clips)),
        root=root,
        layout=readings[0].layout,
        sheet=sheets[0],
        sheet_rows=sum(reading.sheet_rows for reading in readings),
        folders=sum(reading.folders for reading in readings),
        folders_without_row=sum(reading.folders_without_row for reading in readings),
        errata=book.outcomes(),
        ignored=tuple(line for reading in readings for line in reading.ignored),
        notes=(*(note for reading in readings for note in reading.notes), *absent),
        more_sheets=tuple(sheets[1:]),
    )


def _read_part(part: FoundPart, given: Path, book: ErrataBook, missing: MissingFrames) -> DatabaseReading:
    name, found = part.spec.variant, part.found
    if found is None:
        empty = FoundLayout(given.absolute(), part.spec.layouts[0], False, ())
        reading = _read_rows(Source(part.spec, empty, book, missing), given, part.sheet)
        return replace(reading, notes=(f"{name}: no folders, only the sheet {part.sheet}",))
    source = Source(part.spec, found, book, missing)
    if part.sheet is not None:
        return _read_rows(source, given, part.sheet)
    clips = [clip_without_row(source, folder) for folder in found.clips]
    return _reading(source, clips, None, 0, len(clips), (f"{name}: no coding sheet was found",))


def _read_folders(source: Source) -> DatabaseReading:
    """Read a database whose folders are the annotation: onset is the first file, offset the last."""
    clips = [clip_of_folder(source, folder) for folder in source.found.clips]
    return _reading(source, clips, None, 0, len(clips), ())


def _read_rows(source: Source, given: Path, annotations: Path | None) -> DatabaseReading:
    spec, found = source.spec, source.found
    if spec.sheet is None:
        raise UsageError(f"{spec.title} has no coding sheet")
    path, unused = (annotations, ()) if annotations else find_sheet(spec, given.absolute(), found.root)
    other = joined(spec, read_sheet(path, spec.sheet), given.absolute(), found.root, source.extra)
    sheet = other.sheet
    names = row_names(sheet.rows, spec.sheet, found.layout)
    folders = match_folders([name.folder for name in names], found.clips, shared=found.layout.shared)
    folders = _found_otherwise(source, sheet.rows, names, folders)
    if names and found.clips and not any(folders):
        raise _nothing_matches(sheet, found)
    rows = zip(sheet.rows, names, folders, _first_rows([name.clip for name in names], sheet.rows), strict=True)
    clips = [clip_of_row(source, row, name, folder, first) for row, name, folder, first in rows]
    taken = {folder.path for folder in folders if folder}
    strays = [folder for folder in found.clips if folder.path not in taken]
    clips += [clip_without_row(source, folder) for folder in strays]
    unused_notes = (f"another coding sheet is there and not used: {path}" for path in unused)
    notes = (*sheet.notes, *other.notes, *unused_notes, *_cut_notes(found, clips))
    return _reading(source, clips, sheet, sheet.row_count, len(strays), notes)


def _cut_notes(found: FoundLayout, clips: list[Clip]) -> tuple[str, ...]:
    if not found.layout.shared:
        return ()
    cut = sum(clip.status == "ok" for clip in clips)
    return (f"{cut} clips are cut out of {len(found.clips)} recordings, whose other frames remain as context",)


def _found_otherwise(
    source: Source, rows: tuple[SheetRow, ...], names: list[RowName], folders: list[ClipFolder | None]
) -> list[ClipFolder | None]:
    """Look for the folders of rows that have none: under the name that a correction gives, or by their frames."""
    lost = [place for place, folder in enumerate(folders) if folder is None]
    renamed = [ClipName(names[at].clip.subject, source.book.other_name(names[at].clip.key)) for at in lost]
    taken = {folder for folder in folders if folder}
    free = [folder for folder in source.found.clips if folder not in taken]
    found = list(folders)
    for place, folder in zip(lost, match_folders(renamed, free), strict=True):
        found[place] = folder
        if folder is None and source.found.layout.global_numbers:
            found[place] = _recording_of(source, rows[place], names[place])
    return found


def _recording_of(source: Source, row: SheetRow, names: RowName) -> ClipFolder | None:
    """Return the recording of the row's subject that has the row's frames."""
    onset, subject = frame_number(row.cells.get("onset")), subject_key(names.clip.subject)
    own = (folder for folder in source.found.clips if subject_key(folder.subject) == subject)
    return next((folder for folder in own if onset in source.frames(folder)[0].numbers), None)


def _first_rows(names: list[ClipName], rows: tuple[SheetRow, ...]) -> list[int | None]:
    """Return, for each row, the number of an earlier row that names the same clip, or None."""
    seen: dict[tuple[Any, str], int] = {}
    firsts: list[int | None] = []
    for name, row in zip(names, rows, strict=True):
        key = (name.key[0], name.clip.casefold())
        firsts.append(seen.get(key))
        seen.setdefault(key, row.number)
    return firsts


def _reading(
    source: Source,
    clips: list[Clip],
    sheet: CodingSheet | None,
    rows: int,
    strays: int,
    notes: tuple[str, ...],
) -> DatabaseReading:
    found = source.found
    layout, why = _settled_layout(source, clips)
    return DatabaseReading(
        spec=source.spec,
        clips=tuple(_with_own_ids(clips)),
        root=found.root,
        layout=layout,
        sheet=sheet,
        sheet_rows=rows,
        folders=len(found.clips),
        folders_without_row=strays,
        errata=source.book.outcomes(),
        ignored=(*(f"folder {name} is no clip" for name in found.ignored), *(sheet.ignored if sheet else ())),
        notes=(
            *_experimental(source.spec),
            *found.notes,
            *why,
            *(f"also there, not used: {other}" for other in found.also),
            *notes,
        ),
    )


def _experimental(spec: DatabaseSpec) -> tuple[str, ...]:
    return (f"support of {spec.title} is experimental: {spec.experimental}",) if spec.experimental else ()


def _settled_layout(source: Source, clips: list[Clip]) -> tuple[str, tuple[str, ...]]:
    """Tell whole recordings from selected frames by what lies before the onsets, where no name told."""
    chosen = source.found.layout
    twins = [
        layout
        for layout in source.spec.layouts
        if (layout.levels, layout.file) == (chosen.levels, chosen.file) and layout.lead_in != chosen.lead_in
    ]
    usable = [clip for clip in clips if clip.status == "ok" and clip.onset is not None]
    if source.found.named or not twins or not usable:
        return chosen.name, ()
    early = sum(clip.frames.numbers[0] < (clip.onset or 0) for clip in usable)
    if (early * 2 > len(usable)) == chosen.lead_in:
        return chosen.name, ()
    return twins[0].name, (f"layout {twins[0].name}: {early} of {len(usable)} clips begin before their onset",)


def _with_own_ids(clips: list[Clip]) -> list[Clip]:
    """Give clips whose names differ only in spelling that the ids do not keep a number of their own."""
    seen: Counter[str] = Counter()
    result = []
    for clip in clips:
        seen[clip.id] += 1
        again = seen[clip.id]
        result.append(clip if again == 1 else replace(clip, clip=f"{clip.clip} ({again})"))
    return result


def _nothing_matches(sheet: CodingSheet, found: FoundLayout) -> DatabaseError:
    row, folder = sheet.rows[0], found.clips[0]
    return DatabaseError(
        "No row of the coding sheet has a folder: the two belong to different databases or releases",
        where=f"{sheet.path} and {found.root}",
        expected=f"a folder for {row.text('subject')}/{row.text('clip')} (row {row.number})",
        found=f"{len(found.clips)} folders, the first {folder.path}",
        mend="check the root and --annotations",
    )
