"""Finds the table in a coding sheet and reads it by the names of its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from importlib import import_module
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from merprep.databases.cells import Cell, cell_text, is_blank
from merprep.databases.indicators import indicator_places, with_emotions
from merprep.databases.spec import SheetSpec, SheetVersion
from merprep.databases.workbooks import CELLS, Page, read_workbook
from merprep.errors import SheetError
from merprep.shelf import Codec, Rows

# Headers stand near the top (SAMM's on row 14); further down a note could be mistaken for one.
_HEADER_WITHIN = 60
# What the last row of a table is called that adds the others up.
_TOTALS = {"total", "totals", "sum", "in total", "total number"}


@dataclass(frozen=True)
class SheetRow:
    """One row of a coding sheet: its number as Excel shows it, its cells by field, and what is odd about it."""

    number: int
    cells: dict[str, Cell]
    notes: tuple[str, ...] = ()

    def text(self, field: str) -> str:
        """Return a cell as text; empty where there is no such column."""
        return cell_text(self.cells.get(field))


def _as_plain(row: SheetRow) -> list[Any]:
    return [row.number, list(row.cells), CELLS.plain([*row.cells.values()]), row.notes]


def _of_plain(values: list[Any]) -> SheetRow:
    number, fields, cells, notes = values
    return SheetRow(number, dict(zip(fields, CELLS.record(cells), strict=True)), tuple(notes))


SHEET_ROW: Codec[SheetRow] = Codec(_as_plain, _of_plain)


@dataclass(frozen=True)
class CodingSheet:
    """The table of a coding sheet.

    Attributes
    ----------
    header_row : int
        As Excel counts, 1 first.
    columns : dict of str
        By field, the name of the column that was read for it.
    rows : sequence of SheetRow
        One a clip, in the order of their numbers; kept on the disk.
    ignored : tuple of str
        Rows that hold something but name no clip.
    notes : tuple of str
        About the sheet as a whole.
    """

    path: Path
    sheet: str
    version: str
    header_row: int
    columns: dict[str, str]
    rows: Sequence[SheetRow]
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def row_count(self) -> int:
        """The rows that name clips; a row may name several."""
        return sum(1 for _ in groupby(row.number for row in self.rows))

    def mended(self, rows: Iterable[SheetRow], **changes: Any) -> CodingSheet:
        """Return the sheet with other rows, which may be made of its own as they are asked for."""
        return replace(self, rows=Rows(rows, SHEET_ROW), **changes)


Pages = list[tuple[str, Page]]


def read_sheet(path: Path, spec: SheetSpec) -> CodingSheet:
    """Read a coding sheet.

    The header is the first row that has all required columns, in the sheets that the specification names first and
    in any other sheet after them. A workbook that is more than one table is read by its parser.

    Raises
    ------
    SheetError
        Where the file cannot be read, no sheet has the columns, or one column is there twice.
    """
    pages = sorted(read_workbook(path), key=lambda pair: _preference(pair[0], spec))
    if spec.parser:
        sheet: CodingSheet = import_module(f"merprep.databases.parsers.{spec.parser}").read(path, pages, spec)
    else:
        sheet = read_pages(path, pages, spec)
    return _annotated(sheet, pages, spec)


def read_pages(path: Path, pages: Pages, spec: SheetSpec) -> CodingSheet:
    """Read the first page that has a header with the required columns.

    Raises
    ------
    SheetError
        Where there is none.
    """
    unwanted = {_plain(name) for name in spec.not_sheets}
    fitting = [(name, rows) for name, rows in pages if _plain(name) not in unwanted]
    for name, rows in fitting:
        header = find_header(rows, spec)
        if header is not None:
            return read_table(path, name, rows, header, spec)
    if not fitting and pages:
        raise SheetError(
            "The workbook has only sheets of other recordings",
            where=str(path),
            expected=" or ".join(spec.sheets),
            found=", ".join(name for name, _ in pages),
            mend="give the workbook of this variant with --annotations",
        )
    raise _no_columns(path, fitting, spec)


def _annotated(sheet: CodingSheet, pages: Pages, spec: SheetSpec) -> CodingSheet:
    """Add what the version says of every row, blank what the sheet writes for "not annotated", note what is beside."""
    version = next((version for version in spec.versions if version.name == sheet.version), SheetVersion(name=""))
    notes = [version.lacks] if version.lacks else []
    notes += [
        f"the sheet {name!r} has {len(rows) - 1} rows, which are no clips"
        for name, rows in pages
        if _plain(name) in map(_plain, spec.beside)
    ]
    if version.sets or spec.not_annotated:
        blanked: Counter[str] = Counter()
        sheet = sheet.mended(_blanked(_filled(sheet.rows, version), spec, blanked))
        said = " or ".join(spec.not_annotated)
        notes += [
            f"{count} row{'s have' if count > 1 else ' has'} no {name} (the sheet says {said})"
            for name, count in blanked.items()
        ]
    return replace(sheet, notes=(*sheet.notes, *notes))


def _filled(rows: Iterable[SheetRow], version: SheetVersion) -> Iterator[SheetRow]:
    for row in rows:
        added = {field: cell for field, cell in version.sets.items() if not row.text(field)}
        yield replace(row, cells={**row.cells, **added}) if added else row


def _blanked(rows: Iterable[SheetRow], spec: SheetSpec, count: Counter[str]) -> Iterator[SheetRow]:
    for row in rows:
        blank = [
            field for field in ("onset", "apex", "offset") if cell_text(row.cells.get(field)) in spec.not_annotated
        ]
        count.update(blank)
        yield replace(row, cells={**row.cells, **dict.fromkeys(blank)}) if blank else row


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


def find_header(rows: Page, spec: SheetSpec) -> int | None:
    """Return the index of the first row that has all required columns, or None."""
    for index, row in enumerate(rows[:_HEADER_WITHIN]):
        if set(spec.required) <= set(_columns_of(row, spec)):
            return index
    return None


def read_table(path: Path, name: str, rows: Page, header: int, spec: SheetSpec) -> CodingSheet:
    """Read the rows below a header.

    Raises
    ------
    SheetError
        Where a column is there twice and the two differ.
    """
    heads = rows[header]
    places = _columns_of(heads, spec)
    _check_twice(path, name, rows, header, places)
    at = {field: found[0] for field, found in places.items()}
    columns = {field: cell_text(heads[place]) for field, place in at.items()}
    ignored: list[str] = []
    kept = Rows(_clip_rows(rows, header, at, spec, ignored), SHEET_ROW)
    return CodingSheet(path, name, _version(path, columns, spec), header + 1, columns, kept, tuple(ignored))


def _clip_rows(rows: Page, header: int, at: dict[str, int], spec: SheetSpec, ignored: list[str]) -> Iterator[SheetRow]:
    """Yield the rows that name a clip, and say in `ignored` what the others are."""
    shown = indicator_places(rows[header], spec.indicators)
    for index, row in enumerate(islice(rows, header + 1, None), start=header + 2):
        cells = {field: row[place] if place < len(row) else None for field, place in at.items()}
        if _is_total(cells):
            ignored.append(f"row {index} is a total, no clip")
        elif _names_a_clip(cells, spec):
            cells, odd = with_emotions(cells, row, shown)
            yield SheetRow(index, _with_derived(cells, spec), odd)
        elif not all(is_blank(cell) for cell in row):
            said = " | ".join(cell_text(cell) for cell in row if not is_blank(cell))
            ignored.append(f"row {index} names no clip: {said[:120]}")


def _names_a_clip(cells: dict[str, Cell], spec: SheetSpec) -> bool:
    """Whether a row says which clip it is about; where no column names clips, its subject and one more cell do."""
    if "clip" in spec.columns:
        return re.fullmatch(spec.names, cell_text(cells.get("clip"))) is not None
    return not is_blank(cells.get("subject")) and any(
        not is_blank(cells.get(field)) for field in spec.required if field != "subject"
    )


def _is_total(cells: dict[str, Cell]) -> bool:
    return any(cell_text(cells.get(field)).casefold() in _TOTALS for field in ("subject", "clip"))


def _with_derived(cells: dict[str, Cell], spec: SheetSpec) -> dict[str, Cell]:
    for field, derived in spec.derived.items():
        hit = re.match(derived.pattern, cell_text(cells.get(derived.of)))
        if hit and is_blank(cells.get(field)):
            cells[field] = hit[1]
    return cells


def _check_twice(path: Path, name: str, rows: Page, header: int, places: dict[str, list[int]]) -> None:
    """Refuse two columns of one name that say different things; a plain copy does no harm."""
    twice = {field: found for field, found in places.items() if len(found) > 1}
    differ = {
        field
        for row in (islice(rows, header + 1, None) if twice else ())
        for field, found in twice.items()
        if len({cell_text(row[place]) if place < len(row) else "" for place in found}) > 1
    }
    for field, found in twice.items():
        if field in differ:
            raise SheetError(
                f"The sheet has {len(found)} columns {cell_text(rows[header][found[0]])!r} that differ",
                where=f"{path}, sheet {name!r}, row {header + 1}",
                expected=f"one column for the {field}",
                mend="delete or rename the wrong one",
            )


def _version(path: Path, columns: dict[str, str], spec: SheetSpec) -> str:
    def fits(version: SheetVersion) -> bool:
        called = not version.files or any(fnmatch(path.name.lower(), glob.lower()) for glob in version.files)
        return called and set(version.has) <= set(columns)

    return next((version.name for version in spec.versions if fits(version)), "")


def _no_columns(path: Path, found: Pages, spec: SheetSpec) -> SheetError:
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
