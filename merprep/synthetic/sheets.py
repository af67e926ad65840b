"""Writes fake coding sheets as Office does: text cells stay text, numbers are numbers, formulas are formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def write_workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> None:
    """Write an .xlsx file; text of digits gets the number format of text, as in the released sheets.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "sheet.xlsx"
    >>> write_workbook(target, {"Sheet1": [["Subject", "Filename"], ["01", "EP02_01f"]]})
    >>> target.stat().st_size > 0
    True
    """
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


def number_or_text(text: str) -> int | str:
    """Return a cell as Excel takes it when typed: digits become a number.

    Examples
    --------
    >>> number_or_text("12"), number_or_text("4+7")
    (12, '4+7')
    """
    return int(text) if text.isdecimal() else text
