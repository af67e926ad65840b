from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from merprep.databases import read_database, spec
from merprep.errors import SheetError
from merprep.synthetic import write_database
from merprep.synthetic.databases import WrittenDatabase

DFME = spec("dfme")


@pytest.fixture
def written(tmp_path: Path) -> WrittenDatabase:
    return write_database("dfme", tmp_path, subjects=8, clips_per_class=1, frames="stub", n_frames=5)


def test_the_three_parts_are_one_database_and_stay_told_apart(tmp_path: Path, written: WrittenDatabase) -> None:
    reading = read_database(DFME, tmp_path)
    truth = {plan.clip: plan.kind for plan in written.clips}
    assert {clip.clip: clip.variant for clip in reading.clips} == truth
    assert Counter(truth.values()) == {"train": 12, "test-a": 6, "test-b": 6}
    assert [sheet.path.name for sheet in reading.sheets] == [
        "training_full_with_AU.xlsx",
        "testA_full_with_AU.xlsx",
        "testB_full_with_AU.xlsx",
    ]
    assert all((reading.root / clip.frames.path(clip.onset or 0)).is_file() for clip in reading.clips)


@pytest.mark.parametrize("part", ["train", "test-a", "test-b"])
def test_a_part_alone_is_read_as_a_variant(tmp_path: Path, written: WrittenDatabase, part: str) -> None:
    reading = read_database(spec("dfme", part), tmp_path)
    assert {clip.clip for clip in reading.clips} == {plan.clip for plan in written.clips if plan.kind == part}
    assert {clip.variant for clip in reading.clips} == {part}
    assert reading.spec.id == "dfme"


def test_an_onset_of_0_is_a_frame(tmp_path: Path, written: WrittenDatabase) -> None:
    truth = {plan.clip for plan in written.clips if plan.onset == 0}
    found = {clip.clip for clip in read_database(DFME, tmp_path).clips if clip.onset == 0 and clip.status == "ok"}
    assert found == truth != set()


def test_each_clip_has_its_own_frame_rate(tmp_path: Path, written: WrittenDatabase) -> None:
    rates = {clip.clip: clip.fps for clip in read_database(DFME, tmp_path).clips}
    assert rates == {plan.clip: plan.fps for plan in written.clips}
    assert len(set(rates.values())) == 3


def test_a_part_whose_folder_has_another_name_is_told_by_its_clips(tmp_path: Path, written: WrittenDatabase) -> None:
    shutil.move(tmp_path / "test_data_A", tmp_path / "second")
    reading = read_database(DFME, tmp_path)
    truth = {plan.clip: plan.kind for plan in written.clips}
    assert {clip.clip: clip.variant for clip in reading.clips if clip.status == "ok"} == truth


def test_folders_of_a_part_without_its_table_are_rows_with_their_reason(
    tmp_path: Path, written: WrittenDatabase
) -> None:
    written.sheets[1].unlink()
    reading = read_database(DFME, tmp_path)
    states = Counter((clip.variant, clip.status) for clip in reading.clips)
    assert states == {("train", "ok"): 12, ("test-a", "excluded"): 6, ("test-b", "ok"): 6}
    assert "test-a: no coding sheet was found" in reading.notes
    assert len(reading.clips) == reading.sheet_rows + reading.folders_without_row


def test_rows_of_a_part_without_folders_are_rows_with_their_reason(tmp_path: Path, written: WrittenDatabase) -> None:
    shutil.rmtree(tmp_path / "test_data_B")
    reading = read_database(DFME, tmp_path)
    lost = [clip for clip in reading.clips if clip.status == "excluded"]
    assert {clip.variant for clip in lost} == {"test-b"}
    assert all(clip.reason.startswith("no frames on disk") for clip in lost)
    assert len(reading.clips) == reading.sheet_rows == 24


def test_a_table_that_is_named_counts_for_the_part_that_it_is_of(tmp_path: Path, written: WrittenDatabase) -> None:
    odd = tmp_path / "my copy.xlsx"
    shutil.move(written.sheets[2], odd)
    reading = read_database(DFME, tmp_path, annotations=odd)
    truth = {plan.clip: plan.kind for plan in written.clips}
    assert {clip.clip: clip.variant for clip in reading.clips if clip.status == "ok"} == truth


def test_without_any_table_the_error_names_them(tmp_path: Path, written: WrittenDatabase) -> None:
    for sheet in written.sheets:
        sheet.unlink()
    with pytest.raises(SheetError, match="was not found"):
        read_database(DFME, tmp_path)
