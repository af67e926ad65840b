from __future__ import annotations

from pathlib import Path

import pytest

from merprep.databases import read_database, spec
from merprep.labels import parse_action_units, scheme
from merprep.synthetic import write_database
from merprep.synthetic.sheets import write_workbook

FOUR = spec("4DME")
HEADER = [
    "sub_ID",
    "fold",
    "fold_name",
    "Onset",
    "Apex",
    "Offset",
    "AUs",
    "eye blink",
    "Emotion",
    "Positive",
    "Surprise",
]


def lay_out(root: Path, rows: list[list[object]], header: list[str] = HEADER) -> Path:
    for number in range(1826, 1834):
        path = root / "gray_micro" / "S13" / "S13_1st_001_01_2" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    sheet = root / "4DME_Labelling_Micro_release v1.xlsx"
    write_workbook(sheet, {"Sheet1": [header, *rows]})
    return sheet


def row(emotion: str | None, *shown: float) -> list[object]:
    return ["S13", "1st", "S13_1st_001_01_2", 1826.0, 1829.0, 1833.0, "AU4(k)+L7", None, emotion, *shown]


def test_a_clip_may_be_of_two_classes(tmp_path: Path) -> None:
    write_database("4dme", tmp_path, subjects=2, clips_per_class=2, frames="stub", n_frames=5)
    five = scheme("4dme-5")
    both = [clip for clip in read_database(FOUR, tmp_path).clips if clip.emotion == "Surprise+Positive"]
    assert both
    for clip in both:
        assert [five.classes[index] for index in five.labels(clip)] == ["positive", "surprise"]


def test_the_folder_without_a_row_is_a_row_with_its_reason(tmp_path: Path) -> None:
    write_database("4dme", tmp_path, subjects=1, clips_per_class=1, frames="stub", n_frames=5, extra_folders=True)
    reading = read_database(FOUR, tmp_path)
    stray = next(clip for clip in reading.clips if clip.clip == "S13_1st_001_01_1")
    assert stray.status == "excluded"
    assert stray.reason.startswith("no row in the sheet")
    assert len(reading.clips) == reading.sheet_rows + reading.folders_without_row


@pytest.mark.parametrize(
    "total",
    [
        ["Total", None, None, None, None, None, None, None, None, 12.0, 30.0],
        [None, None, None, None, None, None, None, None, None, 12.0, 30.0],
        [None, None, 267.0, None, None, None, None, None, None, 12.0, 30.0],
        [None, None, "Total", None, None, None, None, None, None, 12.0, 30.0],
    ],
)
def test_the_last_row_is_a_total_and_no_clip(tmp_path: Path, total: list[object]) -> None:
    lay_out(tmp_path, [row("Positive", 1.0, 0.0), total])
    reading = read_database(FOUR, tmp_path)
    assert (reading.sheet_rows, len(reading.clips), len(reading.ignored)) == (1, 1, 1)


def test_trailing_apostrophes_and_floats_are_read(tmp_path: Path) -> None:
    lay_out(tmp_path, [row("Positive", 1.0, 0.0)], [f"{name}'" for name in HEADER])
    clip = read_database(FOUR, tmp_path).clips[0]
    assert (clip.onset, clip.apex, clip.offset, clip.emotion) == (1826, 1829, 1833, "Positive")


def test_a_unit_that_is_kept_over_the_clip_is_told_from_those_of_the_expression(tmp_path: Path) -> None:
    lay_out(tmp_path, [row("Positive", 1.0, 0.0)])
    clip = read_database(FOUR, tmp_path).clips[0]
    assert [(unit.number, unit.kept) for unit in parse_action_units(clip.action_units)] == [(4, True), (7, False)]


def test_columns_of_emotions_stand_in_for_a_missing_combination(tmp_path: Path) -> None:
    lay_out(tmp_path, [row(None, 1.0, 1.0)])
    assert read_database(FOUR, tmp_path).clips[0].emotion == "Positive+Surprise"


def test_a_combination_and_columns_that_disagree_are_named(tmp_path: Path) -> None:
    lay_out(tmp_path, [row("Surprise", 1.0, 1.0)])
    clip = read_database(FOUR, tmp_path).clips[0]
    assert clip.emotion == "Surprise"
    assert clip.notes == (
        "the emotion is Surprise, and the columns of the emotions say Positive+Surprise: the first counts",
    )
