"""SMIC-E: further expressions of a row as notes, rows without a folder of their own, the states of its table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from merprep.databases import DatabaseReading, read_database, spec
from merprep.databases.sheet import read_sheet
from merprep.errors import SheetError
from merprep.records import Clip
from merprep.synthetic import write_database
from merprep.synthetic.databases import WrittenDatabase
from merprep.synthetic.sheets import write_workbook

Page = openpyxl.worksheet.worksheet.Worksheet  # type: ignore[attr-defined]
SMALL = {"subjects": 2, "clips_per_class": 2, "frames": "stub", "n_frames": 7}


def hs(folder: Path, table: str = "orig") -> WrittenDatabase:
    return write_database("smic-e-hs", folder, table=table, **SMALL)  # type: ignore[arg-type]


def edit(written: WrittenDatabase, change: Callable[[dict[str, int], Page], None]) -> None:
    """Change the table; `columns` are by name."""
    assert written.sheet is not None
    book = openpyxl.load_workbook(written.sheet)
    page = book.worksheets[0]
    change({str(cell.value): cell.column for cell in page[1]}, page)
    book.save(written.sheet)


def read(folder: Path) -> tuple[DatabaseReading, dict[str, Clip]]:
    reading = read_database(spec("smic-e-hs"), folder)
    assert len(reading.clips) == reading.sheet_rows + reading.folders_without_row
    assert len({clip.id for clip in reading.clips}) == len(reading.clips)
    return reading, {clip.clip: clip for clip in reading.clips}


def test_people_are_those_of_smic() -> None:
    assert {spec(name).persons for name in ("smic", "smic-vis", "smic-e-hs", "smic-e-vis", "smic-e-nir")} == {"smic"}


def test_names_of_the_extended_clips_are_not_those_of_the_short_ones() -> None:
    assert spec("SMIC-E").id == spec("SMIC-HS-E").id == spec("smic-e", "hs").id == "smic-e-hs"
    assert spec("smic-e", "vis").id == spec("SMIC-VIS-E").id == "smic-e-vis"
    assert spec("smic", "vis").id == "smic-vis"


@pytest.mark.parametrize("name", ["SMIC_E_raw_image", "SMIC-E_raw image", "SMIC_HS_E"])
def test_the_folder_may_be_called_in_any_usual_way(tmp_path: Path, name: str) -> None:
    hs(tmp_path / name)
    reading, clips = read(tmp_path)
    assert {clip.status for clip in clips.values()} == {"ok"}
    assert clips["s1_ne_01"].id == "smic-e-hs/s1/s1_ne_01"
    assert clips["s1_ne_01"].frames.pattern == "s01/s1_ne_01/image######.jpg"
    assert clips["s1_ne_01"].notes == ("cut out of s01/s1_ne_01, frames 30694-30712",)
    assert reading.layout == "long"


def test_a_second_expression_is_a_note_of_its_row(tmp_path: Path) -> None:
    written = hs(tmp_path)
    first = written.clips[0]

    def add(columns: dict[str, int], page: Page) -> None:
        page.cell(2, columns["Onset2F"], first.onset - 4)
        page.cell(2, columns["Offset2F"], first.onset - 2)
        page.cell(2, columns["TotalMF2"], 3)

    edit(written, add)
    reading, clips = read(tmp_path)
    assert f"expression 2 of the row lies at frames {first.onset - 4}-{first.onset - 2}" in clips["s1_ne_01"].notes
    assert reading.sheet_rows == len(clips) == 12


@pytest.mark.parametrize(
    ("onset", "offset", "length"),
    [(1, 2, -118996), (-118996, 3, 5), ("see s18", None, None), (30_690, 30_700, 400), (5, 9, None)],
)
def test_what_formulas_left_in_the_third_expression_is_named_and_left_out(
    tmp_path: Path, onset: object, offset: object, length: object
) -> None:
    written = hs(tmp_path, "edited")

    def junk(columns: dict[str, int], page: Page) -> None:
        for name, value in (("Onset3F", onset), ("Offset3F", offset), ("TotalMF3", length)):
            page.cell(2, columns[name], value)

    edit(written, junk)
    _, clips = read(tmp_path)
    assert any(note.startswith("expression 3 of the row is left out") for note in clips["s1_ne_01"].notes)


def test_a_row_without_a_folder_is_found_by_its_frames(tmp_path: Path) -> None:
    written = hs(tmp_path)
    first = written.clips[0]

    def add(columns: dict[str, int], page: Page) -> None:
        cells: list[object] = [None] * page.max_column
        for name, value in (
            ("Subject", 1), ("Filename", "s1_ne_09"), ("OnsetF", first.onset - 5), ("OffsetF", first.onset - 2),
            ("Emotion", "negative"),
        ):  # fmt: skip
            cells[columns[name] - 1] = value
        page.append(cells)

    edit(written, add)
    _, clips = read(tmp_path)
    assert clips["s1_ne_09"].frames.pattern == "s01/s1_ne_01/image######.jpg"
    assert "lies in the recording s01/s1_ne_01" in clips["s1_ne_09"].notes


def test_a_lost_recording_is_a_row_that_says_what_its_cell_says(tmp_path: Path) -> None:
    written = hs(tmp_path)

    def lose(columns: dict[str, int], page: Page) -> None:
        page.cell(2, columns["Filename"], "s1_ne_20")
        page.cell(2, columns["OnsetF"], 426679)
        page.cell(2, columns["OffsetF"], 426709)
        page.cell(2, columns["FirstF"], "MISSING <-426679")
        page.cell(2, columns["LastF"]).value = None

    edit(written, lose)
    _, clips = read(tmp_path)
    lost = clips["s1_ne_20"]
    assert (lost.status, lost.reason) == ("excluded", "no frames on disk: looked for s1/s1_ne_20")
    assert lost.notes == ("the cell of the recording's first frame says 'MISSING <-426679'",)


def test_text_below_the_table_is_named_and_no_clip(tmp_path: Path) -> None:
    written = hs(tmp_path)

    def write(_: dict[str, int], page: Page) -> None:
        page.append([])
        page.append([None, "Note: s3_ne_20 was lost"])
        page.append(["FirstF: number of the first frame"])

    edit(written, write)
    reading, clips = read(tmp_path)
    assert len(clips) == reading.sheet_rows == 12
    assert len(reading.ignored) == 2
    assert "s3_ne_20 was lost" in " ".join(reading.ignored)


def test_offsets_whose_formulas_lost_their_values_follow_from_the_lengths(shared_data: Path, tmp_path: Path) -> None:
    original = shared_data / "annotations" / "SMIC-HS-E_annotation.xlsx"
    saved = tmp_path / "SMIC-HS-E_annotation.xlsx"
    openpyxl.load_workbook(original).save(saved)
    sheet = spec("smic-e-hs").sheet
    assert sheet is not None
    known, again = (read_sheet(path, sheet).rows for path in (original, saved))
    # Second expressions are nothing but formulas, and are lost.
    assert len(again) == 162
    offsets = {row.text("clip"): row.text("offset") for row in known}
    for row in again:
        assert row.text("offset") == offsets[row.text("clip")]
        assert any("has no value" in note for note in row.notes)


def test_an_annotated_apex_is_kept(tmp_path: Path) -> None:
    written = hs(tmp_path, "2019")
    reading, clips = read(tmp_path)
    assert reading.sheet is not None
    assert reading.sheet.version == "2019"
    assert {clip.apex_source for clip in clips.values()} == {"annotated"}
    assert clips["s1_ne_01"].apex == written.clips[0].apex


def test_the_table_of_another_camera_is_not_taken(tmp_path: Path) -> None:
    written = hs(tmp_path / "hs")
    write_database("smic-e-nir", tmp_path / "nir", **SMALL)  # type: ignore[arg-type]
    with pytest.raises(SheetError, match="other recordings"):
        read_database(spec("smic-e-nir"), tmp_path / "nir", annotations=written.sheet)


def test_the_three_cameras_below_one_folder_are_told_apart(tmp_path: Path) -> None:
    for camera in ("hs", "vis", "nir"):
        write_database(f"smic-e-{camera}", tmp_path, **SMALL)  # type: ignore[arg-type]
    for camera in ("hs", "vis", "nir"):
        reading = read_database(spec("smic-e", camera), tmp_path)
        assert f"{camera.upper()}_long" in reading.root.parts
        assert {clip.variant for clip in reading.clips} == {camera}
        assert {clip.status for clip in reading.clips} == {"ok"}


def test_the_wrong_emotion_of_one_state_is_mended_for_the_fast_camera(tmp_path: Path) -> None:
    written = hs(tmp_path)

    def mislabel(columns: dict[str, int], page: Page) -> None:
        page.cell(2, columns["Subject"], 18)
        page.cell(2, columns["Filename"], "s18_sur_03")

    edit(written, mislabel)
    (written.frames_root / "s18").mkdir()
    (written.frames_root / "s01" / "s1_ne_01").rename(written.frames_root / "s18" / "s18_sur_03")
    _, clips = read(tmp_path)
    assert clips["s18_sur_03"].emotion == "surprise"
    untouched = read_database(spec("smic-e-hs"), tmp_path, errata="none")
    assert {clip.clip: clip.emotion for clip in untouched.clips}["s18_sur_03"] == "negative"


def test_the_edited_copy_gives_the_same_clips_as_the_original(shared_data: Path, tmp_path: Path) -> None:
    """The copy has no row for expressions without a folder of their own: they stand in columns of the others' rows."""
    original = shared_data / "annotations" / "SMIC-HS-E_annotation.xlsx"
    write_database("smic-e-hs", tmp_path, annotations=original, frames="stub")
    expected = {clip.clip: clip for clip in read_database(spec("smic-e-hs"), tmp_path).clips}
    edited = tmp_path / "SMIC-HS-E_annotation.xlsx"
    write_workbook(edited, {"HS": edited_copy(original), "VIS": []})
    reading = read_database(spec("smic-e-hs"), tmp_path, annotations=edited)
    assert reading.sheet is not None
    assert (reading.sheet.version, reading.sheet_rows) == ("edited", 157)
    found = {clip.clip: clip for clip in reading.clips}
    within = {"s3_ne_03": "s3_ne_02", "s4_ne_05": "s4_ne_04", "s4_ne_06": "s4_ne_04", "s9_sur_02": "s9_sur_01"}
    assert set(expected) - set(found) == {"s3_ne_20", *within}
    for name, recording in within.items():
        lies = f"lies at frames {expected[name].onset}-{expected[name].offset}"
        assert any(lies in note for note in found[recording].notes)
    for name, clip in found.items():
        assert (clip.onset, clip.offset, clip.emotion) == (
            expected[name].onset, expected[name].offset, expected[name].emotion,
        )  # fmt: skip
    assert sum("expression 3 of the row is left out" in note for clip in found.values() for note in clip.notes) == 29


def edited_copy(original: Path) -> list[list[object]]:
    """Return the HS table as its edited copy has it, what formulas left in the rows of s18 and s20 included."""
    page = openpyxl.load_workbook(original, data_only=True)["HS"]
    rows = [list(row) for row in page.iter_rows(values_only=True)]
    by_name = {row[1]: row for row in rows[1:]}
    moved = {"s3_ne_03": "s3_ne_02", "s4_ne_05": "s4_ne_04", "s4_ne_06": "s4_ne_04", "s9_sur_02": "s9_sur_01"}
    header = (
        "Subject,Filename,,OnsetF,OffsetF,Onset2F,Offset2F,Onset3F,Offset3F,,FirstF,LastF,TotalMF1,TotalMF2,TotalMF3"
    )
    table: list[list[object]] = [[*(name or None for name in header.split(",")), "TotalVL", "Emotion"]]
    for row in rows[1:]:
        if row[1] in (*moved, "s3_ne_20"):
            continue
        second, third = [row[5], row[6], row[11]], [None, None, None]
        for place, name in enumerate(name for name, host in moved.items() if host == row[1]):
            cells = [by_name[name][3], by_name[name][4], by_name[name][10]]
            second, third = (cells, third) if place == 0 else (second, cells)
        if row[0] in (18, 20):
            # Computed from cells of the VIS table, the last of which is blank.
            third = [row[6] or row[3] - 119_012, row[3] - 119_012, 0]  # type: ignore[operator]
        table.append([*row[:5], *second[:2], *third[:2], None, *row[8:11], second[2], third[2], *row[12:14]])
    return table
