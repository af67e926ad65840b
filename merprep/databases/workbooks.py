"""Opens what coding sheets come in (.xls, .xlsx, .csv) and gives the cells, row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from merprep.databases.cells import Cell
from merprep.errors import SheetError

Rows = list[list[Cell]]
_LOCK = "~$"
_CSV = {".csv", ".tsv", ".txt"}
_EXCEL = {".xls", ".xlsx", ".xlsm", ".xlsb", ".ods"}
# Enough for any coding sheet; a file with more is not one, and would only fill the memory.
_MOST_ROWS = 200_000


def is_lock_file(path: Path) -> bool:
    """Whether a file is what Office leaves beside a workbook that is open.

    Examples
    --------
    >>> is_lock_file(Path("~$SAMM.xlsx"))
    True
    """
    return path.name.startswith(_LOCK)


def read_workbook(path: Path) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the cells of every sheet that is not empty.

    Raises
    ------
    SheetError
        Where the file is missing, a lock file, encrypted, damaged, of an unknown kind or far too long.
    """
    _check(path)
    if path.suffix.lower() in _CSV:
        yield path.stem, _read_csv(path)
        return
    yield from _read_excel(path)


def _check(path: Path) -> None:
    if is_lock_file(path):
        raise SheetError(
            "This is an Office lock file, not a workbook",
            where=str(path),
            mend=f"close the workbook in Office and give {path.name.removeprefix(_LOCK)}",
        )
    if path.is_dir():
        raise SheetError("The coding sheet is a folder", where=str(path), mend="name the file in it")
    if not path.is_file():
        raise SheetError("The coding sheet does not exist", where=str(path), mend="check --annotations")
    if path.suffix.lower() not in _CSV | _EXCEL:
        raise SheetError(
            "The coding sheet is of an unknown kind",
            where=str(path),
            expected=", ".join(sorted(_CSV | _EXCEL)),
            found=path.suffix or "no suffix",
        )


def _read_excel(path: Path) -> Iterator[tuple[str, Rows]]:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_height > _MOST_ROWS:
                raise _too_long(path, name, sheet.total_height)
            rows: Rows = [list(row) for row in sheet.to_python(skip_empty_area=False)]
            if rows:
                yield name, rows
    except python_calamine.PasswordError as error:
        raise SheetError(
            "The workbook is encrypted", where=str(path), mend="save a copy without a password and give that"
        ) from error
    # Damaged files make calamine's Rust side panic; a panic is a BaseException that says so by its class name.
    except BaseException as error:
        if isinstance(error, SheetError | KeyboardInterrupt | SystemExit | MemoryError | GeneratorExit):
            raise
        raise SheetError(
            f"The workbook cannot be read: {error or type(error).__name__}",
            where=str(path),
            mend="open it and save it again as .xlsx, or download it again",
        ) from error


def _read_csv(path: Path) -> Rows:
    text = _decode(path)
    sample = text[: 1 << 16]
    delimiter = max(",;\t", key=sample.count)
    try:
        rows: Rows = []
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows.append(list(row))
            if len(rows) > _MOST_ROWS:
                raise _too_long(path, path.stem, len(rows))
    except csv.Error as error:
        raise SheetError(f"The table cannot be read: {error}", where=str(path), mend="save it again as csv") from error
    return rows


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return data.decode("utf-16" if wide else "utf-8-sig")
    except OSError as error:
        raise SheetError(f"The table cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise SheetError(
            "The table is not text in UTF-8",
            where=f"{path}, byte {error.start}",
            mend="save it as 'CSV UTF-8', or give the workbook itself",
        ) from error


def _too_long(path: Path, name: str, rows: int) -> SheetError:
    return SheetError(
        "The sheet is far longer than any coding sheet",
        where=f"{path}, sheet {name!r}",
        expected=f"at most {_MOST_ROWS} rows",
        found=f"{rows}" if rows > _MOST_ROWS + 1 else "more",
        mend="delete what does not belong to the table",
    )
