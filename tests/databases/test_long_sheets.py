"""Sheets pass through row by row: long ones, and readers that say something else than rows."""

from __future__ import annotations

import datetime
import math
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep import shelf
from merprep.databases import excel_child, spec, workbooks
from merprep.databases.sheet import SHEET_ROW, SheetRow, read_sheet
from merprep.databases.workbooks import CELLS, read_workbook
from merprep.errors import SheetError
from merprep.shelf import Rows
from merprep.synthetic.sheets import write_workbook

HEADER: list[object] = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]
CELL = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(),
    st.times().filter(lambda time: not time.fold), st.datetimes().filter(lambda time: not time.fold),
    st.timedeltas(datetime.timedelta(-1000), datetime.timedelta(1000)),
)  # fmt: skip


@pytest.fixture
def few_at_once() -> Iterator[None]:
    with patch.object(shelf, "_FRESH", 2):
        yield


@given(st.lists(CELL), st.lists(st.text(max_size=3)))
def test_every_kind_of_cell_comes_back_from_the_disk(cells: list[workbooks.Cell], notes: list[str]) -> None:
    row = SheetRow(7, {f"{place}": cell for place, cell in enumerate(cells)}, tuple(notes))
    assert repr(CELLS.read(CELLS.write(cells))) == repr(cells)
    assert repr(SHEET_ROW.read(SHEET_ROW.write(row))) == repr(row)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.usefixtures("few_at_once")
def test_a_long_sheet_is_read_to_its_last_row(tmp_path: Path, suffix: str) -> None:
    rows = [[f"{1 + n % 9:02d}", f"EP01_{n:04d}", n, n + 1, n + 2, "others"] for n in range(1000)]
    path, description = tmp_path / f"codes{suffix}", spec("casme2").sheet
    assert description is not None
    if suffix == ".csv":
        path.write_text("\n".join(",".join(map(str, row)) for row in [HEADER, *rows]), encoding="utf-8")
    else:
        write_workbook(path, {"Sheet1": [HEADER, *rows]})
    sheet = read_sheet(path, description)
    assert (len(sheet.rows), sheet.row_count) == (1000, 1000)
    assert [row.text("clip") for row in sheet.rows] == [row[1] for row in rows]
    assert [row.number for row in sheet.rows] == list(range(2, 1002))


def test_a_hundred_thousand_rows_of_twelve_columns_are_few_enough_and_twice_as_many_are_not(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("1,2,3,4,5,6,7,8,9,10,11,12\n" * 100_000, encoding="utf-8")
    ((_, rows),) = read_workbook(path)
    assert (len(rows), rows[99_999][11]) == (100_000, "12")
    path.write_text("1,2,3,4,5,6,7,8,9,10,11,12\n" * 200_000, encoding="utf-8")
    with pytest.raises(SheetError, match="far longer"):
        list(read_workbook(path))


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("place", [5, workbooks._CHUNK - 1, workbooks._CHUNK, 2 * workbooks._CHUNK + 3])
@pytest.mark.parametrize("bad", [b"\xff", "é".encode()[:1] + b"x", "𝟙".encode()[:3] + b"x"])
def test_the_byte_that_is_no_text_is_named_wherever_it_stands(
    tmp_path: Path, before: bytes, place: int, bad: bytes
) -> None:
    path, text = tmp_path / "codes.csv", bytearray(b"a,b\n" * workbooks._CHUNK)
    text[: len(before)] = before
    text[place : place + len(bad)] = bad
    path.write_bytes(text)
    with pytest.raises(SheetError, match="not text in UTF-8") as caught:
        list(read_workbook(path))
    assert str(caught.value.where).endswith(f"byte {place}")


def test_a_text_that_ends_within_a_letter_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_bytes(b"a,b\n" + "é".encode()[:1])
    with pytest.raises(SheetError, match="not text in UTF-8") as caught:
        list(read_workbook(tmp_path / "codes.csv"))
    assert str(caught.value.where).endswith("byte 4")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_in_every_encoding_that_spreadsheets_write(tmp_path: Path, encoding: str) -> None:
    path, chance = tmp_path / "codes.csv", random.Random(0)
    rows = [["".join(chance.choices("aé厌𝟙 ", k=9)) for _ in range(3)] for _ in range(30_000)]
    path.write_text("\r\n".join(";".join(row) for row in rows), encoding=encoding)
    ((name, found),) = read_workbook(path)
    assert (name, list(found)) == ("codes", rows)


def stands_still(path: Path) -> str:
    return "import time; time.sleep(60)"


def says_something_else(path: Path) -> str:
    return "print('[1, 2'); print('x' * 100); print('{')"


def ends_halfway(path: Path) -> str:
    return f"print('{{\"page\": \"a\"}}'); print('[1, 2]', flush=True); {path.name}"


def says_rows_of_no_page(path: Path) -> str:
    return "print('[1, 2]')"


@pytest.mark.parametrize("reader", [stands_still, says_something_else, ends_halfway, says_rows_of_no_page])
def test_a_reader_that_does_not_end_as_it_should_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Callable[[Path], str]
) -> None:
    (tmp_path / "reader.py").write_text(reader(tmp_path), encoding="utf-8")
    write_workbook(tmp_path / "codes.xlsx", {"Sheet1": [HEADER]})
    monkeypatch.setattr(excel_child, "__file__", str(tmp_path / "reader.py"))
    monkeypatch.setattr(workbooks, "_PATIENCE", 0.5 if reader is stands_still else 60)
    with pytest.raises(SheetError, match="cannot be read"):
        list(read_workbook(tmp_path / "codes.xlsx"))


def test_one_text_in_thousands_of_cells_does_not_fill_the_memory(tmp_path: Path) -> None:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    rows = range(1, 2 + excel_child._MOST_BYTES // 32_767)
    cells = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>' for row in rows)

    def relations(**targets: str) -> str:
        lines = (f'<Relationship Id="{kind}" Type="{links}/{kind}" Target="{at}"/>' for kind, at in targets.items())
        return f"<Relationships>{''.join(lines)}</Relationships>"

    sheet = '<sheets><sheet name="a" sheetId="1" r:id="worksheet"/></sheets>'
    parts = {
        "_rels/.rels": relations(officeDocument="xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{links}">{sheet}</workbook>',
        "xl/_rels/workbook.xml.rels": relations(worksheet="worksheets/sheet1.xml", sharedStrings="sharedStrings.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}"><si><t>{"x" * 32_767}</t></si></sst>',
    }
    path = tmp_path / "codes.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, text)
    assert path.stat().st_size < 100_000
    with pytest.raises(SheetError, match="too much text"):
        list(read_workbook(path))


def test_a_workbook_is_read_in_this_process_where_no_other_may_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = datetime.date(2014, 5, 8)
    write_workbook(tmp_path / "codes.xlsx", {"Sheet1": [HEADER, ["01", "EP01", 1, 2.5, day, math.pi]]})
    ((_, apart),) = read_workbook(tmp_path / "codes.xlsx")

    def refused(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(workbooks.subprocess, "Popen", refused)
    ((_, here),) = read_workbook(tmp_path / "codes.xlsx")
    assert isinstance(here, Rows)
    assert list(here) == list(apart)
    assert here[1][4] == day
