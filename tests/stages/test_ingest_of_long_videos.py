"""The real tables of CAS(ME)^3 part A and SMIC-E, laid out on disk and ingested."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from merprep.databases import DatabaseReading, read_database, spec
from merprep.databases.sheet import read_sheet
from merprep.labels import count_table, objective_class, roman_class, scheme
from merprep.records import Clip
from merprep.stages import ingest
from merprep.store import Workspace
from merprep.synthetic import write_database
from merprep.synthetic.sheets import write_workbook

CASME3 = "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"
SMIC_E = "SMIC-HS-E_annotation.xlsx"
EMOTIONS = {"disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sad": 57, "happy": 55}
# What the released table says where the copy at hand is repaired: (subject, video, onset of the copy) -> cells.
RELEASED = {
    ("spNO.149", "d", "112"): {"Apex": "83"},
    ("spNO.216", "d", "2647"): {"Onset": "3647"},
    ("spNO.40", "e", "1812"): {"Offset": "0"},
    ("spNO.40", "e", "2327"): {"Offset": "0"},
}


@pytest.fixture(scope="module")
def clips_tree(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("casme3a")
    write_database("casme3a", root, layout="clips", annotations=shared_data / "annotations" / CASME3, frames="stub")
    return root


@pytest.fixture(scope="module")
def released(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table as it was released: the four cells that the copy at hand repairs, put back; as .xls."""
    page = openpyxl.load_workbook(shared_data / "annotations" / CASME3)["label"]
    rows = [[cell.value for cell in row] for row in page.iter_rows()]
    for row in rows[1:]:
        for name, value in RELEASED.get((str(row[0]), str(row[1]), str(row[2])), {}).items():
            row[rows[0].index(name)] = value
    path = tmp_path_factory.mktemp("released") / "cas(me)3_part_A_ME_label_JpgIndex_v1.xls"
    write_workbook(path, {"label": rows, "Sheet1": [], "Sheet3": []})
    return path


def states(reading: DatabaseReading) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for outcome in reading.errata:
        found.setdefault(outcome.state, set()).add(outcome.erratum.id)
    return found


def named(reading: DatabaseReading) -> dict[str, Clip]:
    return {f"{clip.subject}/{clip.clip}": clip for clip in reading.clips}


def test_the_copy_of_casme3_gives_860_clips_and_its_repairs_are_named(clips_tree: Path, tmp_path: Path) -> None:
    result = ingest(Workspace(tmp_path), "CAS(ME)^3 A", clips_tree)
    counts = result.as_json()["counts"]
    assert (counts["sheet_rows"], counts["manifest_rows"], counts["subjects"]) == (860, 860, 94)
    assert counts["emotions"] == EMOTIONS
    assert result.as_json()["clips"] == {"ok": 860, "excluded": 0}
    assert states(result.reading)["already right"] == {
        "casme3a-onset-1", "casme3a-offset-2", "casme3a-offset-3", "casme3a-apex-2",
    }  # fmt: skip
    assert states(result.reading)["applied"] == {"casme3a-offset-1"}


def test_published_schemes_of_casme3_are_met(clips_tree: Path) -> None:
    clips = read_database(spec("casme3a"), clips_tree).clips
    for name in ("casme3-3", "casme3-4", "casme3-7"):
        table = count_table(clips, scheme(name))
        assert table.published("casme3a")
        assert table.differences() == {}
    assert count_table(clips, scheme("casme3-7")).total == 860


def test_the_column_of_objective_classes_is_what_the_action_units_give(shared_data: Path) -> None:
    sheet = spec("casme3a").sheet
    assert sheet is not None
    rows = read_sheet(shared_data / "annotations" / CASME3, sheet).rows
    found = Counter(
        objective_class(row.text("action_units")) == roman_class(row.text("objective_class")) for row in rows
    )
    assert found == {True: 860}


def test_the_released_table_as_xls_gives_the_same_clips(clips_tree: Path, released: Path) -> None:
    copy = named(read_database(spec("casme3a"), clips_tree))
    reading = read_database(spec("casme3a"), clips_tree, annotations=released)
    assert reading.sheet is not None
    assert reading.sheet.version == "v1"
    own = named(reading)
    assert set(own) == set(copy)
    differing = {name for name in own if (own[name].onset, own[name].offset) != (copy[name].onset, copy[name].offset)}
    assert differing == set()
    assert states(reading)["applied"] == {
        "casme3a-onset-1", "casme3a-offset-1", "casme3a-offset-2", "casme3a-offset-3",
    }  # fmt: skip
    assert own["spNO.216/d_2647"].errata == ("casme3a-onset-1: onset 3647 -> 2647",)
    assert (own["spNO.40/e_1812"].offset, own["spNO.40/e_2327"].offset) == (1845, 2403)
    # Two corrections of this apex are in use: neither is applied by default, and the apex before its onset is not used.
    assert (own["spNO.149/d_112"].apex, own["spNO.149/d_112"].status) == (None, "ok")


def test_without_errata_the_released_table_is_taken_as_it_is(clips_tree: Path, released: Path) -> None:
    reading = read_database(spec("casme3a"), clips_tree, annotations=released, errata="none")
    own = named(reading)
    assert set(states(reading)) <= {"off", "already right"}
    assert "spNO.216/d_3647" in own
    assert len(own) == 860
    assert sum(outcome.state == "off" for outcome in reading.errata) == len(reading.errata)


def test_clips_whose_apex_is_their_onset_are_named(clips_tree: Path) -> None:
    clips = read_database(spec("casme3a"), clips_tree, missing_frames="keep").clips
    assert sum("apex equals onset" in clip.notes for clip in clips) == 55
    assert sum("implausibly long" in note for clip in clips for note in clip.notes) == 25
    absent = named(read_database(spec("casme3a"), clips_tree))["spNO.216/e_0"]
    assert "onset 0 is not on disk: the nearest, 4, is used" in absent.notes


@pytest.mark.slow
def test_whole_videos_and_cut_clips_give_the_same_manifest(clips_tree: Path, shared_data: Path, tmp_path: Path) -> None:
    write_database("casme3a", tmp_path, annotations=shared_data / "annotations" / CASME3, frames="stub")
    whole, cut = read_database(spec("casme3a"), tmp_path), read_database(spec("casme3a"), clips_tree)
    assert (whole.layout, cut.layout, whole.folders, cut.folders) == ("videos", "clips", 463, 860)
    for name, clip in named(whole).items():
        other = named(cut)[name]
        assert (clip.onset, clip.apex, clip.offset) == (other.onset, other.apex, other.offset)


def test_the_fast_camera_of_smic_e_gives_its_162_rows(shared_data: Path, tmp_path: Path) -> None:
    write_database("smic-e-hs", tmp_path, annotations=shared_data / "annotations" / SMIC_E, frames="stub")
    result = ingest(Workspace(tmp_path / "study"), "SMIC-E", tmp_path)
    counts = result.as_json()["counts"]
    assert (counts["sheet_rows"], counts["folders_without_row"], counts["manifest_rows"]) == (162, 0, 162)
    assert counts["emotions"] == {"negative": 69, "positive": 51, "surprise": 42}
    assert counts["subjects"] == 16
    assert result.as_json()["excluded"] == {"smic-e-hs/s3/s3_ne_20": "no frames on disk: looked for s3/s3_ne_20"}
    clips = named(result.reading)
    for name, recording in (
        ("s3/s3_ne_03", "s03/s3_ne_02"), ("s4/s4_ne_05", "s04/s4_ne_04"), ("s4/s4_ne_06", "s04/s4_ne_04"),
        ("s9/s9_sur_02", "s09/s9_sur_01"),
    ):  # fmt: skip
        assert f"lies in the recording {recording}" in clips[name].notes
    # The second expression of this clip comes before its first.
    assert clips["s18/s18_sur_03"].onset == 1695782
    assert "expression 2 of the row lies at frames 1695422-1695446" in clips["s18/s18_sur_03"].notes


def test_emotions_of_smic_e_are_the_stated_ones(shared_data: Path) -> None:
    for name, stated in (
        ("smic-e-hs", {"negative": 70, "positive": 51, "surprise": 41}),
        ("smic-e-vis", {"negative": 24, "positive": 28, "surprise": 19}),
    ):
        sheet = spec(name).sheet
        assert sheet is not None
        rows = read_sheet(shared_data / "annotations" / SMIC_E, sheet).rows
        first = {row.number: row.text("emotion") for row in reversed(rows)}
        assert Counter(first.values()) == stated


def test_the_colour_camera_of_smic_e_is_read_from_its_own_sheet(shared_data: Path, tmp_path: Path) -> None:
    write_database("smic-e-vis", tmp_path, annotations=shared_data / "annotations" / SMIC_E, frames="stub")
    reading = read_database(spec("smic-e", "vis"), tmp_path)
    assert (reading.sheet_rows, len(reading.clips), reading.folders) == (71, 71, 71)
    per_subject = Counter(clip.subject for clip in reading.clips)
    assert per_subject == {"s11": 7, "s12": 9, "s13": 10, "s14": 10, "s15": 4, "s18": 7, "s19": 2, "s20": 22}
