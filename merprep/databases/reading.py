"""Reads a whole database: sheet, folders and corrections become clips. Pure reading, nothing is written."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from merprep.databases.cells import frame_number
from merprep.databases.clip_making import clip_of_folder, clip_of_row, clip_without_row
from merprep.databases.errata import ErrataBook, ErrataPolicy, ErratumOutcome, load_errata
from merprep.databases.folders import FOLDER, FoundLayout, find_layout
from merprep.databases.gathering import ClipCounts, gathered
from merprep.databases.joins import joined
from merprep.databases.keyframes import MissingFrames
from merprep.databases.keys import Key, subject_key
from merprep.databases.matching import CLIP_NAME, NONE, ClipName, match_folders
from merprep.databases.parts import FoundPart, common_root, find_parts, rooted
from merprep.databases.rows import RowName, first_rows, row_names
from merprep.databases.sheet import CodingSheet, SheetRow, read_sheet
from merprep.databases.sheet_files import find_sheet
from merprep.databases.source import Source
from merprep.databases.spec import DatabaseSpec
from merprep.errors import DatabaseError, UsageError
from merprep.records import Clip
from merprep.shelf import Rows


@dataclass(frozen=True)
class DatabaseReading:
    """What was read: one clip for every row of the sheet and for every folder without a row.

    Attributes
    ----------
    clips : sequence of Clip
        Kept on the disk.
    root : Path
        The folder that frames are relative to.
    layout : str
    sheet : CodingSheet or None
        None for databases whose folders are the annotation.
    folders, folders_without_row, sheet_rows : int
        sheet_rows + folders_without_row = number of clips.
    counted : ClipCounts
        What is counted of the clips.
    errata : tuple of ErratumOutcome
    ignored : tuple of str
        Folders that are no clips, and rows that name none.
    notes : tuple of str
        About the whole database; what concerns a clip stands in its own notes.
    """

    spec: DatabaseSpec
    clips: Sequence[Clip]
    root: Path
    layout: str
    sheet: CodingSheet | None
    sheet_rows: int
    folders: int
    folders_without_row: int
    counted: ClipCounts
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
            **self.counted.as_json(),
        }


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
    every = (rooted(clip, reading.root, root) for reading in readings for clip in reading.clips)
    clips, counts = gathered(every)
    return DatabaseReading(
        spec=spec,
        clips=clips,
        root=root,
        layout=readings[0].layout,
        sheet=sheets[0],
        sheet_rows=sum(reading.sheet_rows for reading in readings),
        folders=sum(reading.folders for reading in readings),
        folders_without_row=sum(reading.folders_without_row for reading in readings),
        counted=counts,
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
    clips = (clip_without_row(source, folder) for folder in found.clips)
    return _reading(source, clips, None, len(found.clips), (f"{name}: no coding sheet was found",))


def _read_folders(source: Source) -> DatabaseReading:
    """Read a database whose folders are the annotation: onset is the first file, offset the last."""
    folders = source.found.clips
    return _reading(source, (clip_of_folder(source, folder) for folder in folders), None, len(folders))


def _read_rows(source: Source, given: Path, annotations: Path | None) -> DatabaseReading:
    spec, found = source.spec, source.found
    if spec.sheet is None:
        raise UsageError(f"{spec.title} has no coding sheet")
    path, unused = (annotations, ()) if annotations else find_sheet(spec, given.absolute(), found.root)
    other = joined(spec, read_sheet(path, spec.sheet), given.absolute(), found.root, source.extra)
    sheet = other.sheet
    names = row_names(sheet.rows, spec.sheet, found.layout)
    wanted = Rows((name.folder for name in names), CLIP_NAME)
    places = match_folders(wanted, found.clips, shared=found.layout.shared)
    _find_otherwise(source, sheet.rows, names, places)
    if names and found.clips and max(places) == NONE:
        raise _nothing_matches(sheet, found)
    strays = _not_among(places, found)
    clips = chain(
        _clips_of_rows(source, sheet.rows, names, places),
        (clip_without_row(source, found.clips[place]) for place in strays),
    )
    unused_notes = (f"another coding sheet is there and not used: {path}" for path in unused)
    return _reading(source, clips, sheet, len(strays), (*sheet.notes, *other.notes, *unused_notes))


def _clips_of_rows(
    source: Source, rows: Sequence[SheetRow], names: Sequence[RowName], places: array[int]
) -> Iterator[Clip]:
    firsts = first_rows(names, rows)
    for number, (row, name, place) in enumerate(zip(rows, names, places, strict=True)):
        folder = None if place == NONE else source.found.clips[place]
        yield clip_of_row(source, row, name, folder, firsts.get(number))


def _not_among(places: array[int], found: FoundLayout) -> array[int]:
    """Return the places of the folders that are those of no row."""
    taken = bytearray(len(found.clips))
    for place in places:
        if place != NONE:
            taken[place] = True
    return array("q", (place for place, is_taken in enumerate(taken) if not is_taken))


def _cut_notes(found: FoundLayout, counts: ClipCounts) -> tuple[str, ...]:
    if not found.layout.shared:
        return ()
    recordings = f"{len(found.clips)} recordings, whose other frames remain as context"
    return (f"{counts.usable} clips are cut out of {recordings}",)


def _find_otherwise(source: Source, rows: Sequence[SheetRow], names: Sequence[RowName], places: array[int]) -> None:
    """Put in the folders of rows that have none: under the name that a correction gives, or by their frames."""
    if NONE not in places:
        return
    found = source.found
    lost = array("q", (number for number, place in enumerate(places) if place == NONE))
    clips = (names[number].clip for number in lost)
    renamed = Rows((ClipName(clip.subject, source.book.other_name(clip.key)) for clip in clips), CLIP_NAME)
    free = _not_among(places, found)
    folders = Rows((found.clips[place] for place in free), FOLDER)
    recordings = _by_subject(found) if found.layout.global_numbers else {}
    for number, at in zip(lost, match_folders(renamed, folders), strict=True):
        places[number] = free[at] if at != NONE else _recording_of(source, rows[number], names[number], recordings)


def _by_subject(found: FoundLayout) -> dict[Key, array[int]]:
    """Return the places of each subject's recordings."""
    places: dict[Key, array[int]] = {}
    for place, folder in enumerate(found.clips):
        places.setdefault(subject_key(folder.subject), array("q")).append(place)
    return places


def _recording_of(source: Source, row: SheetRow, name: RowName, recordings: dict[Key, array[int]]) -> int:
    """Return the place of the recording of the row's subject that has the row's frames."""
    onset = frame_number(row.cells.get("onset"))
    own = recordings.get(subject_key(name.clip.subject), ())
    clips = source.found.clips
    return next((place for place in own if onset in source.frames(clips[place])[0].numbers), NONE)


def _reading(
    source: Source,
    made: Iterable[Clip],
    sheet: CodingSheet | None,
    strays: int,
    notes: tuple[str, ...] = (),
) -> DatabaseReading:
    found = source.found
    clips, counts = gathered(made)
    layout, why = _settled_layout(source, counts)
    return DatabaseReading(
        spec=source.spec,
        clips=clips,
        root=found.root,
        layout=layout,
        sheet=sheet,
        sheet_rows=sheet.row_count if sheet else 0,
        folders=len(found.clips),
        folders_without_row=strays,
        counted=counts,
        errata=source.book.outcomes(),
        ignored=(*(f"folder {name} is no clip" for name in found.ignored), *(sheet.ignored if sheet else ())),
        notes=(
            *_experimental(source.spec),
            *found.notes,
            *why,
            *(f"also there, not used: {other}" for other in found.also),
            *notes,
            *(_cut_notes(found, counts) if sheet else ()),
        ),
    )


def _experimental(spec: DatabaseSpec) -> tuple[str, ...]:
    return (f"support of {spec.title} is experimental: {spec.experimental}",) if spec.experimental else ()


def _settled_layout(source: Source, counts: ClipCounts) -> tuple[str, tuple[str, ...]]:
    """Tell whole recordings from selected frames by what lies before the onsets, where no name told."""
    chosen = source.found.layout
    twins = [
        layout
        for layout in source.spec.layouts
        if (layout.levels, layout.file) == (chosen.levels, chosen.file) and layout.lead_in != chosen.lead_in
    ]
    if source.found.named or not twins or not counts.usable or (counts.early * 2 > counts.usable) == chosen.lead_in:
        return chosen.name, ()
    said = f"{counts.early} of {counts.usable} clips begin before their onset"
    return twins[0].name, (f"layout {twins[0].name}: {said}",)


def _nothing_matches(sheet: CodingSheet, found: FoundLayout) -> DatabaseError:
    row, folder = sheet.rows[0], found.clips[0]
    return DatabaseError(
        "No row of the coding sheet has a folder: the two belong to different databases or releases",
        where=f"{sheet.path} and {found.root}",
        expected=f"a folder for {row.text('subject')}/{row.text('clip')} (row {row.number})",
        found=f"{len(found.clips)} folders, the first {folder.path}",
        mend="check the root and --annotations",
    )
