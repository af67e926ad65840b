from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.databases import read_database, spec
from merprep.databases.sheet import CodingSheet, SheetRow
from merprep.errors import SheetError, UnknownNameError, UsageError
from merprep.synthetic import write_database
from merprep.synthetic.databases import WRITERS
from merprep.synthetic.placing import plans_of_sheet
from merprep.synthetic.plans import disk

SIZE = (96, 80)


# Of every other database, layout and table, test_every_layout.py says the same.
@pytest.mark.parametrize("name", ["casme2", "samm", "smic"])
def test_what_is_written_is_what_is_read(tmp_path: Path, name: str) -> None:
    written = write_database(name, tmp_path, subjects=3, clips_per_class=2, frames="stub", n_frames=7)
    reading = read_database(spec(name), tmp_path)
    truth = {plan.folder: plan for plan in written.clips}
    assert len(reading.clips) == len(truth)
    for clip in reading.clips:
        below = clip.frames.pattern.rpartition("/")[0]
        plan = truth[below if name != "smic" else f"HS/{below}"]
        assert clip.status == "ok"
        assert clip.emotion == plan.emotion
        assert (clip.onset, clip.offset, clip.frames.numbers) == (plan.onset, plan.offset, plan.frames.numbers)
        assert clip.apex == plan.peak
    assert not any(outcome.state == "applied" for outcome in reading.errata)


@pytest.mark.parametrize("name", [name for name in WRITERS if not name.endswith("macro")])
def test_every_person_has_equal_counts_of_all_classes(tmp_path: Path, name: str) -> None:
    from merprep.labels import scheme

    write_database(name, tmp_path, subjects=2, clips_per_class=2, frames="stub", n_frames=3)
    clips = read_database(spec(name), tmp_path).clips
    three = scheme(3)
    for person in {clip.person for clip in clips}:
        # Macro-expressions, and combinations of classes, have no label.
        labels = [three.label(clip) for clip in clips if clip.person == person and three.label(clip) is not None]
        assert sorted(str(label) for label in labels) == ["0", "0", "1", "1", "2", "2"]


@pytest.mark.parametrize(("name", "colour"), [("casme2", True), ("samm", False), ("smic", True)])
def test_rendered_frames_have_the_size_and_the_colours_of_the_release(tmp_path: Path, name: str, colour: bool) -> None:
    written = write_database(name, tmp_path, subjects=1, clips_per_class=1, frame_size=SIZE, n_frames=5)
    for path in sorted(written.frames_root.glob("**/*")):
        if not path.is_file() or "non_micro" in path.parts:
            continue
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.shape == ((80, 96, 3) if colour else (80, 96))


def test_key_frames_are_rendered_and_the_rest_are_stubs(tmp_path: Path) -> None:
    whole = write_database("casme2", tmp_path / "a", subjects=1, clips_per_class=1, frame_size=SIZE, n_frames=7)
    key = write_database(
        "casme2", tmp_path / "b", subjects=1, clips_per_class=1, frame_size=SIZE, n_frames=7, frames="key"
    )
    plan = key.clips[0]
    sizes = [cv2.imread(str(key.frames_root / plan.frames.path(n))).shape[1] for n in plan.frames.numbers]
    assert sizes.count(96) == 3
    apex = plan.frames.path(plan.peak)
    assert (whole.frames_root / apex).read_bytes() == (key.frames_root / apex).read_bytes()


def test_a_rendered_clip_moves_most_at_its_apex(tmp_path: Path) -> None:
    written = write_database("samm", tmp_path, subjects=1, clips_per_class=1, frame_size=(160, 120), n_frames=9)
    for plan in written.clips:
        onset, apex, late = (
            cv2.imread(str(written.frames_root / plan.frames.path(number)), cv2.IMREAD_GRAYSCALE).astype(np.float32)
            for number in (plan.onset, plan.peak, plan.onset + 1)
        )
        assert np.abs(apex - onset).mean() > np.abs(late - onset).mean()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    options = {"subjects": 1, "clips_per_class": 1, "frame_size": SIZE, "n_frames": 5}
    trees = [
        write_database("smic", tmp_path / str(i), seed=seed, **options)  # type: ignore[arg-type]
        for i, seed in enumerate((0, 0, 1))
    ]
    first, same, other = (
        [(tree.frames_root / plan.frames.path(plan.onset)).read_bytes() for plan in tree.clips] for tree in trees
    )
    assert first == same
    assert first != other


def test_databases_share_faces_exactly_where_they_share_people() -> None:
    from merprep.synthetic.plans import disk

    faces: dict[str, set[int]] = {}
    for name in WRITERS:
        faces.setdefault(spec(name).persons, set()).add(disk(name)["people"])
    assert all(len(found) == 1 for found in faces.values())
    assert len({min(found) for found in faces.values()}) == len(faces)


def test_the_table_of_2019_has_the_extra_column(tmp_path: Path) -> None:
    write_database("casme2", tmp_path, subjects=1, clips_per_class=1, frames="stub", table="2019")
    reading = read_database(spec("casme2"), tmp_path)
    assert reading.sheet is not None
    assert (reading.sheet.version, reading.sheet.path.name) == ("2019", "CASME2-coding-20190701.xlsx")


def test_every_frame_of_the_real_casme2_sheet_is_laid_out(tmp_path: Path, shared_data: Path) -> None:
    sheet = shared_data / "annotations" / "CASME2-coding-20140508.xlsx"
    written = write_database("casme2", tmp_path, annotations=sheet, frames="stub")
    # 17,138 by the sheet; the folder of sub16/EP01_08 ends 14 frames before its offset.
    assert written.files == 17_138 - 14
    assert (written.frames_root / "sub01" / "EP02_01f" / "img46.jpg").is_file()
    assert not (written.frames_root / "sub16" / "EP01_08" / "img97.jpg").exists()


def test_smic_takes_its_frame_numbers_from_the_extended_table(tmp_path: Path, shared_data: Path) -> None:
    sheets = shared_data / "annotations"
    written = write_database(
        "smic",
        tmp_path,
        annotations=sheets / "SMIC-HS-E_annotation.xlsx",
        clip_list=sheets / "combined_3class_gt.csv",
        frames="stub",
    )
    plans = {plan.clip: plan for plan in written.clips}
    assert len(plans) == 164
    assert (plans["s9_sur_02"].onset, plans["s9_sur_02"].offset) == (61250, 61291)
    assert (written.frames_root / "HS/s9/micro/surprise/s9_sur_02/image061250.bmp").is_file()
    assert (written.frames_root / plans["s20_ne_01"].frames.path(17581039)).name == "image17581039.bmp"


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        write_database("smic-vis", tmp_path)
    with pytest.raises(UsageError):
        write_database("casme2", tmp_path, subjects=0)
    (tmp_path / "list.csv").write_text("samm,6,006_1_2,0\n", encoding="utf-8")
    with pytest.raises(SheetError, match="no clip of SMIC"):
        write_database("smic", tmp_path, clip_list=tmp_path / "list.csv", frames="stub")
    assert not (tmp_path / "SMIC_all_raw").exists()


def test_larger_expressions_change_their_pictures_more(tmp_path: Path) -> None:
    changes = []
    for amplitude in (1.0, 6.0):
        root = tmp_path / str(amplitude)
        written = write_database(
            "casme2", root, subjects=1, clips_per_class=1, frame_size=SIZE, frames="key", n_frames=5,
            amplitude=amplitude,
        )  # fmt: skip
        plan = written.clips[0]
        onset, apex = (
            cv2.imread(str(written.frames_root / plan.frames.path(number))).astype(float)
            for number in (plan.onset, plan.peak)
        )
        changes.append(np.abs(apex - onset).mean())
    assert changes[1] > 1.2 * changes[0]


def test_a_subject_with_a_raised_digit_has_no_number(tmp_path: Path) -> None:
    sheet = CodingSheet(tmp_path, "a", "", 1, {}, (SheetRow(2, {"subject": "p²", "clip": "a", "onset": 1}),))
    (plan,) = plans_of_sheet(sheet, spec("mmew"), spec("mmew").layouts[0])
    assert (plan.subject, plan.face) == ("p²", disk("mmew")["people"])
