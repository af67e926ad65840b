"""Whatever a sheet or a tree looks like, reading it gives an account of every row, or one MerprepError."""

from __future__ import annotations

import csv
import datetime
import io
import math
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from merprep.databases import DatabaseReading, read_database, spec
from merprep.databases.sheet import read_sheet
from merprep.databases.workbooks import read_workbook
from merprep.errors import MerprepError, SheetError
from merprep.stages import ingest
from merprep.store import Workspace
from merprep.synthetic import write_database
from merprep.synthetic.databases import WRITERS

Rows = list[list[object]]
Pages = list[tuple[str, Rows]]

NAMED = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion")
ALL = [name for name in WRITERS if (s := spec(name)).sheet is not None and not s.unlabelled]
FAST = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12)
CELLS = st.one_of(
    st.none(),
    st.integers(-(10**18), 10**18),
    st.floats(width=32),
    st.booleans(),
    TEXT,
    st.dates(datetime.date(1990, 1, 1), datetime.date(2030, 1, 1)),
    st.sampled_from(
        [
            "../../etc", "..", "/etc/passwd", "C:\\x", "?", "/", "-1", "#REF!", "=A1", "x" * 300, "NaN", "1e308",
            "46.5", "MISSING <-426679", "١٢", "０１", "𝟙", "12;13", "\u202e", "{subject}", "'01", "1_000", "+46",
        ]
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path, Pages]]:
    """Return, by database, the root of a small fake one, its sheet, and the pages of that."""
    known: dict[str, tuple[Path, Path, Pages]] = {}

    def of(name: str) -> tuple[Path, Path, Pages]:
        if name not in known:
            root = tmp_path_factory.mktemp("malformed") / name
            written = write_database(name, root, subjects=2, clips_per_class=1, frames="stub", n_frames=5)
            assert written.sheet is not None
            pages: Pages = [(page, [list(row) for row in rows]) for page, rows in read_workbook(written.sheet)]
            known[name] = (root, written.sheet, pages)
        return known[name]

    return of


def accounted(reading: DatabaseReading, root: Path) -> None:
    assert len(reading.clips) == reading.sheet_rows + reading.folders_without_row
    assert len({clip.id for clip in reading.clips}) == len(reading.clips)
    for clip in reading.clips:
        assert (clip.status == "excluded") == bool(clip.reason)
        assert clip.id.count("/") == 2
        assert not {"..", "."} & set(clip.id.split("/"))
        assert not clip.frames.pattern.startswith("/")
        assert ".." not in clip.frames.pattern.split("/")
        if clip.status == "ok":
            assert clip.onset is not None
            numbers = [n for n in (clip.onset, clip.apex, clip.offset) if n is not None]
            assert numbers == sorted(numbers)
            assert set(numbers) <= set(clip.frames.numbers)
    assert reading.root.is_relative_to(root)


def read_or_refuse(name: str, root: Path, sheet: Path) -> DatabaseReading | None:
    """Read a database with a sheet; a refusal must say where and what to do about it."""
    try:
        reading = read_database(spec(name), root, annotations=sheet)
    except MerprepError as error:
        refused = error
    else:
        accounted(reading, root)
        return reading
    assert refused.where
    assert len(str(refused)) < 5000
    return None


def saved(pages: Pages, path: Path) -> Path:
    """Write the pages as a workbook, or the first of them as csv."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(pages[0][1])
        return path
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in pages:
        page = book.create_sheet(name)
        for line, row in enumerate(rows, start=1):
            for column, value in enumerate(row, start=1):
                bad = isinstance(value, float) and not math.isfinite(value)
                if value not in (None, ""):
                    page.cell(line, column, str(value) if bad or not simple(value) else value)
    book.save(path)
    return path


def simple(value: object) -> bool:
    return isinstance(value, str | int | float | datetime.date | datetime.datetime) and not (
        isinstance(value, int) and abs(value) > 10**15
    )


def header_of(rows: Rows) -> int:
    return max(range(len(rows)), key=lambda line: sum(isinstance(cell, str) and bool(cell) for cell in rows[line]))


def shuffled(rows: Rows, draw: st.DrawFn) -> None:
    order = draw(st.permutations(range(len(rows[0]))))
    rows[:] = [[row[i] for i in order] for row in rows]


def renamed(rows: Rows, draw: st.DrawFn) -> None:
    header = rows[header_of(rows)]
    header[draw(st.integers(0, len(header) - 1))] = draw(TEXT)


def dropped(rows: Rows, draw: st.DrawFn) -> None:
    place = draw(st.integers(0, len(rows[0]) - 1))
    rows[:] = [row[:place] + row[place + 1 :] for row in rows]


def doubled(rows: Rows, draw: st.DrawFn) -> None:
    place, differs = draw(st.integers(0, len(rows[0]) - 1)), draw(st.booleans())
    for line, row in enumerate(rows):
        row.append("other" if differs and line == len(rows) - 1 else row[place])


def merged(rows: Rows, draw: st.DrawFn) -> None:
    """What a merged cell leaves: the value in its first cell, nothing in the others."""
    header, place = rows[header_of(rows)], draw(st.integers(0, len(rows[0]) - 2))
    header[place], header[place + 1] = f"{header[place]} {header[place + 1]}", None


def retyped(rows: Rows, draw: st.DrawFn) -> None:
    for _ in range(draw(st.integers(1, 6))):
        line, place = draw(st.integers(0, len(rows) - 1)), draw(st.integers(0, len(rows[0]) - 1))
        rows[line][place] = draw(CELLS)


def blanked(rows: Rows, draw: st.DrawFn) -> None:
    """What formulas without stored values leave: a column of nothing."""
    place = draw(st.integers(0, len(rows[0]) - 1))
    for row in rows[header_of(rows) + 1 :]:
        row[place] = None


def prefaced(rows: Rows, draw: st.DrawFn) -> None:
    notes: Rows = draw(st.lists(st.lists(CELLS, min_size=len(rows[0]), max_size=len(rows[0])), max_size=4))
    rows[:0] = notes


def repeated(rows: Rows, draw: st.DrawFn) -> None:
    rows.append(list(rows[draw(st.integers(0, len(rows) - 1))]))


def ragged(rows: Rows, draw: st.DrawFn) -> None:
    line = draw(st.integers(0, len(rows) - 1))
    rows[line] = rows[line][: draw(st.integers(0, len(rows[line])))]


DAMAGES = [shuffled, renamed, dropped, doubled, merged, retyped, blanked, prefaced, repeated]


@st.composite
def damaged(draw: st.DrawFn, pages: Pages) -> Pages:
    copy: Pages = [(name, [list(row) for row in rows]) for name, rows in pages]
    full = [rows for _, rows in copy if rows and rows[0]]
    for damage in draw(st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=3)):
        rows = draw(st.sampled_from(full))
        if len(rows[0]) > 1:
            damage(rows, draw)
    if draw(st.booleans()):
        ragged(draw(st.sampled_from(full)), draw)
    return copy


@pytest.mark.parametrize("name", ALL)
@FAST
@given(data=st.data())
def test_a_damaged_sheet_is_an_account_of_every_row_or_one_error(
    trees: Callable[[str], tuple[Path, Path, Pages]], tmp_path: Path, name: str, data: st.DataObject
) -> None:
    root, _, pages = trees(name)
    suffix = data.draw(st.sampled_from([".csv", ".xlsx"]))
    sheet = saved(data.draw(damaged(pages)), tmp_path / f"damaged{suffix}")
    read_or_refuse(name, root, sheet)


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_columns_and_rows_above_the_header_change_nothing(
    trees: Callable[[str], tuple[Path, Path, Pages]], tmp_path: Path, name: str
) -> None:
    root, sheet, pages = trees(name)
    if len([rows for _, rows in pages if rows]) > 1 or spec(name).parts:
        pytest.skip("a workbook of several tables, or several workbooks")
    title, rows = next(page for page in pages if page[1])
    before = read_database(spec(name), root, annotations=sheet)
    if before.sheet is None or before.sheet.header_row == 0:
        pytest.skip("a table without a header is read by the order of its columns")
    turned: Rows = [["made by hand"] * len(rows[0]), *[list(reversed(row)) for row in rows]]
    after = read_database(spec(name), root, annotations=saved([(title, turned)], tmp_path / "turned.xlsx"))
    assert [(c.id, c.onset, c.apex, c.offset, c.emotion) for c in after.clips] == [
        (c.id, c.onset, c.apex, c.offset, c.emotion) for c in before.clips
    ]


@FAST
@given(st.binary(max_size=400), st.sampled_from([".xlsx", ".xls", ".csv"]))
def test_any_bytes_in_place_of_a_sheet_are_one_error(tmp_path: Path, content: bytes, suffix: str) -> None:
    sheet, description = tmp_path / f"CASME2-coding-20140508{suffix}", spec("casme2").sheet
    sheet.write_bytes(content)
    assert description is not None
    with pytest.raises(SheetError):
        read_sheet(sheet, description)


@FAST
@given(data=st.data())
def test_a_workbook_with_any_bytes_changed_or_cut_off_is_read_or_one_error(
    trees: Callable[[str], tuple[Path, Path, Pages]], tmp_path: Path, data: st.DataObject
) -> None:
    root, sheet, _ = trees("casme2")
    content = bytearray(sheet.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    copy = tmp_path / "CASME2-coding-20140508.xlsx"
    copy.write_bytes(bytes(content[:cut]) if data.draw(st.booleans()) else bytes(content))
    read_or_refuse("casme2", root, copy)


@pytest.fixture(scope="module")
def old_workbook(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    xlwt = pytest.importorskip("xlwt")
    book = xlwt.Workbook()
    page = book.add_sheet("Sheet1")
    rows = [NAMED, *(("01", f"EP{n:02d}_01", n, n + 1, n + 2, "others") for n in range(1, 40))]
    for line, row in enumerate(rows):
        for column, value in enumerate(row):
            page.write(line, column, value)
    book.save(str(tmp_path_factory.mktemp("old") / "old.xls"))
    return next(tmp_path_factory.getbasetemp().glob("old*/old.xls")).read_bytes()


@pytest.mark.parametrize("seed", range(12))
def test_an_old_workbook_with_bytes_changed_is_read_or_one_error_and_never_the_end_of_the_process(
    old_workbook: bytes, tmp_path: Path, seed: int
) -> None:
    # One wrong length in such a file makes the reader ask for hundreds of gigabytes.
    chance, description = random.Random(seed), spec("casme2").sheet
    content = bytearray(old_workbook)
    for _ in range(30):
        content[chance.randrange(len(content))] = chance.choice([0, 255, chance.randrange(256)])
    sheet = tmp_path / "CASME2_label_Ver_2.xls"
    sheet.write_bytes(content)
    assert description is not None
    try:
        where = str(read_sheet(sheet, description).path)
    except SheetError as error:
        where = str(error.where)
    assert sheet.name in where


@pytest.mark.parametrize("encoding", ["latin-1", "gb18030", "utf-16-le", "cp1252"])
def test_a_csv_that_is_not_utf8_names_the_byte(tmp_path: Path, encoding: str) -> None:
    sheet, description = tmp_path / "casme2.csv", spec("casme2").sheet
    head = "Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Estimated Emotion\n01,EP02_01f,1,2,3,"
    text = head + ("é" if encoding in ("latin-1", "cp1252") else "厌恶") + "\n"
    sheet.write_bytes(text.encode(encoding))
    assert description is not None
    with pytest.raises(SheetError) as caught:
        read_sheet(sheet, description)
    assert caught.value.where


def workbook_of(sheet_xml: str) -> bytes:
    """Return a workbook whose one sheet is the given XML."""
    book, whole, patched = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    book.save(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(patched, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            target.writestr(part, sheet_xml if part == "xl/worksheets/sheet1.xml" else source.read(part))
    return patched.getvalue()


OPEN = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
CLOSE = "</sheetData></worksheet>"
HEAD = "".join(
    f'<c r="{column}1" t="inlineStr"><is><t>{name}</t></is></c>' for column, name in zip("ABCDEF", NAMED, strict=True)
)


def test_two_cells_in_opposite_corners_do_not_take_all_memory(tmp_path: Path) -> None:
    corner = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    sheet, description = tmp_path / "CASME2-coding-2014.xlsx", spec("casme2").sheet
    sheet.write_bytes(workbook_of(f'{OPEN}<row r="1">{HEAD}</row>{corner}{CLOSE}'))
    assert description is not None
    with pytest.raises(SheetError, match="far longer"):
        read_sheet(sheet, description)


@pytest.mark.slow
def test_a_sheet_of_a_million_rows_is_one_error_and_one_of_a_million_blank_rows_is_read(tmp_path: Path) -> None:
    sheet, description = tmp_path / "CASME2-coding-2014.xlsx", spec("casme2").sheet
    assert description is not None
    for value, fits in (("<v>1</v></c>", False), ("</c>", True)):
        rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c><c r="B{n}">{value}</row>' if n == 2 or not fits
                       else f'<row r="{n}"><c r="A{n}" s="0"/></row>' for n in range(2, 1_048_577))  # fmt: skip
        sheet.write_bytes(workbook_of(f'{OPEN}<row r="1">{HEAD}</row>{rows}{CLOSE}'))
        if fits:
            assert read_sheet(sheet, description).header_row == 1
        else:
            with pytest.raises(SheetError, match="far longer"):
                read_sheet(sheet, description)


@pytest.mark.parametrize("name", ALL)
@FAST
@given(data=st.data())
def test_a_refused_ingest_leaves_nothing_behind(
    trees: Callable[[str], tuple[Path, Path, Pages]],
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    data: st.DataObject,
) -> None:
    root, _, pages = trees(name)
    folder = tmp_path_factory.mktemp("refused")
    sheet = saved(data.draw(damaged(pages)), folder / "damaged.csv")
    workspace = Workspace(folder / "workspace")
    try:
        ingest(workspace, name, root, annotations=sheet)
    except MerprepError:
        assert not workspace.folder.exists()
    else:
        assert workspace.manifest_path.is_file()
        assert workspace.sidecar_path.is_file()
    shutil.rmtree(folder)


NAMES = st.sampled_from(
    ["img1.jpg", "img001.jpg", "img.jpg", "1.jpg", "Thumbs.db", ".DS_Store", "img１.jpg", "img²3.jpg", "img#5.jpg",
     "img99999999999999999999.jpg", "a?first=9.jpg", "x;y.jpg", "img1.JPG", "~$x.xlsx", "a.txt", "EP01_01", "é1.jpg"]
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clips=st.dictionaries(
    st.tuples(st.sampled_from(["sub01", "sub1", "Sub02", "sub", "subXY", "sub０１"]),
              st.sampled_from(["EP01_01", "ep1_1", "EP02_01f", "EP#", "EP01_01 ", "EP01;01"])),
    st.sets(NAMES, max_size=4), max_size=5))  # fmt: skip
def test_any_tree_is_an_account_of_every_folder_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, clips: dict[tuple[str, str], set[str]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for (subject, clip), names in clips.items():
        (root / subject / clip).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / subject / clip / name).write_bytes(b"x")
    head = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]
    rows: Rows = [list(head), ["01", "EP01_01", 1, 1, 3, "others"], ["2", "EP02_01f", 1, 2, 3, "disgust"]]
    saved([("Sheet1", rows)], root / "casme2.csv")
    workspace = Workspace(root / "out")
    try:
        result = ingest(workspace, "casme2", root)
    except MerprepError:
        assert not workspace.folder.exists()
    else:
        accounted(result.reading, root)
    shutil.rmtree(root)
