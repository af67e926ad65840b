"""SMIC-E: a row a long clip, which may hold a second and a third expression; these are noted, a row is one clip."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from merprep.databases.cells import cell_text, frame_number, is_blank
from merprep.databases.sheet import CodingSheet, Pages, SheetRow, read_pages
from merprep.databases.spec import SheetSpec

_CLIP = re.compile(r"s\d+_(ne|po|sur)_\d+", re.IGNORECASE)
# Second expressions are stated as long as offset - onset, first ones one frame longer.
_SLACK = 1
# Frames; the longest micro-expression of the HS recordings has 58.
_LONGEST = 200
# How far outside the stated recording an expression of the stated length may lie: s4_ne_04's is stated too short.
_AROUND = 500


def read(path: Path, pages: Pages, spec: SheetSpec) -> CodingSheet:
    """Read the table of one camera; further expressions of a row become its notes.

    Text below the table is left out and said. A further expression that is not one (formulas that refer to other
    rows) is noted as such.

    Raises
    ------
    SheetError
        Where the table of this camera is missing.
    """
    sheet = read_pages(path, pages, spec)
    said = [f"row {row.number} is text, no clip: {_said(row)}" for row in sheet.rows if _is_text(row)]
    rows = (_noted(_with_offsets(row)) for row in sheet.rows if not _is_text(row))
    return sheet.mended(rows, ignored=(*sheet.ignored, *said))


def _is_text(row: SheetRow) -> bool:
    return frame_number(row.cells.get("onset")) is None and _CLIP.fullmatch(row.text("clip")) is None


def _with_offsets(row: SheetRow) -> SheetRow:
    for nth in ("", "2", "3"):
        row = _with_offset(row, nth)
    return row


def _with_offset(row: SheetRow, nth: str) -> SheetRow:
    """Fill in an offset whose formula lost its value when the workbook was saved by something else than Excel."""
    onset, length = (frame_number(row.cells.get(f"{field}{nth}")) for field in ("onset", "duration"))
    if not is_blank(row.cells.get(f"offset{nth}")) or onset is None or not length:
        return row
    note = f"the offset{nth and f' of expression {nth}'} has no value: onset + length - 1 = {onset + length - 1}"
    return replace(row, cells={**row.cells, f"offset{nth}": onset + length - 1}, notes=(*row.notes, note))


def _said(row: SheetRow) -> str:
    return " | ".join(cell_text(cell) for cell in row.cells.values() if not is_blank(cell))[:120]


def _noted(row: SheetRow) -> SheetRow:
    """Return the row with notes on its further expressions and on what its cells say in words."""
    notes = [note for field in ("first", "last") if (note := _unreadable(row, field))]
    for nth in ("2", "3"):
        if is_blank(row.cells.get(f"onset{nth}")) and is_blank(row.cells.get(f"offset{nth}")):
            continue
        onset, offset = (frame_number(row.cells.get(f"{field}{nth}")) for field in ("onset", "offset"))
        problem = _junk(row, nth, onset, offset)
        found = f"is left out: {problem}" if problem else f"lies at frames {onset}-{offset}"
        notes.append(f"expression {nth} of the row {found}")
    return replace(row, cells={**row.cells, "video": row.text("clip")}, notes=(*row.notes, *notes))


def _unreadable(row: SheetRow, field: str) -> str:
    text = row.text(field)
    if not text or frame_number(row.cells.get(field)) is not None:
        return ""
    return f"the cell of the recording's {field} frame says {text[:40]!r}"


def _junk(row: SheetRow, nth: str, onset: int | None, offset: int | None) -> str:
    """Return why the cells of a further expression are none; empty where they are one."""
    said = "–".join(row.text(f"{field}{nth}") or "nothing" for field in ("onset", "offset"))
    # The edited HS table computes third expressions from blank cells of VIS: ends before starts, lengths of 0.
    if onset is None or offset is None or offset <= onset:
        return f"{said} are no frames"
    length = row.cells.get(f"duration{nth}")
    stated = frame_number(length)
    if not is_blank(length) and (stated is None or abs(stated - (offset - onset + 1)) > _SLACK):
        return f"{said} is not as long as stated ({cell_text(length)})"
    if offset - onset >= _LONGEST:
        return f"{said} is longer than any expression"
    first, last = (frame_number(row.cells.get(field)) for field in ("first", "last"))
    around = 0 if stated is None else _AROUND
    if (first is not None and onset < first - around) or (last is not None and offset > last + around):
        return f"{said} lies outside the recording {first}–{'' if last is None else last}"
    return ""
