"""Clips, frames and stage reports."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.errors import UsageError
from merprep.records import FrameSet, Outcome, StageReport, person_of


@given(st.sets(st.integers(0, 20_000_000), max_size=50))
def test_frame_numbers_survive_being_written_as_ranges(numbers):
    frames = FrameSet("a/img#.jpg", tuple(sorted(numbers)))
    assert FrameSet.parse(frames.pattern, frames.ranges()) == frames


@pytest.mark.parametrize(
    ("pattern", "number", "path"),
    [
        ("sub01/EP02_01f/img#.jpg", 46, "sub01/EP02_01f/img46.jpg"),
        ("006/006_1_2/006_#####.jpg", 5562, "006/006_1_2/006_05562.jpg"),
        ("HS/s18/image######.bmp", 17581039, "HS/s18/image17581039.bmp"),
        ("odd #1 folder/#.png", 7, "odd #1 folder/7.png"),
        ("#.png", 7, "7.png"),
    ],
)
def test_a_pattern_names_the_file_of_a_number(pattern, number, path):
    assert FrameSet(pattern, (number,)).path(number) == path


def test_the_nearest_frame_is_the_lower_of_two_equally_near():
    assert FrameSet("#.png", (1, 3)).nearest(2) == 1
    assert FrameSet().nearest(2) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("smic", "s01"), ("smic", "s1"), True),
        (("samm", "006"), ("samm", "6"), True),
        (("casme2", "sub06"), ("samm", "006"), False),
        (("casme3a", "spNO.1"), ("casme3a", "spNO.10"), False),
    ],
)
def test_persons_are_compared_as_numbers_inside_a_namespace(one, other, same):
    assert (person_of(*one) == person_of(*other)) is same


def test_the_counts_of_a_stage_add_up():
    report = StageReport(
        "flow", (Outcome("a", "done"), Outcome("b", "failed", "broken"), Outcome("c", "skipped", "no apex"))
    )
    counts = report.counts()
    assert counts["in"] == counts["done"] + counts["skipped"] + counts["failed"] == 3


def test_a_clip_counted_twice_is_refused():
    with pytest.raises(UsageError, match="counted twice"):
        StageReport("flow", (Outcome("a", "done"), Outcome("a", "failed", "again")))
