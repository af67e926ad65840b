"""Opens what coding sheets come in (.xls, .xlsx, .csv) and gives the cells, row by row."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from merprep.databases import excel_child
from merprep.databases.cells import Cell
from merprep.errors import SheetError

Rows = list[list[Cell]]
_LOCK = "~$"
_CSV = {".csv", ".tsv", ".txt"}
_ZIPPED = {".xlsx", ".xlsm"}
_EXCEL = {".xls", *_ZIPPED}
# Enough for any coding sheet; a file with more is not one, and would only fill the memory.
_MOST_ROWS = 200_000
_MOST_CELLS = 2_000_000
_MOST_BYTES = 1 << 27
_MOST_BYTES_CSV = 1 << 25
# A cell that holds something, in the XML of a sheet: its column and its row.
_CELL = re.compile(
    rb'<(?:\w{1,9}:)?c\s[^>]{0,200}?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]{0,200}>\s{0,20}<(?:\w{1,9}:)?(?:v|is|f)\b'
)
_CHUNK = 1 << 20
# Seconds; the largest sheet known takes less than one.
_PATIENCE = 60


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


def _read_excel(path: Path) -> list[tuple[str, Rows]]:
    if path.suffix.lower() in _ZIPPED:
        _check_extent(path)
    outcome, found = _read_apart(path)
    if outcome == "read":
        return [(name, rows) for name, rows in found if rows]
    if outcome == "rows too many":
        raise _too_long(path, found[0], found[1])
    if outcome == "cells too many":
        raise _too_long(path, found[0], found[1], "cells", _MOST_CELLS)
    if outcome == "encrypted":
        raise SheetError(
            "The workbook is encrypted", where=str(path), mend="save a copy without a password and give that"
        )
    raise SheetError(
        f"The workbook cannot be read: {found}",
        where=str(path),
        mend="open it and save it again as .xlsx, or download it again",
    )


def _read_apart(path: Path) -> tuple[str, Any]:
    """Read a workbook in a process of its own, which a damaged one may end; see `excel_child`."""
    import python_calamine

    library = str(Path(python_calamine.__file__).parents[1])
    command = [sys.executable, "-P", excel_child.__file__, library, str(path), str(_MOST_ROWS), str(_MOST_CELLS)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "damaged", f"the reader did not come to an end within {_PATIENCE} s"
    except (OSError, ValueError):
        return excel_child.read(str(path), _MOST_ROWS, _MOST_CELLS)  # where no process may be started
    if done.returncode:
        return "damaged", "it is damaged so badly that it ended the reader"
    outcome, found = json.loads(done.stdout)
    return outcome, found if outcome != "read" else [(name, _cells(rows)) for name, rows in found]


def _cells(rows: list[list[Any]]) -> Rows:
    return [[excel_child.cell(value) for value in row] for row in rows]


def _check_extent(path: Path) -> None:
    """Refuse a workbook whose cells lie so far apart that reading it would take all memory.

    The reader lays out every cell between the first and the last; two cells in opposite corners of a sheet are
    seventeen thousand million. What is no workbook at all is left for the reader to say.
    """
    try:
        with zipfile.ZipFile(path) as book:
            for part in book.infolist():
                if part.file_size > _MOST_BYTES:
                    raise _too_long(path, part.filename, part.file_size, "bytes", _MOST_BYTES)
                _check_part(path, book, part)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        return


def _check_part(path: Path, book: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    rows, columns, rest = 0, 0, b""
    with book.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            text = rest + chunk
            for letters, row in _CELL.findall(text):
                rows, columns = max(rows, int(row)), max(columns, _column(letters))
            if rows > _MOST_ROWS:
                raise _too_long(path, part.filename, rows)
            if rows * columns > _MOST_CELLS:
                raise _too_long(path, part.filename, rows * columns, "cells", _MOST_CELLS)
            rest = text[-1000:]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _read_csv(path: Path) -> Rows:
    text = _decode(path)
    sample = text[: 1 << 16]
    delimiter = max(",;\t", key=sample.count)
    try:
        rows: Rows = []
        cells = 0
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows.append(list(row))
            cells += len(row)
            if len(rows) > _MOST_ROWS:
                raise _too_long(path, path.stem, len(rows))
            if cells > _MOST_CELLS:
                raise _too_long(path, path.stem, cells, "cells", _MOST_CELLS)
    except csv.Error as error:
        raise SheetError(f"The table cannot be read: {error}", where=str(path), mend="save it again as csv") from error
    return rows


def _decode(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES_CSV:
            raise _too_long(path, path.stem, path.stat().st_size, "bytes", _MOST_BYTES_CSV)
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


def _too_long(path: Path, name: str, found: int, unit: str = "rows", most: int = _MOST_ROWS) -> SheetError:
    return SheetError(
        "The sheet is far longer than any coding sheet",
        where=f"{path}, sheet {name!r}",
        expected=f"at most {most} {unit}",
        found="more" if (unit, found) == ("rows", most + 1) else str(found),
        mend="delete what does not belong to the table",
    )
