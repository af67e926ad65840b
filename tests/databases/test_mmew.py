from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from merprep.databases import read_database, spec
from merprep.databases.cutting import fitted
from merprep.labels import scheme
from merprep.records import Clip, FrameSet
from merprep.synthetic import write_database

MMEW = spec("mmew")
LAYOUT = MMEW.layout("by-emotion")


def clip(numbers: range, onset: int, apex: int | None, offset: int | None) -> Clip:
    frames = FrameSet("happiness/S03-01-002/#.jpg", tuple(numbers))
    return Clip("mmew", "S03", "S03-01-002", "mmew:3", "", frames, onset, apex, offset)


@pytest.mark.parametrize(
    ("numbers", "sheet", "files"),
    [
        (range(1, 42), (1, 21, 41), (1, 21, 41)),  # counted as the files are
        (range(1, 42), (1030, 1050, 1070), (1, 21, 41)),  # the recording counted, the clip's files from 1
        (range(1030, 1071), (1, 21, 41), (1030, 1050, 1070)),  # the clip counted, the recording's files
        (range(1, 42), (20, 40, 60), (1, 21, 41)),  # the recording counted, overlapping the files' numbers
        (range(1, 42), (1, 21, 80), (1, 21, 80)),  # an offset that is wrong shifts nothing
        (range(1, 42), (5, 21, 30), (5, 21, 30)),  # a part of the files
    ],
)
def test_numbers_that_count_something_else_are_shifted_onto_the_files(
    numbers: range, sheet: tuple[int, int, int], files: tuple[int, int, int]
) -> None:
    result = fitted(clip(numbers, *sheet), MMEW, LAYOUT)
    assert (result.onset, result.apex, result.offset) == files
    assert any("shifted by" in note for note in result.notes) == (sheet != files)


def test_databases_whose_numbers_are_the_files_are_never_shifted() -> None:
    casme2 = spec("casme2")
    outside = clip(range(1, 42), 1030, 1050, 1070)
    assert fitted(outside, casme2, casme2.layout("raw-selected")) == outside


def test_a_table_that_counts_the_recordings_gives_the_same_clips(tmp_path: Path) -> None:
    for table in ("usual", "absolute"):
        write_database("mmew", tmp_path / table, table=table, subjects=2, clips_per_class=1, frames="stub", n_frames=9)
    usual, absolute = (read_database(MMEW, tmp_path / table) for table in ("usual", "absolute"))
    frames = [[(c.id, c.onset, c.apex, c.offset) for c in reading.clips] for reading in (usual, absolute)]
    assert frames[0] == frames[1]
    assert all(any("shifted by" in note for note in c.notes) for c in absolute.clips)
    assert not any("shifted by" in note for c in usual.clips for note in c.notes)


@pytest.mark.parametrize("layout", ["by-emotion", "by-subject"])
def test_others_are_found_in_a_folder_called_repression_or_others(tmp_path: Path, layout: str) -> None:
    written = write_database("mmew", tmp_path, layout=layout, subjects=1, clips_per_class=1, frames="stub", n_frames=5)
    others = [c for c in read_database(MMEW, tmp_path).clips if c.emotion == "others"]
    assert "the sheet says others, the folder repression: the sheet counts" in others[0].notes
    folder = next(written.frames_root.glob("**/repression"))
    shutil.move(folder, folder.with_name("others"))
    again = [c for c in read_database(MMEW, tmp_path).clips if c.emotion == "others"]
    assert [(c.id, c.status) for c in again] == [(c.id, "ok") for c in others]
    assert not any("the sheet says" in note for c in again for note in c.notes)


def test_a_macro_expression_is_one_image_without_an_apex(tmp_path: Path) -> None:
    write_database("mmew-macro", tmp_path, subjects=2, clips_per_class=1, frames="stub")
    reading = read_database(spec("MMEW", "macro"), tmp_path)
    six = scheme("mmew-6")
    for found in reading.clips:
        assert (len(found.frames), found.apex, found.status, found.variant) == (1, None, "ok", "macro")
        assert found.onset == found.offset
        assert six.label(found) is not None
        assert scheme(7).label(found) is None


def test_micro_and_macro_lie_side_by_side_and_are_told_apart(tmp_path: Path) -> None:
    for name in ("mmew", "mmew-macro"):
        write_database(name, tmp_path, subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    micro, macro = read_database(MMEW, tmp_path), read_database(spec("mmew-macro"), tmp_path)
    assert (len(micro.clips), len(macro.clips)) == (8, 6)
    assert {c.person for c in micro.clips} == {c.person for c in macro.clips}
