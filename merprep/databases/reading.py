"""Reads a whole database: sheet, folders and corrections become clips. Pure reading, nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from merprep.databases.cells import Cell, cell_text, frame_number, is_not_annotated, plain_note
from merprep.databases.cutting import fitted
from merprep.databases.errata import ErrataBook, ErrataPolicy, Erratum, ErratumOutcome, load_errata
from merprep.databases.folders import ClipFolder, FoundLayout, find_layout
from merprep.databases.frames import read_frames
from merprep.databases.joins import joined
from merprep.databases.keyframes import MissingFrames, check_keyframes, midpoint
from merprep.databases.matching import ClipName, match_folders
from merprep.databases.parts import FoundPart, common_root, find_parts, rooted
from merprep.databases.rows import RowName, row_names
from merprep.databases.sheet import CodingSheet, SheetRow, read_sheet
from merprep.databases.sheet_files import find_sheet
from merprep.databases.spec import DatabaseSpec
from merprep.errors import DatabaseError, UsageError
from merprep.labels import emotion_word, objective_class, parse_action_units, roman_class
from merprep.records import ApexSource, Clip, FrameSet, person_of

# A name longer than this is no name of a clip or subject but text that strayed into its column.
_LONGEST_NAME = 80


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
            "emotions": dict(Counter(clip.emotion for clip in self.clips if clip.emotion).most_common()),
        }


@dataclass(frozen=True)
class _Source:
    """What the clips of one database are made from."""

    spec: DatabaseSpec
    found: FoundLayout
    book: ErrataBook
    missing: MissingFrames
    # The sheet of another database, for fields that are joined.
    extra: Path | None = None
    # What is in a folder, read once however many clips it holds.
    known: dict[str, tuple[FrameSet, list[str]]] = field(default_factory=dict)

    def frames(self, folder: ClipFolder) -> tuple[FrameSet, list[str]]:
        if folder.path not in self.known:
            self.known[folder.path] = read_frames(self.spec, self.found.layout, self.found.root, folder)
        frames, notes = self.known[folder.path]
        return frames, list(notes)


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
    source = _Source(spec, find_layout(spec, Path(root)), book, missing_frames, None if extra is None else Path(extra))
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
        reading = _read_rows(_Source(part.spec, empty, book, missing), given, part.sheet)
        return replace(reading, notes=(f"{name}: no folders, only the sheet {part.sheet}",))
    source = _Source(part.spec, found, book, missing)
    if part.sheet is not None:
        return _read_rows(source, given, part.sheet)
    clips = [_clip_without_row(source, folder) for folder in found.clips]
    return _reading(source, clips, None, 0, len(clips), (f"{name}: no coding sheet was found",))


def _read_folders(source: _Source) -> DatabaseReading:
    """Read a database whose folders are the annotation: onset is the first file, offset the last."""
    clips = [_clip_of_folder(source, folder) for folder in source.found.clips]
    return _reading(source, clips, None, 0, len(clips), ())


def _clip_of_folder(source: _Source, folder: ClipFolder) -> Clip:
    frames, notes = source.frames(folder)
    first, last = (frames.numbers[0], frames.numbers[-1]) if frames.numbers else (None, None)
    name = ClipName(folder.subject, folder.clip)
    cells: dict[str, Cell] = {"onset": first, "offset": last, "emotion": folder.emotion}
    cells, applied = source.book.apply(name.key, cells, on_disk=frames.numbers)
    clip = _clip(source.spec, name, cells, applied, frames, notes)
    if not frames.numbers:
        return clip.excluded(_empty(clip, folder))
    return _finished(source, clip)


def _read_rows(source: _Source, given: Path, annotations: Path | None) -> DatabaseReading:
    spec, found = source.spec, source.found
    if spec.sheet is None:
        raise UsageError(f"{spec.title} has no coding sheet")
    path, unused = (annotations, ()) if annotations else find_sheet(spec, given.absolute(), found.root)
    other = joined(spec, read_sheet(path, spec.sheet), given.absolute(), found.root, source.extra)
    sheet = other.sheet
    names = row_names(sheet.rows, spec.sheet, found.layout)
    folders = match_folders([name.folder for name in names], found.clips, shared=found.layout.shared)
    if names and found.clips and not any(folders):
        raise _nothing_matches(sheet, found)
    rows = zip(sheet.rows, names, folders, _first_rows([name.clip for name in names], sheet.rows), strict=True)
    clips = [_clip_of_row(source, row, name, folder, first) for row, name, folder, first in rows]
    taken = {folder.path for folder in folders if folder}
    strays = [folder for folder in found.clips if folder.path not in taken]
    clips += [_clip_without_row(source, folder) for folder in strays]
    notes = (*other.notes, *(f"another coding sheet is there and not used: {path}" for path in unused))
    return _reading(source, clips, sheet, len(names), len(strays), notes)


def _first_rows(names: list[ClipName], rows: tuple[SheetRow, ...]) -> list[int | None]:
    """Return, for each row, the number of an earlier row that names the same clip, or None."""
    seen: dict[tuple[Any, str], int] = {}
    firsts: list[int | None] = []
    for name, row in zip(names, rows, strict=True):
        key = (name.key[0], name.clip.casefold())
        firsts.append(seen.get(key))
        seen.setdefault(key, row.number)
    return firsts


def _clip_of_row(source: _Source, row: SheetRow, names: RowName, folder: ClipFolder | None, first: int | None) -> Clip:
    name = names.clip
    frames, notes = source.frames(folder) if folder else (FrameSet(), [])
    if folder:
        notes += _differently_written(source.spec, row, names.folder, folder)
    cells, applied = source.book.apply(name.key, row.cells, on_disk=frames.numbers)
    clip = _clip(source.spec, name, cells, applied, frames, notes)
    clip = replace(clip, variant=names.kind or clip.variant)
    if first is not None:
        clip = replace(clip, clip=f"{clip.clip} (row {row.number})")
        return clip.excluded(f"named twice in the sheet: rows {first} and {row.number}")
    reason = _unusable(source.spec, row, names, folder, clip)
    clip = clip.excluded(reason) if reason else _finished(source, clip)
    # A recording's numbers stand with the clips that are cut out of it, not with those that cannot be.
    whole = source.found.layout.shared and clip.status == "excluded"
    return replace(clip, frames=FrameSet(clip.frames.pattern)) if whole else clip


def _differently_written(spec: DatabaseSpec, row: SheetRow, name: ClipName, folder: ClipFolder) -> list[str]:
    """Return notes on what a folder's place says otherwise than its row."""
    notes = []
    if (folder.subject, folder.clip) != (spec.subject_name(name.subject), name.clip):
        notes.append(f"the folder is written {folder.path}")
    said, lies = row.text("emotion"), folder.emotion
    if said and lies and emotion_word(said) != emotion_word(lies):
        notes.append(f"the sheet says {said}, the folder {lies}: the sheet counts")
    length = frame_number(row.cells.get("duration"))
    onset, offset = (frame_number(row.cells.get(field)) for field in ("onset", "offset"))
    if None not in (length, onset, offset) and length != (offset or 0) - (onset or 0) + 1:
        notes.append(
            f"the duration {length} in the sheet is not offset - onset + 1 = {(offset or 0) - (onset or 0) + 1}"
        )
    return notes


def _unusable(spec: DatabaseSpec, row: SheetRow, names: RowName, folder: ClipFolder | None, clip: Clip) -> str:
    """Return why a row of the sheet cannot be used, or an empty text."""
    name = names.clip
    if not name.subject:
        return f"no subject in the sheet: row {row.number}"
    if max(len(name.subject), len(name.clip)) > _LONGEST_NAME:
        return f"no clip's name in the sheet: row {row.number}"
    if folder is None:
        return f"no frames on disk: looked for {spec.subject_name(name.subject)}/{names.folder.clip}"
    if not clip.frames.numbers:
        return _empty(clip, folder)
    return "" if clip.onset is not None else f"no onset in the sheet: row {row.number} says {row.text('onset')!r}"


def _empty(clip: Clip, folder: ClipFolder) -> str:
    why = f"the folder {folder.path} holds no image"
    return "no frames on disk: " + next((note for note in clip.notes if note.startswith("the video")), why)


def _clip_without_row(source: _Source, folder: ClipFolder) -> Clip:
    frames, notes = source.frames(folder)
    clip = _clip(source.spec, ClipName(folder.subject, folder.clip), {}, [], frames, notes)
    return clip.excluded(f"no row in the sheet: the folder {folder.path} has frames {frames.ranges() or 'none'}")


def _clip(
    spec: DatabaseSpec,
    name: ClipName,
    cells: dict[str, Cell],
    applied: list[Erratum],
    frames: FrameSet,
    notes: list[str],
) -> Clip:
    """Make the record of a clip from its cells, unchecked."""
    numbers = {field: frame_number(cells.get(field)) for field in ("onset", "apex", "offset")}
    unread = [_unread(field, cells.get(field)) for field, number in numbers.items() if number is None]
    units = cell_text(cells.get("action_units"))
    published = roman_class(cell_text(cells.get("objective_class")))
    derived = "" if published or not parse_action_units(units) else objective_class(units)
    return Clip(
        database=spec.id,
        subject=_name(spec.subject_name(name.subject[:_LONGEST_NAME])) or "unknown",
        clip=_name(name.clip[:_LONGEST_NAME]),
        person=person_of(spec.persons, name.subject[:_LONGEST_NAME]),
        variant=spec.variant,
        frames=frames,
        onset=numbers["onset"],
        apex=numbers["apex"],
        offset=numbers["offset"],
        fps=_fps(spec, cells.get("fps")),
        emotion=cell_text(cells.get("emotion")),
        action_units=units,
        objective_class=published or derived,
        objective_source="published" if published else "derived" if derived else "",
        apex_source=_apex_source(numbers["apex"], applied),
        errata=tuple(plain_note(erratum.label) for erratum in applied),
        notes=tuple(plain_note(note) for note in [*notes, *(note for note in unread if note)]),
    )


def _name(text: str) -> str:
    """Return a name that may stand in an id, whose separator is the slash."""
    return text.replace("/", "_").replace("\\", "_")


def _unread(field: str, cell: Cell) -> str:
    if is_not_annotated(cell):
        return ""
    return f"the {field} cell {cell_text(cell)[:40]!r} is no frame number"


def _fps(spec: DatabaseSpec, cell: Cell) -> float:
    text = cell_text(cell)
    return float(text) if text.isdecimal() and int(text) else spec.fps


def _apex_source(apex: int | None, applied: list[Erratum]) -> ApexSource:
    if apex is None:
        return "none"
    return "errata" if any(erratum.field == "apex" for erratum in applied) else "annotated"


def _finished(source: _Source, clip: Clip) -> Clip:
    clip = check_keyframes(fitted(clip, source.spec, source.found.layout), source.missing)
    if source.spec.apex != "midpoint" or clip.status != "ok" or clip.onset is None or clip.offset is None:
        return clip
    apex = midpoint(clip.frames, clip.onset, clip.offset)
    return replace(clip, apex=apex, apex_source="midpoint")


def _reading(
    source: _Source,
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


def _settled_layout(source: _Source, clips: list[Clip]) -> tuple[str, tuple[str, ...]]:
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
