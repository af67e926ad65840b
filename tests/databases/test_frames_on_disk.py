from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.databases import load_errata, load_row_corrections, read_database, spec
from merprep.databases.errata import ErrataBook, Erratum
from merprep.databases.frames import frame_pattern
from merprep.databases.keyframes import check_keyframes, midpoint
from merprep.databases.keys import name_key
from merprep.errors import UsageError
from merprep.manifest_data import table_names
from merprep.records import Clip, FrameSet
from merprep.synthetic import write_database

RAW = spec("casme2").layout("raw-selected")
KEY = ((1,), name_key("EP02_01f"))


def clip(numbers: range | tuple[int, ...], onset: int | None, apex: int | None, offset: int | None) -> Clip:
    frames = FrameSet("sub01/EP02_01f/img#.jpg", tuple(numbers))
    source = "none" if apex is None else "annotated"
    return Clip("casme2", "sub01", "EP02_01f", "casme2:1", "", frames, onset, apex, offset, apex_source=source)


def erratum(**values: object) -> Erratum:
    base = {"id": "t-1", "subject": "sub01", "clip": "EP02_01f", "field": "apex", "old": 59, "new": 60}
    return Erratum.read({**base, "reason": "r", "source": "s", **values}, where="test")


@given(st.sets(st.integers(0, 200_000), min_size=1, max_size=20), st.integers(1, 6))
def test_names_and_numbers_are_inverse_for_any_padding(numbers: set[int], padding: int) -> None:
    names = [f"img{number:0{padding}d}.jpg" for number in numbers]
    frames, notes = frame_pattern(names, RAW)
    assert frames.numbers == tuple(sorted(numbers))
    assert sorted(frames.path(number) for number in frames.numbers) == sorted(names)
    assert notes == []


@pytest.mark.parametrize(
    ("name", "pattern", "number"),
    [
        ("img46.jpg", "img#.jpg", 46),
        ("reg_img46.jpg", "reg_img#.jpg", 46),
        ("006_05562.jpg", "006_#####.jpg", 5562),
        ("EP01_5-113.jpg", "EP01_5-#.jpg", 113),
        ("image17581039.bmp", "image#.bmp", 17581039),
        ("Frame_000001826.jpg", "Frame_#########.jpg", 1826),
        ("00020.png", "#####.png", 20),
    ],
)
def test_the_last_run_of_digits_is_the_number(name: str, pattern: str, number: int) -> None:
    assert frame_pattern([name], RAW)[0] == FrameSet(pattern, (number,))


def test_images_of_another_kind_are_noted_not_mixed_in() -> None:
    frames, notes = frame_pattern(["img1.jpg", "img2.jpg", "img02.jpg", "reg_img1.jpg", "cover.jpg"], RAW)
    assert frames.pattern in ("img#.jpg", "img##.jpg")
    assert sum(int(note.split()[0]) for note in notes) + len(frames) == 5


def test_a_frame_that_is_not_on_disk_gives_way_to_the_nearest_and_says_so() -> None:
    checked = check_keyframes(clip(range(73, 97), 73, 94, 110))
    assert (checked.onset, checked.apex, checked.offset) == (73, 94, 96)
    assert checked.notes == ("offset 110 is not on disk: the nearest, 96, is used",)
    kept = check_keyframes(clip(range(73, 97), 73, 94, 110), missing="keep")
    assert kept.offset == 110


def test_gaps_are_counted() -> None:
    checked = check_keyframes(clip((10, 11, 14, 15, 16), 10, 14, 16))
    assert checked.notes == ("gap: 2 frames missing inside the clip (12 13)",)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((10, None, 20), "none of the frames 10-20 is on disk"),
        ((None, 12, 20), "no onset"),
        ((900, 910, 920), "none of"),
    ],
)
def test_a_clip_that_cannot_be_read_is_excluded(numbers: tuple[int | None, ...], reason: str) -> None:
    checked = check_keyframes(clip(range(100, 120), *numbers))
    assert checked.status == "excluded"
    assert checked.reason.startswith(reason)


@pytest.mark.parametrize("apex", [1, 500])
def test_an_apex_outside_the_clip_is_not_used(apex: int) -> None:
    checked = check_keyframes(clip(range(10, 31), 10, apex, 30))
    assert (checked.apex, checked.apex_source, checked.status) == (None, "none", "ok")
    assert f"apex {apex} lies outside" in checked.notes[0]


def test_an_offset_before_the_onset_is_not_used() -> None:
    checked = check_keyframes(clip(range(10, 31), 20, 22, 0))
    assert (checked.onset, checked.apex, checked.offset) == (20, 22, None)


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_checked_key_frames_are_in_order_and_exist(numbers: set[int], onset: int, apex: int, offset: int) -> None:
    checked = check_keyframes(clip(tuple(sorted(numbers)), onset, apex, offset))
    if checked.status == "excluded":
        assert checked.reason
        return
    found = [number for number in (checked.onset, checked.apex, checked.offset) if number is not None]
    assert set(found) <= numbers
    assert found == sorted(found)


def test_the_midpoint_is_an_existing_frame() -> None:
    assert midpoint(FrameSet("#.bmp", (10, 11, 14, 15)), 10, 14) == 11
    assert midpoint(FrameSet("#.bmp", tuple(range(10, 16))), 10, 15) == 12


def test_an_erratum_applies_only_to_the_value_that_it_expects() -> None:
    for found, state in ((59, "applied"), (60.0, "already right"), (77, "not matching")):
        book = ErrataBook([erratum()])
        cells, applied = book.apply(KEY, {"apex": found}, on_disk=())
        assert book.outcomes()[0].state == state
        assert cells["apex"] == ("60" if state == "applied" else found)
        assert bool(applied) == (state == "applied")


def test_a_contested_erratum_applies_only_when_asked_for() -> None:
    for policy, state in (("default", "off"), ("all", "applied"), ("none", "off")):
        book = ErrataBook([erratum(contested=True)], policy)  # type: ignore[arg-type]
        book.apply(KEY, {"apex": 59}, on_disk=())
        assert book.outcomes()[0].state == state


def test_an_erratum_of_a_clip_that_never_came_is_reported() -> None:
    assert [outcome.state for outcome in ErrataBook([erratum()]).outcomes()] == ["no such clip"]


def test_an_erratum_about_a_missing_frame_is_not_needed_where_it_exists() -> None:
    book = ErrataBook([erratum(unless_on_disk=True)])
    book.apply(KEY, {"apex": 59}, on_disk={59})
    assert book.outcomes()[0].state == "not needed"


def test_every_way_of_writing_no_apex_is_the_same_for_errata() -> None:
    for cell in ("/", "", -1, None):
        book = ErrataBook([erratum(old="/")])
        assert book.apply(KEY, {"apex": cell}, on_disk=())[1]


def test_a_second_coding_is_taken_where_the_folder_holds_its_frames_only() -> None:
    key = ((7,), name_key("EP06_01"))
    cells = {"onset": 15, "apex": 49, "offset": 68}
    for on_disk, onset, offset in (((range(15, 69)), 15, 68), (range(56, 117), "56", "116"), (range(1, 200), 15, 68)):
        corrected, _ = ErrataBook(load_errata("casme2")).apply(key, dict(cells), on_disk=on_disk)
        assert (corrected["onset"], corrected["offset"]) == (onset, offset)


def test_a_field_is_corrected_once() -> None:
    book = ErrataBook([erratum(), erratum(id="t-2", old=[59, 60], new=61)])
    cells, applied = book.apply(KEY, {"apex": 59}, on_disk=())
    assert (cells["apex"], len(applied)) == ("60", 1)


@pytest.mark.parametrize(("clip", "onset"), [("d_3647", 3647), ("d_2647", 2647)])
def test_a_clip_whose_name_was_corrected_is_known_under_both_names(clip: str, onset: int) -> None:
    book = ErrataBook(load_errata("casme3a"))
    cells, _ = book.apply(((216,), name_key(clip)), {"onset": onset}, on_disk=())
    assert int(str(cells["onset"])) == 2647
    states = {outcome.erratum.id: outcome.state for outcome in book.outcomes()}
    assert states["casme3a-onset-1"] == ("applied" if onset == 3647 else "already right")


def test_corrections_known_by_row_only_are_listed_and_never_errata() -> None:
    for database, count in (("casme", 5), ("mmew", 16), ("4dme", 8), ("samm", 0)):
        rows = load_row_corrections(database)
        assert len(rows) == count
        assert all(row.source in row.line() for row in rows)
    assert load_errata("casme") == ()


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(UsageError, match="default or all or none"):
        ErrataBook([], "some")  # type: ignore[arg-type]


@pytest.mark.parametrize("database", table_names("errata"))
def test_every_table_of_errata_loads_with_unique_ids(database: str) -> None:
    errata = load_errata(database)
    assert len({erratum.id for erratum in errata}) == len(errata)
    assert all(erratum.reason and erratum.source for erratum in errata)


def test_contested_apexes_of_casme2_mark_their_source(tmp_path: Path, shared_data: Path) -> None:
    sheet = shared_data / "annotations" / "CASME2-coding-20140508.xlsx"
    write_database("casme2", tmp_path, annotations=sheet, frames="stub")
    reading = read_database(spec("casme2"), tmp_path, errata="all")
    changed = {clip.id: clip for clip in reading.clips}["casme2/sub04/EP12_01f"]
    assert (changed.apex, changed.apex_source) == (279, "errata")
    assert not any(outcome.state == "not matching" for outcome in reading.errata if outcome.erratum.field == "apex")
