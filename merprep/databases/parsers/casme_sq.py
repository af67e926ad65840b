"""CAS(ME)^2: no header, and three sheets that belong together.

The first sheet has a row an expression; its participant and its name become folders by two more sheets: "naming rule1"
says which folder a participant has (1 is s15), "naming rule2" which four-digit code a stimulus has (anger1 is 0401).
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain
from pathlib import Path

from merprep.databases.cells import Cell, cell_text, frame_number
from merprep.databases.sheet import CodingSheet, Pages, SheetRow, find_header, read_table
from merprep.databases.spec import SheetSpec
from merprep.databases.workbooks import CELLS, Page
from merprep.errors import SheetError
from merprep.shelf import Rows

_RULES = ("naming rule1", "naming rule2")
# A row of the table has a participant and an onset; that many of the first rows must look so.
_LOOKED_AT = 20


def read(path: Path, pages: Pages, spec: SheetSpec) -> CodingSheet:
    """Read the table and put the folders of participants and videos into its rows.

    Raises
    ------
    SheetError
        Where the table or the sheet of participants is missing.
    """
    tables = [(name, rows) for name, rows in pages if _rule(name) is None]
    sheet = _table(path, tables, spec)
    folders, codes = _folders(_page(pages, _RULES[0])), _codes(_page(pages, _RULES[1]))
    if not folders and any(frame_number(row.cells.get("subject")) for row in sheet.rows):
        raise SheetError(
            "The sheet that gives participants their folders is missing",
            where=str(path),
            expected=f"a sheet {_RULES[0]!r}: a number, a folder such as s15, the participant",
            found=", ".join(name for name, _ in pages),
            mend="give the workbook of the release, with all its sheets",
        )
    notes = () if codes else (f"there is no sheet {_RULES[1]!r}: whole videos cannot be told by their codes",)
    return sheet.mended((_joined(row, folders, codes) for row in sheet.rows), notes=notes)


def _rule(name: str) -> str | None:
    plain = re.sub(r"[\W_]", "", name.casefold())
    return next((rule for rule in _RULES if rule.replace(" ", "") == plain), None)


def _page(pages: Pages, rule: str) -> Page:
    return next((rows for name, rows in pages if _rule(name) == rule), [])


def _table(path: Path, tables: Pages, spec: SheetSpec) -> CodingSheet:
    """Read the table by its header, if a copy has one, or else by the order of its columns."""
    for name, rows in tables:
        header = find_header(rows, spec)
        if header is not None:
            return read_table(path, name, rows, header, spec)
    heads: list[Cell] = [spellings[0] for spellings in spec.columns.values()]
    for name, rows in tables:
        headed = _without_blank_columns(heads, rows)
        if _looks_right(headed[1 : 1 + _LOOKED_AT]):
            sheet = read_table(path, name, headed, 0, spec)
            # The header is ours: Excel's rows are one less.
            return sheet.mended((replace(row, number=row.number - 1) for row in sheet.rows), header_row=0)
    raise SheetError(
        "No sheet of the workbook has the columns of this database",
        where=str(path),
        expected="a row an expression: participant, anger1_2, onset, apex, offset, action units, emotion, type",
        found=", ".join(name for name, _ in tables) or "no sheet with a cell in it",
        mend="give the coding sheet of the release with --annotations",
    )


def _without_blank_columns(heads: list[Cell], rows: Page) -> Page:
    """Return the rows without columns in which nothing stands, below a header."""
    used = sorted({place for row in rows for place, cell in enumerate(row) if cell_text(cell)})
    kept = ([row[place] if place < len(row) else None for place in used] for row in rows)
    return Rows(chain([heads], kept), CELLS)


def _looks_right(rows: Page) -> bool:
    looked = [row for row in rows if any(cell_text(cell) for cell in row)]
    good = [
        row
        for row in looked
        if len(row) >= 7 and re.search(r"\d", cell_text(row[0])) and all(frame_number(c) is not None for c in row[2:5])
    ]
    return bool(looked) and len(good) * 2 > len(looked)


def _folders(rows: Page) -> dict[int, str]:
    """Return the folder of each participant: the number behind a cell such as s15."""
    found = {}
    for row in rows:
        texts = [cell_text(cell) for cell in row]
        places = [index for index, text in enumerate(texts) if re.fullmatch(r"[sS]\d+", text)]
        numbers = [frame_number(text) for text in texts[places[0] + 1 :]] if places else []
        participant = next((number for number in numbers if number is not None), None)
        if participant is not None:
            found[participant] = texts[places[0]].lower()
    return found


def _codes(rows: Page) -> dict[str, str]:
    """Return the code of each stimulus as four digits; a copy that made numbers of them has lost the zero."""
    found = {}
    for row in rows:
        texts = [cell_text(cell) for cell in row]
        code = next((text for text in texts if re.fullmatch(r"\d{3,4}", text)), "")
        name = next((text for text in texts if re.fullmatch(r"[A-Za-z]+\d*", text)), "")
        if code and name:
            found[name.casefold()] = f"{int(code):04d}"
    return found


def _joined(row: SheetRow, folders: dict[int, str], codes: dict[str, str]) -> SheetRow:
    participant = frame_number(row.cells.get("subject"))
    stimulus = row.text("clip").rpartition("_")[0].casefold()
    notes = []
    cells = dict(row.cells)
    if participant is not None:
        if participant in folders:
            cells["subject"] = folders[participant]
        else:
            notes.append(f"{_RULES[0]} gives participant {participant} no folder")
    cells["video"] = codes.get(stimulus, "")
    if codes and stimulus not in codes:
        notes.append(f"{_RULES[1]} gives {stimulus or row.text('clip')} no code")
    return replace(row, cells=cells, notes=(*row.notes, *notes))
