"""CASME, CAS(ME)^2 and CAS(ME)^3 A, B and C: every layout, every table, every known defect."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from merprep.databases import DatabaseReading, read_database, spec
from merprep.databases.sheet import read_sheet
from merprep.errors import DatabaseError, MerprepError, SheetError
from merprep.records import Clip
from merprep.synthetic import write_database
from merprep.synthetic.plans import ClipPlan, disk
from merprep.synthetic.sheets import write_workbook

FAMILY = ("casme", "casme-sq", "casme3a", "casme3c", "smic-e-hs", "smic-e-vis", "smic-e-nir")
CASES = [(name, layout, table) for name in FAMILY for layout in disk(name)["layouts"] for table in disk(name)["tables"]]
SMALL = {"subjects": 2, "clips_per_class": 2, "frames": "stub", "n_frames": 7}


def adds_up(reading: DatabaseReading) -> bool:
    return len(reading.clips) == reading.sheet_rows + reading.folders_without_row


def by_name(reading: DatabaseReading) -> dict[tuple[str, str], Clip]:
    return {(clip.subject, clip.clip): clip for clip in reading.clips}


def edit(path: Path, change: Callable[[openpyxl.worksheet.worksheet.Worksheet], None]) -> None:  # type: ignore[name-defined]
    book = openpyxl.load_workbook(path)
    change(book.worksheets[0])
    book.save(path)


@pytest.mark.parametrize(("name", "layout", "table"), CASES)
def test_every_layout_and_table_is_read_as_it_was_written(tmp_path: Path, name: str, layout: str, table: str) -> None:
    written = write_database(name, tmp_path, layout=layout, table=table, **SMALL)  # type: ignore[arg-type]
    reading = read_database(spec(name), tmp_path)
    clips = {(clip.subject, clip.clip, clip.onset): clip for clip in reading.clips}
    assert reading.layout == layout
    assert adds_up(reading)
    assert len(clips) == len(written.clips) == reading.sheet_rows
    for plan in written.clips:
        same(
            clips[spec(name).subject_name(plan.subject), plan.clip, plan.onset],
            plan,
            with_emotion=table != "micro-and-macro",
        )


def same(clip: Clip, plan: ClipPlan, *, with_emotion: bool = True) -> None:
    assert clip.status == "ok"
    assert (clip.onset, clip.apex, clip.offset) == (plan.onset, plan.peak, plan.offset)
    assert clip.frames.numbers == tuple(range(plan.onset, plan.offset + 1))
    assert clip.emotion == (plan.emotion if with_emotion else "")
    assert clip.apex_source == ("midpoint" if plan.apex is None else "annotated")
    assert clip.variant in (plan.kind, spec(clip.database).variant)


@pytest.mark.parametrize("name", FAMILY)
def test_the_root_may_be_given_too_high_or_too_low(tmp_path: Path, name: str) -> None:
    written = write_database(name, tmp_path / "unzipped" / "again", **SMALL)  # type: ignore[arg-type]
    expected = len(written.clips)
    assert len(read_database(spec(name), tmp_path).clips) == expected
    first = written.frames_root / written.clips[0].folder
    for below in (written.frames_root, first.parent, first):
        reading = read_database(spec(name), below, annotations=written.sheet)
        assert (len(reading.clips), reading.root) == (expected, written.frames_root)


# CASME


def test_frames_of_casme_keep_the_padding_of_their_class(tmp_path: Path) -> None:
    write_database("casme", tmp_path, **SMALL)  # type: ignore[arg-type]
    clips = [clip for clip in read_database(spec("casme"), tmp_path).clips if clip.offset < 100]  # type: ignore[operator]
    patterns = {clip.subject: clip.frames.pattern for clip in clips}
    assert patterns["sub01"].endswith("-#.jpg")
    assert patterns["sub02"].endswith("-###.jpg")


def test_an_apex_that_lasts_is_noted(tmp_path: Path) -> None:
    written = write_database("casme", tmp_path, **SMALL)  # type: ignore[arg-type]
    assert written.sheet is not None
    edit(written.sheet, lambda page: page.cell(2, 6, page.cell(2, 5).value + 2))
    plan = written.clips[0]
    clip = by_name(read_database(spec("casme"), tmp_path))["sub01", plan.clip]
    assert clip.apex == plan.apex
    assert clip.notes == (f"the apex lasts until {(plan.apex or 0) + 2}",)


# CAS(ME)^2


@pytest.fixture
def square(tmp_path: Path) -> Path:
    write_database("casme-sq", tmp_path, **SMALL)  # type: ignore[arg-type]
    return tmp_path


def test_spellings_of_casme_squared_are_told_from_casme_2() -> None:
    for name in ("CAS(ME)^2", "cas(me)2", "CASME^2", "CASME_sq", "casme-sq", "CAS(ME)²"):
        assert spec(name).id == "casme-sq"
    for name in ("CASME II", "casme2", "CASME 2", "casmeii"):
        assert spec(name).id == "casme2"


def test_participants_and_stimuli_are_joined_from_three_sheets(square: Path) -> None:
    reading = read_database(spec("casme-sq"), square)
    clip = by_name(reading)["s15", "anger1_1"]
    assert clip.frames.pattern == "s15/15_0401childabuse/img###.jpg"
    assert clip.person == "casme-sq:15"
    assert Counter(clip.variant for clip in reading.clips) == {"micro": 12, "macro": 6}
    assert "self-report: happyiness" in by_name(reading)["s15", "happy3_1"].notes
    assert reading.sheet is not None
    assert (reading.sheet.header_row, reading.sheet.rows[0].number) == (0, 1)


def test_unknown_offsets_and_apexes_of_zero_are_none_and_counted(square: Path) -> None:
    def blank(page: openpyxl.worksheet.worksheet.Worksheet) -> None:  # type: ignore[name-defined]
        page.cell(3, 5, 0)
        page.cell(6, 4, 0)

    edit(next(square.glob("*.xlsx")), blank)
    reading = read_database(spec("casme-sq"), square)
    macro = by_name(reading)["s15", "anger1_3"]
    assert (macro.offset, macro.variant) == (None, "macro")
    assert macro.frames.numbers[-1] == macro.apex
    assert by_name(reading)["s15", "happy3_3"].apex is None
    assert "1 row has no offset (the sheet says 0)" in reading.notes
    assert "1 row has no apex (the sheet says 0)" in reading.notes
    assert all(clip.status == "ok" for clip in reading.clips)


def test_an_apex_after_the_offset_is_named(square: Path) -> None:
    edit(next(square.glob("*.xlsx")), lambda page: page.cell(1, 4, page.cell(1, 5).value + 6))
    clip = by_name(read_database(spec("casme-sq"), square))["s15", "anger1_1"]
    assert (clip.apex, clip.apex_source) == (None, "none")
    assert any("lies outside" in note for note in clip.notes)


def test_codes_that_lost_their_zero_are_read_too(square: Path) -> None:
    book = openpyxl.load_workbook(next(square.glob("*.xlsx")))
    for row in book["naming rule2"].iter_rows():
        row[0].value = int(row[0].value)
    book.save(next(square.glob("*.xlsx")))
    assert {clip.status for clip in read_database(spec("casme-sq"), square).clips} == {"ok"}


def test_unpadded_frames_of_a_video_are_read_too(square: Path) -> None:
    for frame in square.glob("rawpic/*/*/img0*.jpg"):
        frame.rename(frame.with_name(f"img{int(frame.stem[3:])}.jpg"))
    assert {clip.status for clip in read_database(spec("casme-sq"), square).clips} == {"ok"}


def test_a_copy_with_a_header_is_read_by_its_names(square: Path) -> None:
    def head(page: openpyxl.worksheet.worksheet.Worksheet) -> None:  # type: ignore[name-defined]
        page.insert_rows(1)
        names = ("participant", "video_expr", "onset", "apex", "offset", "AUs", "estimated emotion", "type")
        for column, name in enumerate(names, start=1):
            page.cell(1, column, name)

    edit(next(square.glob("*.xlsx")), head)
    reading = read_database(spec("casme-sq"), square)
    assert reading.sheet is not None
    assert (reading.sheet.header_row, len(reading.clips)) == (1, 18)
    assert {clip.status for clip in reading.clips} == {"ok"}


def test_a_workbook_without_its_sheet_of_participants_is_one_clear_error(square: Path) -> None:
    book = openpyxl.load_workbook(next(square.glob("*.xlsx")))
    del book["naming rule1"]
    book.save(next(square.glob("*.xlsx")))
    with pytest.raises(SheetError, match="participants"):
        read_database(spec("casme-sq"), square)


def test_a_participant_or_stimulus_without_a_rule_is_a_row_with_that_note(square: Path) -> None:
    def unknown(page: openpyxl.worksheet.worksheet.Worksheet) -> None:  # type: ignore[name-defined]
        page.cell(1, 1, 99)
        page.cell(2, 2, "boredom7_1")

    edit(next(square.glob("*.xlsx")), unknown)
    reading = read_database(spec("casme-sq"), square)
    lost = [clip for clip in reading.clips if clip.status == "excluded"]
    assert len(lost) == 2
    assert {note for clip in lost for note in clip.notes} >= {
        "naming rule1 gives participant 99 no folder",
        "naming rule2 gives boredom7 no code",
    }


def test_another_workbook_is_refused_with_what_was_expected(square: Path) -> None:
    write_workbook(square / "CAS(ME)^2code_final.xlsx", {"CASFEcode_final": [["a", "b"], ["c", "d"]]})
    with pytest.raises(SheetError, match="columns") as caught:
        read_database(spec("casme-sq"), square)
    assert "anger1_2" in str(caught.value.expected)


CELLS = st.one_of(
    st.none(), st.integers(-5, 10**5), st.floats(allow_nan=False, width=32), st.text(max_size=8),
    st.sampled_from(["s15", "../..", "/etc", "anger1_1", "0401", "macro-expression", "NULL"]),
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELLS, max_size=9), max_size=5),
    rule1=st.lists(st.lists(CELLS, max_size=3), max_size=3),
    rule2=st.lists(st.lists(CELLS, max_size=2), max_size=3),
)
def test_whatever_the_three_sheets_hold_there_is_a_reading_or_one_error(
    fuzzed: Path, rows: list[list[object]], rule1: list[list[object]], rule2: list[list[object]]
) -> None:
    good = [1, "anger1_1", 12, 15, 18, "4", "negative", "micro-expression", ""]
    path = fuzzed.parent / "CAS(ME)^2code_final.xls"
    pages = {"CASFEcode_final": [good, good, *rows], "naming rule1": rule1, "naming rule2": rule2}
    write_workbook(path, pages)
    try:
        reading = read_database(spec("casme-sq"), fuzzed, annotations=path)
    except MerprepError:
        return
    assert adds_up(reading)
    assert len({clip.id for clip in reading.clips}) == len(reading.clips)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "casme-sq"
    write_database("casme-sq", folder, subjects=1, clips_per_class=1, frames="stub", n_frames=5)
    return folder


# CAS(ME)^3


def test_clips_of_one_video_are_told_by_their_onset(tmp_path: Path) -> None:
    write_database("casme3a", tmp_path, **SMALL)  # type: ignore[arg-type]
    reading = read_database(spec("casme3a"), tmp_path)
    clips = by_name(reading)
    assert {name for _, name in clips} >= {"a_21", "a_59"}
    assert clips["spNO.1", "a_21"].id == "casme3a/spNO.1/a_21"
    assert clips["spNO.1", "a_21"].frames.pattern == clips["spNO.1", "a_59"].frames.pattern == "spNO.1/a/color/#.jpg"
    assert reading.notes == ("12 clips are cut out of 6 recordings, whose other frames remain as context",)
    assert clips["spNO.1", "a_21"].notes == ("cut out of spNO.1/a/color, frames 16-70",)


def test_depth_beside_the_colour_frames_is_named_and_not_read(tmp_path: Path) -> None:
    written = write_database("casme3a", tmp_path, **SMALL)  # type: ignore[arg-type]
    for colour in list(written.frames_root.glob("*/*/color")):
        shutil.copytree(colour, colour.with_name("depth"))
    reading = read_database(spec("casme3a"), tmp_path)
    assert "6 folders depth are not read" in reading.notes
    assert reading.ignored == ()


def test_a_video_in_which_nothing_is_coded_is_a_row_with_that_reason(tmp_path: Path) -> None:
    written = write_database("casme3a", tmp_path, **SMALL)  # type: ignore[arg-type]
    shutil.copytree(written.frames_root / "spNO.1" / "a", written.frames_root / "spNO.1" / "m")
    reading = read_database(spec("casme3a"), tmp_path)
    (clip,) = [clip for clip in reading.clips if clip.status == "excluded"]
    assert clip.id == "casme3a/spNO.1/m"
    assert clip.reason == "no row in the sheet: nothing is coded in the recording spNO.1/m/color, frames 16-70"
    assert adds_up(reading)


def test_folders_named_in_another_case_are_matched_and_noted(tmp_path: Path) -> None:
    written = write_database("casme3a", tmp_path, layout="clips", **SMALL)  # type: ignore[arg-type]
    for folder in list(written.frames_root.iterdir()):
        folder.rename(folder.with_name(folder.name.replace("spNO.", "spNo.")))
    reading = read_database(spec("casme3a"), tmp_path)
    assert {clip.status for clip in reading.clips} == {"ok"}
    assert reading.clips[0].subject == "spNO.1"
    assert reading.clips[0].frames.pattern == "spNo.1_a_21/#.jpg"


def test_of_clips_of_both_kinds_the_micro_expressions_are_taken(tmp_path: Path) -> None:
    write_database("casme3a", tmp_path, layout="clips", **SMALL)  # type: ignore[arg-type]
    write_database("casme3a", tmp_path / "more", layout="macro-clips", table="macro", **{**SMALL, "subjects": 4})  # type: ignore[arg-type]
    reading = read_database(spec("casme3a"), tmp_path)
    assert reading.layout == "clips"
    assert len(reading.clips) == 12
    assert any("macro-clips" in note for note in reading.notes)


def test_the_table_of_both_kinds_takes_its_emotions_from_that_of_micro_expressions(tmp_path: Path) -> None:
    written = write_database("casme3a", tmp_path, table="micro-and-macro", **SMALL)  # type: ignore[arg-type]
    other = write_database("casme3a", tmp_path / "other", table="v2", **SMALL)  # type: ignore[arg-type]
    assert written.sheet is not None
    assert other.sheet is not None
    shutil.copyfile(other.sheet, tmp_path / other.sheet.name)
    shutil.rmtree(tmp_path / "other")
    reading = read_database(spec("casme3a"), tmp_path, annotations=written.sheet)
    truth = {(plan.subject, plan.clip): plan.emotion for plan in other.clips}
    for clip in reading.clips:
        if (clip.subject, clip.clip) in truth:
            assert (clip.variant, clip.emotion) == ("micro", truth[clip.subject, clip.clip])
    assert sum(clip.emotion != "" for clip in reading.clips) == 12
    assert any(note.startswith("emotion of 12 of 12 micro-expressions are those of") for note in reading.notes)


def test_blinks_beside_the_expressions_are_counted_as_no_clips(tmp_path: Path) -> None:
    write_database("casme3a", tmp_path, table="micro-and-macro", **SMALL)  # type: ignore[arg-type]
    reading = read_database(spec("casme3a"), tmp_path)
    assert "the sheet 'eye blink' has 1 rows, which are no clips" in reading.notes
    assert Counter(clip.variant for clip in reading.clips) == {"micro": 12, "macro": 12}
    assert {clip.objective_source for clip in reading.clips} == {"published"}


def test_part_b_is_said_to_be_unlabelled(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"CAS\(ME\)\^3 part B has no labels.*1,508 videos"):
        read_database(spec("casme3b"), tmp_path)
    assert "annotation" in spec("casme3b").summary()["sheet"]


def test_commas_of_part_c_and_its_missing_frames_are_reported(tmp_path: Path) -> None:
    written = write_database("casme3c", tmp_path, **SMALL)  # type: ignore[arg-type]
    assert written.sheet is not None

    def odd(page: openpyxl.worksheet.worksheet.Worksheet) -> None:  # type: ignore[name-defined]
        for line, units in enumerate(("14,L24,", "4\uff0c11", "13?"), start=2):
            page.cell(line, 5, units)

    edit(written.sheet, odd)
    first = written.clips[0]
    (written.frames_root / first.frames.path(first.onset)).unlink()
    clips = read_database(spec("casme3c"), tmp_path).clips
    assert [clip.action_units for clip in clips[:3]] == ["14,L24,", "4\uff0c11", "13?"]
    assert "the action units are joined by a full-width comma" in clips[1].notes
    assert f"onset {first.onset} is not on disk: the nearest, {first.onset + 1}, is used" in clips[0].notes
    assert clips[0].onset == first.onset + 1
    assert {clip.apex_source for clip in clips} == {"midpoint"}


def test_action_units_of_part_c_are_read_whatever_joins_them() -> None:
    from merprep.labels import parse_action_units

    assert [unit.number for unit in parse_action_units("14,L24,")] == [14, 24]
    assert [unit.number for unit in parse_action_units("4\uff0c11")] == [4, 11]
    assert [unit.number for unit in parse_action_units("13?")] == [13]


def test_a_copy_of_part_c_with_an_apex_keeps_it(tmp_path: Path) -> None:
    written = write_database("casme3c", tmp_path, **SMALL)  # type: ignore[arg-type]
    assert written.sheet is not None

    def add(page: openpyxl.worksheet.worksheet.Worksheet) -> None:  # type: ignore[name-defined]
        page.cell(1, 7, "apex")
        page.cell(2, 7, written.clips[0].onset + 1)

    edit(written.sheet, add)
    clips = read_database(spec("casme3c"), tmp_path).clips
    assert (clips[0].apex, clips[0].apex_source) == (written.clips[0].onset + 1, "annotated")
    assert clips[1].apex_source == "midpoint"


def test_subjects_of_different_databases_are_different_people() -> None:
    persons = [spec(name).persons for name in ("casme", "casme2", "casme-sq", "casme3a", "casme3b", "casme3c")]
    assert len(set(persons)) == len(persons)


def test_sheets_of_the_family_are_not_taken_for_each_other(tmp_path: Path) -> None:
    write_database("casme2", tmp_path / "two", subjects=1, clips_per_class=1, frames="stub", n_frames=3)
    write_database("casme", tmp_path / "one", subjects=1, clips_per_class=1, frames="stub", n_frames=3)
    write_database("casme-sq", tmp_path / "square", subjects=1, clips_per_class=1, frames="stub", n_frames=3)
    for name, folder in (("casme", "one"), ("casme2", "two"), ("casme-sq", "square")):
        reading = read_database(spec(name), tmp_path / folder)
        assert {clip.status for clip in reading.clips} == {"ok"}
        assert reading.sheet is not None
        assert reading.sheet.path.parent.name == folder


def test_an_unpublished_header_lets_nothing_pass_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "CAS(ME)3_part_C_ME.xlsx"
    write_workbook(
        path, {"mockCrimeME": [["sub", "count", "begin", "end", "au", "emotion"], [1, 1, 5, 9, "4", "others"]]}
    )
    sheet = spec("casme3c").sheet
    assert sheet is not None
    with pytest.raises(SheetError, match="lacks columns") as caught:
        read_sheet(path, sheet)
    assert "onset" in str(caught.value.expected)


def test_a_missing_key_frame_may_keep_its_number(tmp_path: Path) -> None:
    from merprep.stages import ingest
    from merprep.store import Workspace

    written = write_database("casme3c", tmp_path / "part_c", **SMALL)  # type: ignore[arg-type]
    first = written.clips[0]
    (written.frames_root / first.frames.path(first.onset)).unlink()
    for policy, onset in (("nearest", first.onset + 1), ("keep", first.onset)):
        result = ingest(Workspace(tmp_path / policy), "casme3c", tmp_path / "part_c", missing_frames=policy)  # type: ignore[arg-type]
        assert result.clips[0].onset == onset


def test_the_account_of_long_videos_says_where_clips_are_cut_and_not_for_each(tmp_path: Path) -> None:
    from merprep.stages import ingest
    from merprep.store import Workspace

    write_database("casme-sq", tmp_path / "square", **SMALL)  # type: ignore[arg-type]
    lines = ingest(Workspace(tmp_path / "study"), "CAS(ME)^2", tmp_path / "square").lines()
    assert "variants: micro 12, macro 6" in lines
    assert "  note: 18 clips are cut out of 6 recordings, whose other frames remain as context" in lines
    assert not any("cut out of s15" in line for line in lines)


def test_a_tree_of_casme_2_is_not_read_as_casme(tmp_path: Path) -> None:
    write_database("casme2", tmp_path, subjects=1, clips_per_class=1, frames="stub", n_frames=3)
    with pytest.raises(SheetError, match="coding sheet of CASME was not found") as caught:
        read_database(spec("casme"), tmp_path)
    assert "CASME2-coding-20140508.xlsx" in str(caught.value.found)
