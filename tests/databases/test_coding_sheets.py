from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from merprep.databases import read_database, spec
from merprep.databases.sheet import CodingSheet, read_sheet
from merprep.errors import MerprepError, SheetError
from merprep.synthetic import write_database
from merprep.synthetic.sheets import write_workbook

HEADER = [
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
]
ROW = ["01", "EP02_01f", None, 46, 59, 86, None, 12, "happiness"]
SHEET = spec("casme2").sheet
assert SHEET is not None


def read(path: Path) -> CodingSheet:
    assert SHEET is not None
    return read_sheet(path, SHEET)


def book(folder: Path, rows: list[list[object]], name: str = "CASME2-coding-20140508.xlsx", **more: object) -> Path:
    write_workbook(folder / name, {"Sheet1": rows, **more})  # type: ignore[arg-type]
    return folder / name


def test_text_cells_stay_text_and_numbers_lose_their_fraction(tmp_path: Path) -> None:
    row = read(book(tmp_path, [HEADER, ROW])).rows[0]
    assert (row.text("subject"), row.text("clip"), row.text("onset"), row.text("action_units")) == (
        "01", "EP02_01f", "46", "12",
    )  # fmt: skip


def test_the_header_is_found_below_notes(tmp_path: Path) -> None:
    notes: list[list[object]] = [["Subject to a licence"], [None], ["Filename", "of the videos"]]
    sheet = read(book(tmp_path, [*notes, HEADER, ROW]))
    assert (sheet.header_row, len(sheet.rows), sheet.rows[0].number) == (4, 1, 5)


def test_columns_are_found_by_name_whatever_their_order_case_and_blanks(tmp_path: Path) -> None:
    header = ["estimated emotion", "OFFSET FRAME", "Apex_Frame", "onset", "file name", "SUBJECT"]
    row = read(book(tmp_path, [header, ["others", 9, 5, 1, "EP01_01", "03"]])).rows[0]
    assert [row.text(name) for name in ("subject", "clip", "onset", "apex", "offset", "emotion")] == [
        "03", "EP01_01", "1", "5", "9", "others",
    ]  # fmt: skip


def test_the_table_is_found_in_another_sheet_of_the_workbook(tmp_path: Path) -> None:
    sheet = read(book(tmp_path, [["junk"]], Codes=[HEADER, ROW]))
    assert (sheet.sheet, len(sheet.rows)) == ("Codes", 1)


def test_a_column_of_objective_classes_makes_it_the_table_of_2019(tmp_path: Path) -> None:
    assert read(book(tmp_path, [HEADER, ROW])).version == "2014"
    assert read(book(tmp_path, [[*HEADER, "Objective Classes"], [*ROW, 1]])).version == "2019"


def test_csv_is_read_with_any_separator_and_mark(tmp_path: Path) -> None:
    for separator, encoding in ((",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16")):
        path = tmp_path / "casme2.csv"
        with path.open("w", encoding=encoding, newline="") as stream:
            csv.writer(stream, delimiter=separator).writerows([HEADER, ROW])
        row = read(path).rows[0]
        assert (row.text("subject"), row.text("offset"), row.text("emotion")) == ("01", "86", "happiness")


def test_rows_that_name_no_clip_are_accounted_for(tmp_path: Path) -> None:
    sheet = read(book(tmp_path, [HEADER, ROW, [], ["total", None, None, 1]]))
    assert len(sheet.rows) == 1
    assert len(sheet.ignored) == 1
    assert "row 4" in sheet.ignored[0]


def test_a_missing_column_is_named_with_what_was_found(tmp_path: Path) -> None:
    header: list[object] = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Feeling"]
    with pytest.raises(SheetError, match="lacks columns") as caught:
        read(book(tmp_path, [header, ["01", "EP02_01f", 1, 2, 3, "happiness"]]))
    assert caught.value.expected == "emotion (Estimated Emotion or Emotion)"
    assert "Feeling" in str(caught.value.found)
    assert "row 1" in str(caught.value.where)


def test_two_columns_of_one_name_that_differ_are_refused_and_equal_ones_are_not(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="2 columns 'ApexFrame' that differ"):
        read(book(tmp_path, [[*HEADER, "ApexFrame"], [*ROW, 60]]))
    assert len(read(book(tmp_path, [[*HEADER, "ApexFrame"], [*ROW, 59]])).rows) == 1


def test_a_lock_file_is_recognised(tmp_path: Path) -> None:
    lock = tmp_path / "~$CASME2-coding-20140508.xlsx"
    lock.write_bytes(b"\x05owner" + bytes(160))
    with pytest.raises(SheetError, match="lock file") as caught:
        read(lock)
    assert "CASME2-coding-20140508.xlsx" in str(caught.value.mend)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04broken", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"<html>"]
)
@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_a_damaged_workbook_is_one_clear_error(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"CASME2-coding-20140508{suffix}"
    path.write_bytes(data)
    with pytest.raises(SheetError, match=r"cannot be read|encrypted|has the columns"):
        read(path)


def test_a_truncated_workbook_is_one_clear_error(tmp_path: Path) -> None:
    path = book(tmp_path, [HEADER, ROW])
    whole = path.read_bytes()
    for part in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(SheetError):
            read(path)


def test_a_csv_in_another_encoding_names_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "casme2.csv"
    path.write_bytes("Subject,Filename\n01,é\n".encode("latin-1"))
    with pytest.raises(SheetError, match="UTF-8") as caught:
        read(path)
    assert "byte" in str(caught.value.where)


def test_missing_files_folders_and_other_kinds_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="does not exist"):
        read(tmp_path / "none.xlsx")
    with pytest.raises(SheetError, match="is a folder"):
        read(tmp_path)
    (tmp_path / "codes.pdf").write_bytes(b"%PDF")
    with pytest.raises(SheetError, match="unknown kind"):
        read(tmp_path / "codes.pdf")


def test_a_sheet_far_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "casme2.csv"
    path.write_text("Subject,Filename\n" + "01,a\n" * 200_001, encoding="utf-8")
    with pytest.raises(SheetError, match="far longer"):
        read(path)


CELLS = st.one_of(
    st.none(),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12),
    st.sampled_from(["../../etc", "/etc/passwd", "C:\\x", "EP02_01f", "01", "?", "/", "-1", "#REF!", "=A1", "x" * 300]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELLS, min_size=9, max_size=9), max_size=6), order=st.permutations(range(9)))
def test_whatever_the_cells_hold_every_row_is_one_clip_or_one_error(
    fuzz_tree: Path, rows: list[list[object]], order: list[int]
) -> None:
    table: list[list[object]] = [[HEADER[i] for i in order], [ROW[i] for i in order], *rows]
    sheet = fuzz_tree.parent / "fuzzed.csv"
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(table)
    try:
        reading = read_database(spec("casme2"), fuzz_tree, annotations=sheet)
    except MerprepError:
        return
    assert len(reading.clips) == reading.sheet_rows + reading.folders_without_row
    assert len({clip.id for clip in reading.clips}) == len(reading.clips)
    for clip in reading.clips:
        assert (clip.status == "excluded") == bool(clip.reason)
        assert not clip.frames.pattern.startswith(("/", ".."))


@pytest.fixture(scope="module")
def fuzz_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "casme2"
    sheet = book(folder.parent, [HEADER, ROW])
    write_database("casme2", folder, annotations=sheet, frames="stub")
    return folder


def test_workbooks_with_formulas_without_values_read_as_blank(tmp_path: Path) -> None:
    path = tmp_path / "CASME2-coding-20140508.xlsx"
    pages = openpyxl.Workbook()
    page = pages.worksheets[0]
    page.append(HEADER)
    page.append(["01", "EP02_01f", None, "=40+6", 59, 86, None, 12, "happiness"])
    pages.save(path)
    assert read(path).rows[0].text("onset") in ("", "46")
