"""Trees rendered from the real coding sheets give the published clips exactly."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest

from merprep.databases.keys import name_key
from merprep.labels import count_table, scheme
from merprep.records import person_of
from merprep.stages import IngestResult, ingest
from merprep.store import Workspace, read_manifest
from merprep.synthetic import write_database

CASME2 = "CASME2-coding-20140508.xlsx"
SAMM = "SAMM_Micro_FACS_Codes_v2.xlsx"
SMIC_E = "SMIC-HS-E_annotation.xlsx"
MEGC = "combined_3class_gt.csv"
THREE = scheme("megc2019")


@pytest.fixture(scope="module")
def trees(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    sheets, root = shared_data / "annotations", tmp_path_factory.mktemp("trees")
    write_database("casme2", root / "casme2", annotations=sheets / CASME2, frames="stub", extra_folders=True)
    write_database("samm", root / "samm", annotations=sheets / SAMM, frames="stub")
    write_database("smic", root / "smic", annotations=sheets / SMIC_E, clip_list=sheets / MEGC, frames="stub")
    return root


@pytest.fixture(scope="module")
def composite(trees: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, IngestResult]]:
    workspace = Workspace(tmp_path_factory.mktemp("composite"))
    return workspace, {name: ingest(workspace, name, trees / name) for name in ("casme2", "samm", "smic")}


def megc(result: IngestResult) -> tuple[int, ...]:
    return tuple(result.as_json()["counts"]["classes"]["megc2019"].values())


def persons(result: IngestResult) -> int:
    return len({clip.person for clip in result.clips if clip.status == "ok" and THREE.label(clip) is not None})


def assert_adds_up(result: IngestResult) -> None:
    counts, clips = result.as_json()["counts"], result.as_json()["clips"]
    assert counts["sheet_rows"] + counts["folders_without_row"] == counts["manifest_rows"] == len(result.clips)
    assert clips["ok"] + clips["excluded"] == counts["manifest_rows"] == result.report.counts()["in"]


def test_casme2_of_2014_gives_the_official_145(composite: tuple[Workspace, dict[str, IngestResult]]) -> None:
    result = composite[1]["casme2"]
    counts = result.as_json()["counts"]
    assert (counts["sheet_rows"], counts["folders_without_row"]) == (255, 2)
    assert counts["emotions"] == {
        "others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2,
    }  # fmt: skip
    assert megc(result) == (88, 32, 25)
    assert persons(result) == 24
    assert_adds_up(result)


def test_folders_without_a_row_are_rows_with_that_reason(
    composite: tuple[Workspace, dict[str, IngestResult]],
) -> None:
    excluded = composite[1]["casme2"].as_json()["excluded"]
    assert set(excluded) == {"casme2/sub09/EP02_02f", "casme2/sub24/EP02_07"}
    assert all(reason.startswith("no row in the sheet") for reason in excluded.values())


def test_the_truncated_folder_of_casme2_is_mended_by_its_erratum(
    composite: tuple[Workspace, dict[str, IngestResult]],
) -> None:
    clip = read_manifest(composite[0]).clip("casme2/sub16/EP01_08")
    assert (clip.onset, clip.apex, clip.offset) == (73, 94, 96)
    assert clip.errata == ("casme2-offset-1: offset 110 -> 96",)


def test_without_errata_the_truncated_folder_is_noted_and_its_last_frame_used(trees: Path, tmp_path: Path) -> None:
    result = ingest(Workspace(tmp_path), "casme2", trees / "casme2", errata="none")
    clip = next(clip for clip in result.clips if clip.clip == "EP01_08")
    assert clip.offset == 96
    assert clip.errata == ()
    assert clip.notes == ("offset 110 is not on disk: the nearest, 96, is used",)
    assert set(result.as_json()["errata"]) <= {"off", "already right"}


def test_a_clip_without_an_annotated_apex_stays_usable(composite: tuple[Workspace, dict[str, IngestResult]]) -> None:
    clip = read_manifest(composite[0]).clip("casme2/sub04/EP12_01f")
    assert (clip.status, clip.apex, clip.apex_source) == ("ok", None, "none")


def test_samm_gives_the_official_133(composite: tuple[Workspace, dict[str, IngestResult]]) -> None:
    result = composite[1]["samm"]
    assert result.as_json()["counts"]["sheet_rows"] == len(result.clips) == 159
    assert megc(result) == (92, 26, 15)
    assert persons(result) == 28
    assert result.reading.sheet is not None
    assert result.reading.sheet.header_row == 14
    assert_adds_up(result)


def test_frames_of_samm_keep_the_padding_of_their_recording(
    composite: tuple[Workspace, dict[str, IngestResult]],
) -> None:
    manifest = read_manifest(composite[0])
    long, short = manifest.clip("samm/006/006_1_2"), manifest.clip("samm/006/006_2_4")
    assert long.frames.path(5562) == "006/006_1_2/006_05562.jpg"
    assert short.frames.pattern.endswith("006_####.jpg") or short.frames.numbers[0] > 999
    for clip in manifest.of_database("samm"):
        assert (manifest.root_of(clip) / clip.frames.path(clip.frames.numbers[0])).is_file()


def test_smic_gives_the_official_164_with_midpoints(composite: tuple[Workspace, dict[str, IngestResult]]) -> None:
    result = composite[1]["smic"]
    assert megc(result) == (70, 51, 43)
    assert persons(result) == 16
    assert result.as_json()["apex"] == {"midpoint": 164}
    assert result.reading.sheet is None
    for clip in result.clips:
        assert clip.apex == (clip.onset or 0) + ((clip.offset or 0) - (clip.onset or 0)) // 2
    assert_adds_up(result)


def test_folders_without_micro_expressions_are_named_as_ignored(
    composite: tuple[Workspace, dict[str, IngestResult]],
) -> None:
    assert any("non_micro" in text for text in composite[1]["smic"].reading.ignored)


def test_the_composite_is_the_official_list_clip_for_clip(
    composite: tuple[Workspace, dict[str, IngestResult]], shared_data: Path
) -> None:
    with (shared_data / "annotations" / MEGC).open(encoding="utf-8", newline="") as stream:
        official = {
            (database, person_of("", subject), name_key(clip)): int(label)
            for database, subject, clip, label in csv.reader(stream)
        }
    ours = {
        (clip.database, person_of("", clip.subject), name_key(clip.clip)): THREE.label(clip)
        for clip in read_manifest(composite[0]).usable
        if THREE.label(clip) is not None
    }
    assert ours == official
    table = count_table(read_manifest(composite[0]).clips, THREE)
    assert table.total == 442
    assert sum(table.persons.values()) == 68
    assert table.differences() == {}


def test_the_table_of_2019_gives_the_same_145(trees: Path, shared_data: Path, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(shared_data / "annotations" / CASME2)
    page = book["Sheet1"]
    page.cell(1, 10, "Objective Classes")
    relabelled = {("24", "EP07_01"), ("24", "EP07_04f"), ("24", "EP10_03")}
    for line in range(2, page.max_row + 1):
        page.cell(line, 10, 7)
        if (page.cell(line, 1).value, page.cell(line, 2).value) in relabelled:
            assert page.cell(line, 9).value == "sadness"
            page.cell(line, 9, "surprise")
    table = tmp_path / "CASME2-coding-20190701.xlsx"
    book.save(table)
    newer = ingest(Workspace(tmp_path / "newer"), "casme2", trees / "casme2", annotations=table)
    older = ingest(Workspace(tmp_path / "older"), "casme2", trees / "casme2")
    assert newer.as_json()["sheet"]["version"] == "2019"
    assert newer.as_json()["counts"]["emotions"]["surprise"] == 28
    assert {c.id for c in newer.clips if c.status == "ok" and THREE.label(c) is not None} == {
        c.id for c in older.clips if c.status == "ok" and THREE.label(c) is not None
    }
    assert megc(newer) == (88, 32, 25)
    assert {c.objective_source for c in newer.clips if c.status == "ok"} == {"published"}


def test_published_and_derived_objective_classes_are_told_apart(
    composite: tuple[Workspace, dict[str, IngestResult]],
) -> None:
    clips = composite[1]["samm"].clips
    assert {clip.objective_source for clip in clips} == {"published"}
    derived = composite[1]["casme2"].clips
    assert {clip.objective_source for clip in derived if clip.action_units == "12"} == {"derived"}
    assert {clip.objective_class for clip in derived if clip.action_units == "?"} == {""}


def test_the_five_and_seven_classes_of_the_publications_are_met(
    composite: tuple[Workspace, dict[str, IngestResult]],
) -> None:
    clips = read_manifest(composite[0]).clips
    for name in ("casme2-5", "casme2-7", "samm-5"):
        assert count_table(clips, scheme(name)).differences() == {}
