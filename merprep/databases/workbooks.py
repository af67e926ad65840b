"""Opens what coding sheets come in (.xls, .xlsx, .csv) and gives the cells, row by row."""

from __future__ import annotations

import codecs
import csv
import json
import re
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from merprep.databases import excel_child
from merprep.databases.cells import Cell
from merprep.errors import SheetError
from merprep.shelf import Codec, Rows

Page = Sequence[Sequence[Cell]]
_PLAIN = (str, int, float, bool, type(None))
CELLS: Codec[list[Cell]] = Codec(
    lambda cells: [cell if isinstance(cell, _PLAIN) else excel_child.tagged(cell) for cell in cells],
    lambda cells: [excel_child.cell(cell) for cell in cells],
)
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


def read_workbook(path: Path) -> Iterator[tuple[str, Page]]:
    """Yield the name and the rows of every sheet that is not empty; the rows are kept on the disk.

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


def _read_excel(path: Path) -> list[tuple[str, Page]]:
    if path.suffix.lower() in _ZIPPED:
        _check_extent(path)
    pages: list[tuple[str, Page]] = []
    rows, outcome = Rows(codec=CELLS), "damaged"
    found: Any = ""
    for entry in _entries(path):
        if isinstance(entry, list):
            rows.append([excel_child.cell(cell) for cell in entry])
        elif "page" in entry:
            rows = Rows(codec=CELLS)
            pages.append((entry["page"], rows))
        else:
            outcome, found = entry["end"]
    if outcome == "read":
        return [(name, rows) for name, rows in pages if rows]
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


def _entries(path: Path) -> Iterator[Any]:
    """Read a workbook in a process of its own, which a damaged one may end; yields what `excel_child.read` does."""
    import python_calamine

    library = str(Path(python_calamine.__file__).parents[1])
    command = [sys.executable, "-P", excel_child.__file__, library, str(path), str(_MOST_ROWS), str(_MOST_CELLS)]
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except (OSError, ValueError):
        yield from excel_child.read(str(path), _MOST_ROWS, _MOST_CELLS)  # where no process may be started
        return
    late = threading.Event()

    def end() -> None:
        late.set()
        child.kill()

    clock = threading.Timer(_PATIENCE, end)
    clock.start()
    with child:
        try:
            yield from _lines(child)
        except BaseException:
            child.kill()
            raise
        finally:
            clock.cancel()
    if late.is_set():
        yield {"end": ("damaged", f"the reader did not come to an end within {_PATIENCE} s")}
    elif child.returncode:
        yield {"end": ("damaged", "it is damaged so badly that it ended the reader")}


def _lines(child: subprocess.Popen[bytes]) -> Iterator[Any]:
    """Yield what a reader says, line by line; what is no line of JSON is the last that it said."""
    said = cast("IO[bytes]", child.stdout)
    while line := said.readline(_MOST_BYTES):
        try:
            yield json.loads(line)
        except ValueError:
            child.kill()


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


def _read_csv(path: Path) -> Page:
    try:
        encoding = _encoding(path)
        with path.open(encoding=encoding, newline="") as text:
            sample = text.read(1 << 16)
        with path.open(encoding=encoding, newline="") as text:
            return Rows(_within_limits(path, csv.reader(text, delimiter=max(",;\t", key=sample.count))))
    except OSError as error:
        raise SheetError(f"The table cannot be read: {error.strerror}", where=str(path)) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise SheetError(f"The table cannot be read: {error}", where=str(path), mend="save it again as csv") from error


def _within_limits(path: Path, rows: Iterator[list[str]]) -> Iterator[list[Cell]]:
    cells = 0
    for number, row in enumerate(rows, start=1):
        cells += len(row)
        if number > _MOST_ROWS:
            raise _too_long(path, path.stem, number)
        if cells > _MOST_CELLS:
            raise _too_long(path, path.stem, cells, "cells", _MOST_CELLS)
        yield [*row]


def _encoding(path: Path) -> str:
    """Return how a table's text is written, having read all of it once."""
    if path.stat().st_size > _MOST_BYTES_CSV:
        raise _too_long(path, path.stem, path.stat().st_size, "bytes", _MOST_BYTES_CSV)
    with path.open("rb") as stream:
        wide = stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        stream.seek(0)
        if not wide and stream.read(3) != codecs.BOM_UTF8:
            stream.seek(0)
        decoder, more = codecs.getincrementaldecoder("utf-16" if wide else "utf-8")(), True
        while more:
            begins = stream.tell() - len(decoder.getstate()[0])
            chunk = stream.read(_CHUNK)
            more = bool(chunk)
            try:
                decoder.decode(chunk, final=not more)
            except UnicodeDecodeError as error:
                raise SheetError(
                    "The table is not text in UTF-8",
                    where=f"{path}, byte {begins + error.start}",
                    mend="save it as 'CSV UTF-8', or give the workbook itself",
                ) from error
    return "utf-16" if wide else "utf-8-sig"


def _too_long(path: Path, name: str, found: int, unit: str = "rows", most: int = _MOST_ROWS) -> SheetError:
    return SheetError(
        "The sheet is far longer than any coding sheet",
        where=f"{path}, sheet {name!r}",
        expected=f"at most {most} {unit}",
        found="more" if (unit, found) == ("rows", most + 1) else str(found),
        mend="delete what does not belong to the table",
    )
