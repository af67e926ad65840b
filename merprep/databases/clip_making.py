"""Makes one clip from a row of the sheet, a folder, or both, with everything that was noticed about it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from merprep.databases.cells import Cell, cell_text, frame_number, is_not_annotated, plain_note
from merprep.databases.cutting import fitted
from merprep.databases.errata import Erratum
from merprep.databases.folders import ClipFolder
from merprep.databases.keyframes import check_keyframes, midpoint
from merprep.databases.keys import name_key
from merprep.databases.matching import ClipName
from merprep.databases.rows import RowName, clip_id
from merprep.databases.sheet import SheetRow
from merprep.databases.source import Source
from merprep.databases.spec import DatabaseSpec
from merprep.labels import emotion_word, objective_class, parse_action_units, roman_class
from merprep.records import ApexSource, Clip, FrameSet, person_of

# A name longer than this is no name of a clip or subject but text that strayed into its column.
_LONGEST_NAME = 80
# What the note begins with that says of which recording a clip is a part; every such clip has one.
CUT = "cut out of"


def clip_of_folder(source: Source, folder: ClipFolder) -> Clip:
    """Make a clip whose folder is its annotation: onset is the first file, offset the last."""
    frames, notes = source.frames(folder)
    first, last = (frames.numbers[0], frames.numbers[-1]) if frames.numbers else (None, None)
    name = ClipName(folder.subject, folder.clip)
    cells: dict[str, Cell] = {"onset": first, "offset": last, "emotion": folder.emotion}
    cells, applied = source.book.apply(name.key, cells, on_disk=frames.numbers)
    clip = _clip(source.spec, name, cells, applied, frames, notes)
    if not frames.numbers:
        return clip.excluded(_empty(clip, folder))
    return _finished(source, clip)


def clip_of_row(source: Source, row: SheetRow, names: RowName, folder: ClipFolder | None, first: int | None) -> Clip:
    """Make the clip of a row of the sheet; `first` is the number of an earlier row that names the same clip."""
    name = names.clip
    frames, notes = source.frames(folder) if folder else (FrameSet(), [])
    notes += row.notes
    if folder:
        notes += _differently_written(source, row, names.folder, folder)
    cells, applied = source.book.apply(name.key, row.cells, on_disk=frames.numbers)
    name = _renamed(source.spec, name, row, cells)
    if source.found.layout.shared and folder:
        notes.append(f"{CUT} {folder.path}, {span(frames)}")
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


def span(frames: FrameSet) -> str:
    """Write the first and last number of frames."""
    return f"frames {frames.numbers[0]}-{frames.numbers[-1]}" if frames.numbers else "no frames"


def _renamed(spec: DatabaseSpec, name: ClipName, row: SheetRow, cells: dict[str, Cell]) -> ClipName:
    """Name a clip after its corrected cells, so that repaired and other copies of a sheet name it alike."""
    if spec.sheet is None:
        return name
    before, after = (clip_id(spec.sheet, values) for values in (row.cells, cells))
    return name if before == after else replace(name, clip=name.clip.replace(before, after, 1))


def _differently_written(source: Source, row: SheetRow, name: ClipName, folder: ClipFolder) -> list[str]:
    """Return notes on what a folder's place says otherwise than its row."""
    notes = []
    layout = source.found.layout
    subject = source.spec.subject_name(name.subject, layout)
    if layout.global_numbers and name_key(folder.clip) != name_key(name.clip):
        notes.append(f"lies in the recording {folder.path}")
    elif (folder.subject, folder.clip) != (subject, name.clip):
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


def clip_without_row(source: Source, folder: ClipFolder) -> Clip:
    """Make the excluded clip of a folder that no row of the sheet names."""
    frames, notes = source.frames(folder)
    clip = _clip(source.spec, ClipName(folder.subject, folder.clip), {}, [], frames, notes)
    if source.found.layout.shared:
        clip = replace(clip, frames=FrameSet(frames.pattern))
        return clip.excluded(f"no row in the sheet: nothing is coded in the recording {folder.path}, {span(frames)}")
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
    derived = "" if published else _derived_class(units)
    return Clip(
        database=spec.id,
        subject=_name(spec.subject_name(name.subject[:_LONGEST_NAME])) or "unknown",
        clip=_name(name.clip[:_LONGEST_NAME]) or "unnamed",
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
        notes=tuple(plain_note(note) for note in [*notes, *(note for note in unread if note), *_remarks(cells)]),
    )


@lru_cache(1024)  # few combinations of units, met again and again
def _derived_class(units: str) -> str:
    return objective_class(units) if parse_action_units(units) else ""


def _remarks(cells: dict[str, Cell]) -> list[str]:
    """Return what a row says beside what the manifest has columns for, and odd spellings of what it has."""
    said = {field: cell_text(cells.get(field)) for field in ("apex", "apex_last", "self_report", "action_units")}
    remarks = []
    if said["apex_last"] not in ("", said["apex"]) and not is_not_annotated(said["apex_last"]):
        remarks.append(f"the apex lasts until {said['apex_last']}")
    if said["self_report"]:
        remarks.append(f"self-report: {said['self_report']}")
    if "\uff0c" in said["action_units"]:
        remarks.append("the action units are joined by a full-width comma")
    return remarks


def _name(text: str) -> str:
    """Return a name that may stand in an id, whose separator is the slash, and is no step up a path."""
    plain = "".join(letter if letter.isprintable() and letter not in "/\\" else "_" for letter in text)
    return plain if plain.strip(". ") else plain.replace(".", "_")


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


def _finished(source: Source, clip: Clip) -> Clip:
    clip = check_keyframes(fitted(clip, source.spec, source.found.layout), source.missing)
    if source.spec.apex != "midpoint" or clip.status != "ok" or clip.onset is None or clip.offset is None:
        return clip
    if clip.apex is not None:
        return clip
    apex = midpoint(clip.frames, clip.onset, clip.offset)
    return replace(clip, apex=apex, apex_source="midpoint")
