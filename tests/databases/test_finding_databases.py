from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from merprep.databases import DatabaseReading, read_database, spec
from merprep.errors import DatabaseError, RootNotFoundError, SheetError, UnknownNameError, UsageError
from merprep.synthetic import write_database
from merprep.synthetic.sheets import write_workbook


@pytest.fixture
def casme2(tmp_path: Path) -> Path:
    write_database("casme2", tmp_path / "casme2", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    return tmp_path / "casme2"


@pytest.fixture
def smic(tmp_path: Path) -> Path:
    write_database("smic", tmp_path / "smic", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    return tmp_path / "smic"


def usable(reading: DatabaseReading) -> int:
    assert len(reading.clips) == reading.sheet_rows + reading.folders_without_row
    return sum(clip.status == "ok" for clip in reading.clips)


@pytest.mark.parametrize("name", ["casme2", "CASME II", "casmeii", "CASME-2", "Casme_II"])
def test_any_usual_spelling_names_the_database(name: str) -> None:
    assert spec(name).id == "casme2"


def test_variants_are_databases_of_their_own_with_the_same_people() -> None:
    assert spec("SMIC_HS").id == spec("smic", "hs").id == spec("smic").id == "smic"
    assert spec("smic-vis").id == spec("smic", variant="VIS").id == "smic-vis"
    assert spec("smic").persons == spec("smic-nir").persons


def test_an_unknown_database_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'casme2'"):
        spec("casme22")
    with pytest.raises(UnknownNameError, match="variant"):
        spec("smic", "uv")


@pytest.mark.parametrize(
    "below", ["", "CASME2_RAW_selected", "CASME2_RAW_selected/sub01", "CASME2_RAW_selected/sub01/EP02_01f"]
)
def test_the_root_may_be_given_too_low(casme2: Path, below: str) -> None:
    reading = read_database(spec("casme2"), casme2 / below, annotations=next(casme2.glob("*.xlsx")))
    assert usable(reading) == 6
    assert reading.root == casme2 / "CASME2_RAW_selected"
    assert any("above" in note for note in reading.notes) == ("sub01" in below)


def test_the_root_may_be_given_too_high(casme2: Path) -> None:
    assert usable(read_database(spec("casme2"), casme2.parent)) == 6


def test_doubly_nested_folders_are_found(casme2: Path) -> None:
    frames = casme2 / "CASME2_RAW_selected"
    frames.rename(casme2 / "inner")
    frames.mkdir()
    (casme2 / "inner").rename(frames / "CASME2_RAW_selected")
    reading = read_database(spec("casme2"), casme2)
    assert usable(reading) == 6
    assert reading.root == frames / "CASME2_RAW_selected"


def test_of_several_layouts_the_first_described_is_used_and_the_others_named(casme2: Path) -> None:
    for subject in sorted((casme2 / "CASME2_RAW_selected").iterdir()):
        for clip in sorted(subject.iterdir()):
            target = casme2 / "Cropped" / subject.name / clip.name
            target.mkdir(parents=True)
            for frame in clip.iterdir():
                shutil.copyfile(frame, target / f"reg_{frame.name}")
    reading = read_database(spec("casme2"), casme2)
    assert reading.layout == "raw-selected"
    assert any("cropped" in note and "not used" in note for note in reading.notes)
    cropped = read_database(spec("casme2"), casme2 / "Cropped", annotations=next(casme2.glob("*.xlsx")))
    assert cropped.layout == "cropped"
    assert cropped.clips[0].frames.pattern.endswith("reg_img#.jpg")


def test_whole_recordings_are_recognised_by_their_lead_in(casme2: Path) -> None:
    frames = casme2 / "CASME2_RAW_selected"
    for first in frames.glob("*/*/"):
        name = min(first.glob("img*.jpg"), key=lambda path: int(path.stem[3:]))
        shutil.copyfile(name, first / "img1.jpg")
    frames.rename(casme2 / "frames")
    reading = read_database(spec("casme2"), casme2)
    assert reading.layout == "raw"
    assert any("before their onset" in note for note in reading.notes)


def test_folders_that_differ_in_case_or_padding_are_matched_and_noted(casme2: Path) -> None:
    frames = casme2 / "CASME2_RAW_selected"
    (frames / "sub01").rename(frames / "Sub1")
    (frames / "Sub1" / "EP02_01f").rename(frames / "Sub1" / "ep2_1F")
    reading = read_database(spec("casme2"), casme2)
    clip = next(clip for clip in reading.clips if clip.id == "casme2/sub01/EP02_01f")
    assert usable(reading) == 6
    assert clip.frames.pattern == "Sub1/ep2_1F/img#.jpg"
    assert clip.notes == ("the folder is written Sub1/ep2_1F",)


def test_two_folders_of_one_subject_are_two_rows(casme2: Path) -> None:
    frames = casme2 / "CASME2_RAW_selected"
    shutil.copytree(frames / "sub01", frames / "sub1")
    reading = read_database(spec("casme2"), casme2)
    assert usable(reading) == 6
    assert reading.folders_without_row == 3
    assert len({clip.id for clip in reading.clips}) == 9


def test_a_row_without_a_folder_says_what_was_looked_for(casme2: Path) -> None:
    shutil.rmtree(casme2 / "CASME2_RAW_selected" / "sub01" / "EP02_01f")
    reading = read_database(spec("casme2"), casme2)
    (clip,) = [clip for clip in reading.clips if clip.status == "excluded"]
    assert clip.reason == "no frames on disk: looked for sub01/EP02_01f"


def test_a_clip_named_twice_is_two_rows_and_one_is_usable(casme2: Path) -> None:
    sheet = casme2 / "CASME2-coding-20140508.xlsx"
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]
    rows: list[list[object]] = [["01", "EP02_01f", 32, 34, 36, "disgust"], ["01", "EP02_01f", 33, 34, 36, "others"]]
    write_workbook(sheet, {"Sheet1": [header, *rows]})
    reading = read_database(spec("casme2"), casme2)
    assert reading.sheet_rows == 2
    assert usable(reading) == 1
    assert any(clip.reason == "named twice in the sheet: rows 2 and 3" for clip in reading.clips)


def test_a_wrong_root_names_the_patterns_and_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(RootNotFoundError) as caught:
        read_database(spec("casme2"), tmp_path)
    assert "CASME2_RAW_selected/sub01/EP02_01f/img46.jpg" in str(caught.value.expected)
    assert "holiday/" in str(caught.value.found)
    with pytest.raises(RootNotFoundError, match="does not exist"):
        read_database(spec("casme2"), tmp_path / "none")


def test_folders_without_a_single_image_are_a_wrong_root_too(casme2: Path) -> None:
    for frame in casme2.glob("CASME2_RAW_selected/*/*/*.jpg"):
        frame.unlink()
    with pytest.raises(RootNotFoundError, match="no image"):
        read_database(spec("casme2"), casme2)


def test_a_missing_sheet_names_what_was_looked_for_and_what_is_there(casme2: Path) -> None:
    sheet = casme2 / "CASME2-coding-20140508.xlsx"
    sheet.rename(casme2 / "notes.xlsx")
    with pytest.raises(SheetError, match="was not found") as caught:
        read_database(spec("casme2"), casme2)
    assert caught.value.found == "notes.xlsx"


def test_a_lock_file_in_place_of_the_sheet_is_said_to_be_one(casme2: Path) -> None:
    sheet = casme2 / "CASME2-coding-20140508.xlsx"
    sheet.rename(casme2 / f"~${sheet.name}")
    with pytest.raises(SheetError, match="only the lock file") as caught:
        read_database(spec("casme2"), casme2)
    assert caught.value.expected == sheet.name


def test_a_lock_file_beside_the_sheet_does_no_harm(casme2: Path) -> None:
    (casme2 / "~$CASME2-coding-20140508.xlsx").write_bytes(b"lock")
    assert usable(read_database(spec("casme2"), casme2)) == 6


def test_the_sheet_is_found_beside_the_folder_given(casme2: Path) -> None:
    assert usable(read_database(spec("casme2"), casme2 / "CASME2_RAW_selected")) == 6


def test_a_sheet_of_another_database_matches_nothing_and_says_so(casme2: Path, tmp_path: Path) -> None:
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]
    write_workbook(tmp_path / "other.xlsx", {"Sheet1": [header, ["77", "EP99_99", 1, 2, 3, "others"]]})
    with pytest.raises(DatabaseError, match="No row of the coding sheet has a folder"):
        read_database(spec("casme2"), casme2, annotations=tmp_path / "other.xlsx")


def test_smic_is_labelled_by_its_folders(smic: Path) -> None:
    reading = read_database(spec("smic"), smic)
    assert usable(reading) == 6
    assert {clip.emotion for clip in reading.clips} == {"negative", "positive", "surprise"}
    assert {clip.apex_source for clip in reading.clips} == {"midpoint"}
    with pytest.raises(UsageError, match="no coding sheet is read"):
        read_database(spec("smic"), smic, annotations=smic / "smic.xlsx")


def test_the_cameras_of_smic_are_told_apart(smic: Path) -> None:
    raw = smic / "SMIC_all_raw"
    shutil.copytree(raw / "HS", raw / "NIR")
    shutil.rmtree(raw / "NIR" / "s2")
    assert read_database(spec("smic"), smic).root == raw / "HS"
    nir = read_database(spec("smic", "nir"), smic)
    assert (nir.root, len(nir.clips), nir.clips[0].fps) == (raw / "NIR", 3, 25)
    with pytest.raises(RootNotFoundError, match="Only other variants") as caught:
        read_database(spec("smic", "vis"), smic)
    assert "--variant" in str(caught.value.mend)


def test_names_with_a_raised_digit_are_names_like_others(casme2: Path) -> None:
    frames = casme2 / "CASME2_RAW_selected"
    (frames / "sub01" / "EP02_01f").rename(frames / "sub01" / "EP02_²f")
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]
    rows: list[list[object]] = [["01", "EP02_²f", 32, 34, 36, "disgust"], ["²", "EP01", "²", 2, 3, "²"]]
    write_workbook(casme2 / "CASME2-coding-20140508.xlsx", {"Sheet1": [header, *rows]})
    reading = read_database(spec("casme2"), casme2)
    assert usable(reading) == 1
    assert {"casme2/sub01/EP02_²f", "casme2/²/EP01"} <= {clip.id for clip in reading.clips}
