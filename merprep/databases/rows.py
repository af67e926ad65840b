"""What a row of a sheet is called, and what its folder is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from merprep.databases.cells import Cell, cell_text
from merprep.databases.keys import subject_key
from merprep.databases.matching import ClipName
from merprep.databases.sheet import SheetRow
from merprep.databases.spec import SHEET_FIELDS, Layout, SheetSpec


@dataclass(frozen=True)
class RowName:
    """The names of one row.

    Attributes
    ----------
    clip : ClipName
        In the manifest.
    folder : ClipName
        On disk.
    kind : str
        ``micro``, ``macro``, or what the sheet says in their place.
    """

    clip: ClipName
    folder: ClipName
    kind: str = ""


def row_names(rows: Sequence[SheetRow], sheet: SheetSpec, layout: Layout) -> list[RowName]:
    """Name the clips of a sheet.

    A name that stands for a micro- and for a macro-expression keeps to the first of these; the other's kind is
    added to it.
    """
    plain = [_row_name(row, sheet, layout) for row in rows]
    kinds: dict[tuple[object, str], set[str]] = {}
    for name in plain:
        kinds.setdefault(_same(name), set()).add(name.kind)
    return [_told_apart(name, kinds[_same(name)], sheet) for name in plain]


def kind_of(sheet: SheetSpec, text: str) -> str:
    """Return ``micro`` or ``macro`` for what the sheet writes; what is neither comes back as it is."""
    word = text.casefold()
    spelt = {spelling.casefold(): kind for kind, spellings in sheet.kinds.items() for spelling in spellings}
    return spelt.get(word, word)


def clip_id(sheet: SheetSpec, cells: dict[str, Cell]) -> str:
    """Return the name of a clip, made of the cells of its row."""
    return sheet.clip_id.format(**{field: cell_text(cells.get(field)) for field in SHEET_FIELDS})


def _row_name(row: SheetRow, sheet: SheetSpec, layout: Layout) -> RowName:
    subject, cells = row.text("subject"), {field: row.text(field) for field in SHEET_FIELDS}
    clip, folder = clip_id(sheet, row.cells), layout.key.format(**cells)
    return RowName(ClipName(subject, clip), ClipName(subject, folder), kind_of(sheet, cells["kind"]))


def _same(name: RowName) -> tuple[object, str]:
    return subject_key(name.clip.subject), name.clip.clip.casefold()


def _told_apart(name: RowName, kinds: set[str], sheet: SheetSpec) -> RowName:
    order = [*sheet.kinds, *sorted(kinds)]
    if len(kinds) == 1 or name.kind == min(kinds, key=order.index):
        return name
    return RowName(ClipName(name.clip.subject, f"{name.clip.clip}_{name.kind}"), name.folder, name.kind)
