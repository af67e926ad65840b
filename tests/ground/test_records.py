"""Clips, frames and stage reports."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.errors import UsageError
from merprep.records import CLIP, Clip, FrameSet, Outcome, StageReport, person_of
from merprep.shelf import Rows


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


TEXTS = st.text(st.characters(), max_size=5)
NUMBERS = st.none() | st.integers(0, 10**8)


@given(
    st.builds(
        Clip, TEXTS, TEXTS, TEXTS, person=TEXTS, onset=NUMBERS, apex=NUMBERS, offset=NUMBERS,
        frames=st.builds(FrameSet, TEXTS, st.lists(st.integers(0, 10**8), max_size=6).map(tuple)),
        fps=st.none() | st.floats(allow_nan=False) | st.integers(1, 1000), emotion=TEXTS,
        errata=st.lists(TEXTS, max_size=2).map(tuple), notes=st.lists(TEXTS, max_size=2).map(tuple), reason=TEXTS,
        status=st.sampled_from(["ok", "excluded"]), apex_source=st.sampled_from(["none", "midpoint"]),
    )
)  # fmt: skip
def test_a_clip_comes_back_from_the_disk_as_it_was(clip):
    (found,) = Rows([clip], CLIP)
    assert found == clip
    assert type(found.fps) is type(clip.fps)


def test_a_report_over_thousands_of_clips_is_read_like_a_tuple():
    states = ("done", "skipped", "failed")
    outcomes = [Outcome(f"a/1/{n}", states[n % 3], "often" if n % 2 else f"reason {n % 5}") for n in range(3000)]
    report = StageReport("flow", iter(outcomes))
    assert report.outcomes == outcomes
    assert report.counts() == {"in": 3000, "done": 1000, "skipped": 1000, "failed": 1000}
    assert report.of_state("failed") == outcomes[2::3]
    assert report.of_state("failed")[-1] == outcomes[2999]
    assert next(iter(report.reasons("skipped").items())) == ("often", 500)
    assert sum(report.reasons("skipped").values()) == 1000
    assert StageReport("flow", report.outcomes) == StageReport("flow", tuple(outcomes)) != StageReport("flow", ())
    assert StageReport("flow", ()).counts() == {"in": 0, "done": 0, "skipped": 0, "failed": 0}


def test_only_names_that_are_there_twice_count_as_such(monkeypatch):
    monkeypatch.setattr("merprep.records.hash", len, raising=False)  # so that different names have one hash
    with pytest.raises(UsageError, match="counted twice") as caught:
        StageReport("flow", (Outcome("ab", "done"), Outcome("ac", "done"), Outcome("d", "done"), Outcome("ab", "done")))
    assert caught.value.where == "ab"
    assert len(StageReport("flow", (Outcome("ab", "done"), Outcome("ac", "done"))).outcomes) == 2
