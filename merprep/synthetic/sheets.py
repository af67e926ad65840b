"""Writes fake coding sheets as Office does: text cells stay text, numbers are numbers, formulas are formulas."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from merprep.errors import MissingDependencyError


def write_workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> None:
    """Write an .xlsx (or .xls) file; text of digits gets the number format of text, as in the released sheets.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "sheet.xlsx"
    >>> write_workbook(target, {"Sheet1": [["Subject", "Filename"], ["01", "EP02_01f"]]})
    >>> target.stat().st_size > 0
    True
    """
    if path.suffix.lower() == ".xls":
        _write_xls(path, sheets)
        return
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for line, row in enumerate(rows, start=1):
            for column, value in enumerate(row, start=1):
                if value is None:
                    continue
                cell = page.cell(line, column, value)
                if isinstance(value, str) and value.isdecimal():
                    cell.number_format = "@"
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def _write_xls(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> None:
    try:
        import xlwt
    except ModuleNotFoundError as error:
        raise MissingDependencyError.of("xlwt", "writing .xls sheets", "pip install xlwt") from error
    book = xlwt.Workbook()
    for name, rows in sheets.items():
        page = book.add_sheet(name)
        for line, row in enumerate(rows):
            for column, value in enumerate(row):
                if value is not None:
                    page.write(line, column, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(str(path))


def write_table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write a .csv file as spreadsheets save it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(["" if value is None else value for value in row] for row in rows)


def number_or_text(text: str) -> int | str:
    """Return a cell as Excel takes it when typed: digits become a number.

    Examples
    --------
    >>> number_or_text("12"), number_or_text("4+7")
    (12, '4+7')
    """
    return int(text) if text.isdecimal() else text
