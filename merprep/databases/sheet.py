"""Finds the table in a coding sheet and reads it by the names of its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from merprep.databases.cells import Cell, cell_text, is_blank
from merprep.databases.spec import SheetSpec
from merprep.databases.workbooks import Rows, read_workbook
from merprep.errors import SheetError

# Headers stand near the top (SAMM's on row 14); further down a note could be mistaken for one.
_HEADER_WITHIN = 60
# What the last row of a table is called that adds the others up.
_TOTALS = {"total", "totals", "sum", "in total", "total number"}


@dataclass(frozen=True)
class SheetRow:
    """One row of a coding sheet: its number as Excel shows it, and its cells by field."""

    number: int
    cells: dict[str, Cell]

    def text(self, field: str) -> str:
        """Return a cell as text; empty where there is no such column."""
        return cell_text(self.cells.get(field))


@dataclass(frozen=True)
class CodingSheet:
    """The table of a coding sheet.

    Attributes
    ----------
    header_row : int
        As Excel counts, 1 first.
    columns : dict of str
        By field, the name of the column that was read for it.
    rows : tuple of SheetRow
        One a clip.
    ignored : tuple of str
        Rows that hold something but name no clip.
    """

    path: Path
    sheet: str
    version: str
    header_row: int
    columns: dict[str, str]
    rows: tuple[SheetRow, ...]
    ignored: tuple[str, ...] = ()


def read_sheet(path: Path, spec: SheetSpec) -> CodingSheet:
    """Read a coding sheet.

    The header is the first row that has all required columns, in the sheets that the specification names first and
    in any other sheet after them.

    Raises
    ------
    SheetError
        Where the file cannot be read, no sheet has the columns, or one column is there twice.
    """
    found = sorted(read_workbook(path), key=lambda pair: _preference(pair[0], spec))
    for name, rows in found:
        header = _find_header(rows, spec)
        if header is not None:
            return _read_table(path, name, rows, header, spec)
    raise _no_columns(path, found, spec)


def _preference(name: str, spec: SheetSpec) -> int:
    return spec.sheets.index(name) if name in spec.sheets else len(spec.sheets)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


def _columns_of(row: Sequence[Cell], spec: SheetSpec) -> dict[str, list[int]]:
    """Return, by field, the positions of the cells that spell its name; the first spelling that occurs counts."""
    names = [_plain(cell_text(cell)) for cell in row]
    found: dict[str, list[int]] = {}
    for field, spellings in spec.columns.items():
        for spelling in spellings:
            places = [index for index, name in enumerate(names) if name == _plain(spelling)]
            if places:
                found[field] = places
                break
    return found


def _find_header(rows: Rows, spec: SheetSpec) -> int | None:
    for index, row in enumerate(rows[:_HEADER_WITHIN]):
        if set(spec.required) <= set(_columns_of(row, spec)):
            return index
    return None


def _read_table(path: Path, name: str, rows: Rows, header: int, spec: SheetSpec) -> CodingSheet:
    places = _columns_of(rows[header], spec)
    _check_twice(path, name, rows, header, places)
    at = {field: found[0] for field, found in places.items()}
    kept: list[SheetRow] = []
    ignored: list[str] = []
    for index, row in enumerate(rows[header + 1 :], start=header + 2):
        cells = {field: row[place] if place < len(row) else None for field, place in at.items()}
        if _is_total(cells):
            ignored.append(f"row {index} is a total, no clip")
        elif not is_blank(cells["clip"]):
            kept.append(SheetRow(index, _with_derived(cells, spec)))
        elif not all(is_blank(cell) for cell in row):
            said = " | ".join(cell_text(cell) for cell in row if not is_blank(cell))
            ignored.append(f"row {index} names no clip: {said[:120]}")
    columns = {field: cell_text(rows[header][place]) for field, place in at.items()}
    return CodingSheet(path, name, _version(columns, spec), header + 1, columns, tuple(kept), tuple(ignored))


def _is_total(cells: dict[str, Cell]) -> bool:
    return any(cell_text(cells.get(field)).casefold() in _TOTALS for field in ("subject", "clip"))


def _with_derived(cells: dict[str, Cell], spec: SheetSpec) -> dict[str, Cell]:
    for field, derived in spec.derived.items():
        hit = re.match(derived.pattern, cell_text(cells.get(derived.of)))
        if hit and is_blank(cells.get(field)):
            cells[field] = hit[1]
    return cells


def _check_twice(path: Path, name: str, rows: Rows, header: int, places: dict[str, list[int]]) -> None:
    """Refuse two columns of one name that say different things; a plain copy does no harm."""
    for field, found in places.items():
        columns = [[cell_text(row[place]) if place < len(row) else "" for row in rows[header + 1 :]] for place in found]
        if any(column != columns[0] for column in columns):
            raise SheetError(
                f"The sheet has {len(found)} columns {cell_text(rows[header][found[0]])!r} that differ",
                where=f"{path}, sheet {name!r}, row {header + 1}",
                expected=f"one column for the {field}",
                mend="delete or rename the wrong one",
            )


def _version(columns: dict[str, str], spec: SheetSpec) -> str:
    return next((version.name for version in spec.versions if set(version.has) <= set(columns)), "")


def _no_columns(path: Path, found: list[tuple[str, Rows]], spec: SheetSpec) -> SheetError:
    """Build the error that names what is missing from the row that comes nearest to a header."""
    best: tuple[int, str, int, set[str]] = (0, "", 0, set(spec.required))
    for name, rows in found:
        for index, row in enumerate(rows[:_HEADER_WITHIN]):
            missing = set(spec.required) - set(_columns_of(row, spec))
            if len(missing) < len(best[3]):
                best = (len(missing), name, index + 1, missing)
    _, sheet, line, missing = best
    expected = ", ".join(f"{field} ({' or '.join(spec.columns[field])})" for field in spec.required if field in missing)
    if not sheet:
        listed = ", ".join(name for name, _ in found) or "no sheet with a cell in it"
        return SheetError(
            "No sheet of the file has the columns of this database",
            where=str(path),
            expected=expected,
            found=listed,
            mend="give the coding sheet of the release with --annotations",
        )
    rows = dict(found)[sheet]
    return SheetError(
        "The sheet lacks columns",
        where=f"{path}, sheet {sheet!r}, row {line}",
        expected=expected,
        found=", ".join(text for text in map(cell_text, rows[line - 1]) if text),
        mend="restore the names of the columns, or give the coding sheet of the release with --annotations",
    )
