from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from merprep.databases import read_database, spec
from merprep.synthetic import write_database


@pytest.fixture
def casme2(tmp_path: Path) -> Path:
    write_database("casme2", tmp_path, table="objective", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    return tmp_path


def test_objective_classes_published_apart_are_preferred_to_derived_ones(casme2: Path) -> None:
    beside = casme2 / "CASME2-ObjectiveClasses.xlsx"
    book = openpyxl.load_workbook(beside)
    page = book["Sheet1"]
    page.cell(2, 3, 6)
    page.delete_rows(3)
    book.save(beside)
    reading = read_database(spec("casme2"), casme2)
    assert reading.sheet is not None
    assert reading.sheet.path.name == "CASME2-coding-20140508.xlsx"
    first, second, *rest = reading.clips
    assert (first.objective_class, first.objective_source) == ("VI", "published")
    assert second.objective_source == "derived"
    assert {clip.objective_source for clip in rest} == {"published"}
    assert "objective class of 5 of 6 rows are those of CASME2-ObjectiveClasses.xlsx" in reading.notes


def test_without_them_classes_are_derived_and_nothing_is_missed(casme2: Path) -> None:
    (casme2 / "CASME2-ObjectiveClasses.xlsx").unlink()
    reading = read_database(spec("casme2"), casme2)
    assert {clip.objective_source for clip in reading.clips} == {"derived"}
    assert reading.notes == ()


def test_the_column_of_the_table_of_2019_goes_before_the_file_beside_it(casme2: Path) -> None:
    book = openpyxl.load_workbook(casme2 / "CASME2-coding-20140508.xlsx")
    page = book["Sheet1"]
    for line in range(1, page.max_row + 1):
        page.cell(line, 10, "Objective Classes" if line == 1 else 7)
    book.save(casme2 / "CASME2-coding-20190701.xlsx")
    reading = read_database(spec("casme2"), casme2)
    assert {(clip.objective_class, clip.objective_source) for clip in reading.clips} == {("VII", "published")}
