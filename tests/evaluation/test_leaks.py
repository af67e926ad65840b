"""The guard: one test for each way in which a test side is known before it is tested."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.errors import LeakError, UsageError
from merprep.evaluation import Roster, Scaler, check_fitted, check_split, copy_digests, input_digests, split_by
from merprep.records import Clip

PERSONS = ["samm:6", "samm:6", "smic:1", "smic:2"]
IDS = ["samm/6/a", "samm/6/b", "smic/1/a", "smic/2/a"]


def test_a_clean_split_passes() -> None:
    check_split(
        [0, 1], [2, 3], persons=PERSONS, ids=IDS, sources=[""] * 4, digests=["p", "q", "r", "s"], fitted_on=IDS[:2]
    )


def test_a_person_on_both_sides_is_refused_and_named_with_the_fold() -> None:
    with pytest.raises(LeakError, match="samm:6") as caught:
        check_split([0, 2], [1, 3], persons=PERSONS, fold="fold 3")
    assert "fold 3" in str(caught.value)


def test_a_clip_on_both_sides_is_refused_even_in_a_subject_dependent_split() -> None:
    with pytest.raises(LeakError, match="clip is on both sides"):
        check_split([0, 1], [1, 2], persons=PERSONS, subject_dependent=True)
    with pytest.raises(LeakError, match="samm/6/a"):
        check_split([0], [1], persons=PERSONS, ids=["samm/6/a", "samm/6/a", *IDS[2:]], subject_dependent=True)


def test_a_clip_that_would_count_twice_is_refused() -> None:
    with pytest.raises(LeakError, match="more than once"):
        check_split([0, 1], [2, 2], persons=PERSONS)


def test_an_augmented_copy_of_a_test_clip_is_refused_in_training() -> None:
    persons = ["samm:6", "smic:1", "smic:1 (flipped)"]
    with pytest.raises(LeakError, match="Copies of one clip") as caught:
        check_split([0, 2], [1], persons=persons, ids=["a", "b", "b-flipped"], sources=["", "", "b"])
    assert "split first and augment then" in str(caught.value)
    check_split([0], [1, 2], persons=persons, ids=["a", "b", "b-flipped"], sources=["", "", "b"])


def test_two_copies_of_a_clip_that_is_not_there_itself_are_kept_together() -> None:
    with pytest.raises(LeakError, match="Copies"):
        check_split([0], [1], persons=["x", "y"], ids=["b-1", "b-2"], sources=["b", "b"])


def test_the_same_input_under_two_names_is_refused() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
    maps[3] = maps[0]
    with pytest.raises(LeakError, match=r"smic/2/a = samm/6/a"):
        check_split([0, 1], [2, 3], persons=PERSONS, ids=IDS, digests=input_digests(maps))


def test_maps_without_motion_are_no_copies_of_each_other() -> None:
    maps = np.zeros((4, 3, 8, 8), np.float32)
    assert input_digests(maps) == [""] * 4
    check_split([0, 1], [2, 3], persons=PERSONS, ids=IDS, digests=input_digests(maps))


def test_zero_with_a_sign_is_zero_and_pictures_are_digested_too() -> None:
    first, second = input_digests(np.array([[0.0, 1.0], [-0.0, 1.0]]))
    assert first == second
    pictures = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    assert len(set(input_digests(pictures))) == 2


def _copies() -> dict[str, np.ndarray]:
    """One map, and what may have become of it before it was entered as somebody else's."""
    map_ = np.random.default_rng(3).normal(size=(3, 28, 28))
    low, high = map_.min(axis=(1, 2), keepdims=True), map_.max(axis=(1, 2), keepdims=True)
    in_eight_bits = np.round((map_ - low) / (high - low) * 255)
    return {
        "itself": map_,
        "three times as large": 3 * map_,
        "in other units, each channel": map_ * np.array([2.0, 0.1, 7.0])[:, None, None] + 5,
        "in eight bits": in_eight_bits,
        "mirrored": map_[:, :, ::-1] * np.array([-1, 1, 1])[:, None, None],
        "in eight bits, mirrored": np.abs(in_eight_bits[:, :, ::-1] - np.array([255, 0, 0])[:, None, None]),
    }


@pytest.mark.parametrize("kind", list(_copies()))
def test_a_stretched_rounded_or_mirrored_copy_under_another_name_is_refused(kind: str) -> None:
    others = np.random.default_rng(4).normal(size=(3, 3, 28, 28))
    maps = np.concatenate([_copies()["itself"][None], others[:2], _copies()[kind][None]]).astype(np.float32)
    with pytest.raises(LeakError, match=r"smic/2/a = samm/6/a"):
        check_split([0, 1], [2, 3], persons=PERSONS, ids=IDS, digests=copy_digests(maps))


def test_maps_that_are_merely_similar_are_no_copies() -> None:
    rng = np.random.default_rng(5)
    map_ = rng.normal(size=(3, 28, 28))
    shifted, noisy = np.roll(map_, 1, axis=2), map_ + rng.normal(0, 0.1, map_.shape)
    upside_down, two_of_three = map_[:, ::-1], np.concatenate([map_[:2], rng.normal(size=(1, 28, 28))])
    maps = np.stack([map_, shifted, noisy, upside_down, two_of_three, np.zeros_like(map_)])
    digests = copy_digests(maps)
    assert len(set(digests)) == 6
    assert digests[5] == ""
    # Of pictures and of short lists of numbers only equal ones are the same.
    pictures = np.arange(3 * 64, dtype=np.uint8).reshape(3, 1, 8, 8)
    assert copy_digests(pictures) == input_digests(pictures)
    assert copy_digests([[1.0, 2.0], [2.0, 4.0]]) == input_digests([[1.0, 2.0], [2.0, 4.0]])


def test_copies_of_copies_are_found_in_a_long_list_and_have_one_digest() -> None:
    maps = np.random.default_rng(6).normal(size=(300, 2, 12, 12)).astype(np.float32)
    maps[250] = maps[7] * 2
    maps[120] = maps[250][:, :, ::-1]
    digests = copy_digests(maps)
    assert digests[7] == digests[250] == digests[120]
    assert len(set(digests)) == 298


def test_a_copy_of_a_copy_is_a_copy_of_the_first_however_its_note_is_written() -> None:
    clips = [
        Clip("samm", "006", "a", person="samm:6"),
        Clip("samm", "006", "a-flipped", person="samm:6", notes=("Copy of SAMM/6/a",)),
        Clip("extra", "9", "a", person="extra:9", notes=("copy of samm/006/a-flipped",)),
    ]
    roster = Roster.of(clips)
    assert roster.sources == ("", "samm/006/a", "samm/006/a-flipped")
    with pytest.raises(LeakError, match=r"Copies of one clip[\s\S]*samm/006/a"):
        split_by("loso", roster)
    # Two clips that name each other are one clip, whichever it was.
    ring = {"persons": ["x", "y"], "ids": ["a", "b"], "sources": ["b", "a"]}
    with pytest.raises(LeakError, match="Copies"):
        check_split([0], [1], **ring)


def test_normalisation_that_was_fitted_on_test_clips_is_refused() -> None:
    values = np.random.default_rng(1).normal(size=(4, 5))
    everybody = Scaler.fit(values, IDS)
    with pytest.raises(LeakError, match="fitted on test clips"):
        check_fitted(everybody.fitted_on, IDS[2:])
    with pytest.raises(LeakError, match="fitted on test clips"):
        check_split([0, 1], [2, 3], persons=PERSONS, ids=IDS, fitted_on=everybody.fitted_on)
    check_split([0, 1], [2, 3], persons=PERSONS, ids=IDS, fitted_on=Scaler.fit(values[:2], IDS[:2]).fitted_on)


def test_a_scaler_centres_and_scales_what_it_was_fitted_on() -> None:
    values = np.random.default_rng(2).normal(3, 2, size=(50, 4))
    scaled = Scaler.fit(values, [str(n) for n in range(50)])(values)
    assert np.allclose(scaled.mean(axis=0), 0)
    assert np.allclose(scaled.std(axis=0), 1)
    with pytest.raises(UsageError):
        Scaler.fit(values, ["a"])


def test_a_protocol_checks_its_folds_for_copies_inputs_and_statistics() -> None:
    clips = [
        Clip("samm", "6", "a", person="samm:6"),
        Clip("smic", "1", "a", person="smic:1"),
        # A copy that was entered as somebody else's clip.
        Clip("extra", "9", "a", person="extra:9", notes=("magnified 10 times", "copy of samm/6/a")),
    ]
    roster = Roster.of(clips)
    assert roster.sources == ("", "", "samm/6/a")
    with pytest.raises(LeakError, match="Copies of one clip"):
        split_by("loso", roster)
    originals = Roster.of(clips[:2])
    with pytest.raises(LeakError, match="same input"):
        split_by("loso", originals, digests=["x", "x"])
    with pytest.raises(LeakError, match="fold samm:6"):
        split_by("loso", originals, fitted_on=["samm/6/a"])
    assert len(split_by("loso", originals, digests=["x", "y"]).folds) == 2


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=20), st.data())
def test_the_guard_passes_exactly_the_splits_whose_sides_share_nobody(persons: list[str], data: st.DataObject) -> None:
    test = data.draw(st.sets(st.integers(0, len(persons) - 1), min_size=1))
    train = [row for row in range(len(persons)) if row not in test]
    shared = {persons[row] for row in train} & {persons[row] for row in test}
    if shared:
        with pytest.raises(LeakError):
            check_split(train, sorted(test), persons=persons)
    else:
        check_split(train, sorted(test), persons=persons)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"train": [0], "test": [4]}, "out of range"),
        ({"train": [-1], "test": [1]}, "out of range"),
        ({"train": [0.5], "test": [1]}, "row numbers"),
        ({"train": [0], "test": [2], "ids": ["a"]}, "one entry a clip"),
        ({"train": [0], "test": [2], "sources": ["a"]}, "one entry a clip"),
    ],
)
def test_lists_that_do_not_fit_are_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_split(persons=PERSONS, **arguments)
