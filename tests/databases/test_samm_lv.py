from __future__ import annotations

from pathlib import Path

import pytest

from merprep.databases import DatabaseReading, read_database, spec
from merprep.databases.spec import DatabaseSpec
from merprep.errors import UsageError
from merprep.labels import scheme
from merprep.records import Clip
from merprep.synthetic import write_database
from merprep.synthetic.databases import WrittenDatabase


@pytest.fixture
def lv() -> DatabaseSpec:
    return spec("SAMM-LV")


def written(root: Path, **options: object) -> WrittenDatabase:
    return write_database("samm-lv", root, subjects=2, clips_per_class=2, frames="stub", n_frames=7, **options)  # type: ignore[arg-type]


def clip_of(reading: DatabaseReading, name: str) -> Clip:
    return next(clip for clip in reading.clips if clip.clip == name)


def test_emotions_come_from_the_table_of_samm_for_micro_expressions_only(tmp_path: Path, lv: DatabaseSpec) -> None:
    truth = {plan.clip: plan.emotion for plan in written(tmp_path).clips if plan.kind == "micro"}
    reading = read_database(lv, tmp_path)
    micro = [clip for clip in reading.clips if clip.variant == "micro"]
    assert {clip.clip: clip.emotion for clip in micro} == truth
    assert {clip.emotion for clip in reading.clips if clip.variant == "macro"} == {""}
    assert any(note.startswith("emotion and objective class of 12 of 12 micro") for note in reading.notes)


def test_without_the_table_of_samm_the_account_says_where_emotions_stand(tmp_path: Path, lv: DatabaseSpec) -> None:
    sheets = written(tmp_path).sheets
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere.xlsx"
    sheets[1].rename(elsewhere)
    reading = read_database(lv, tmp_path)
    assert {clip.emotion for clip in reading.clips} == {""}
    assert all(clip.status == "ok" for clip in reading.clips)
    assert any("they stand in the coding sheet of SAMM" in note for note in reading.notes)
    named = read_database(lv, tmp_path, extra=elsewhere)
    assert sum(bool(clip.emotion) for clip in named.clips) == 12


def test_no_other_database_takes_an_extra_sheet(tmp_path: Path) -> None:
    path = write_database("samm", tmp_path, subjects=1, clips_per_class=1, frames="stub", n_frames=3).sheet
    assert path is not None
    with pytest.raises(UsageError, match="takes nothing from another sheet"):
        read_database(spec("samm"), tmp_path, extra=path)


def test_a_name_that_is_micro_and_macro_is_two_clips(tmp_path: Path, lv: DatabaseSpec) -> None:
    written(tmp_path)
    reading = read_database(lv, tmp_path)
    both = [clip for clip in reading.clips if clip.clip.removesuffix("_macro") == "006_2_1"]
    assert [(clip.clip, clip.variant, clip.status) for clip in both] == [
        ("006_2_1", "micro", "ok"),
        ("006_2_1_macro", "macro", "ok"),
    ]


def test_an_onset_of_0_gives_way_to_the_first_frame_and_says_so(tmp_path: Path, lv: DatabaseSpec) -> None:
    written(tmp_path)
    clip = clip_of(read_database(lv, tmp_path), "006_5_1")
    assert (clip.onset, clip.frames.numbers[0]) == (1, 1)
    assert "onset 0 is not on disk: the nearest, 1, is used" in clip.notes
    assert any(note.startswith("the duration 9 in the sheet is not") for note in clip.notes)
    assert clip.action_units == "Chewing"


def test_an_apex_of_minus_1_is_not_annotated(tmp_path: Path, lv: DatabaseSpec) -> None:
    written(tmp_path)
    clip = clip_of(read_database(lv, tmp_path), "006_3_2")
    assert (clip.apex, clip.apex_source, clip.status) == (None, "none", "ok")


def test_samm_and_samm_lv_show_the_same_people(tmp_path: Path, lv: DatabaseSpec) -> None:
    written(tmp_path / "lv")
    write_database("samm", tmp_path / "samm", subjects=2, clips_per_class=1, frames="stub", n_frames=3)
    long = {clip.person for clip in read_database(lv, tmp_path / "lv").clips}
    short = {clip.person for clip in read_database(spec("samm"), tmp_path / "samm").clips}
    assert long == short == {"samm:6", "samm:7"}


def test_the_table_of_samm_is_not_taken_for_that_of_samm_lv(tmp_path: Path, lv: DatabaseSpec) -> None:
    written(tmp_path)
    write_database("samm", tmp_path, subjects=2, clips_per_class=2, frames="stub", n_frames=7)
    short, long = read_database(spec("samm"), tmp_path), read_database(lv, tmp_path)
    assert short.sheet is not None
    assert long.sheet is not None
    assert (short.sheet.path.name, long.sheet.path.name) == (
        "SAMM_Micro_FACS_Codes_v2.xlsx",
        "SAMM_LongVideos_V2_Release.xlsx",
    )
    assert {clip.database for clip in short.clips} == {"samm"}


@pytest.mark.parametrize(("table", "version"), [("V1", "V1"), ("V2", "V2"), ("V3", "V3"), ("csv", "V2")])
def test_each_version_is_named_and_its_header_found_on_row_10(
    tmp_path: Path, lv: DatabaseSpec, table: str, version: str
) -> None:
    written(tmp_path, table=table)
    sheet = read_database(lv, tmp_path).sheet
    assert sheet is not None
    assert (sheet.version, sheet.header_row) == (version, 10)


def test_macro_expressions_have_no_class_of_a_scheme_for_micro_expressions(tmp_path: Path, lv: DatabaseSpec) -> None:
    written(tmp_path)
    three = scheme(3)
    for clip in read_database(lv, tmp_path).clips:
        assert (three.label(clip) is None) == (clip.variant == "macro")
        assert ("macro-expression" in three.reason(clip)) == (clip.variant == "macro")


def test_a_recording_without_a_row_is_a_row_with_its_reason(tmp_path: Path, lv: DatabaseSpec) -> None:
    root = written(tmp_path).frames_root
    (root / "009_4").mkdir()
    (root / "009_4" / "009_4_0007.jpg").write_bytes(b"x")
    reading = read_database(lv, tmp_path)
    clip = clip_of(reading, "009_4")
    assert clip.status == "excluded"
    assert clip.reason.startswith("no row in the sheet")
    assert len(reading.clips) == reading.sheet_rows + reading.folders_without_row
