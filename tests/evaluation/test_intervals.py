"""Intervals over persons, and paired tests between two runs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from merprep.errors import UsageError
from merprep.evaluation import bootstrap, mcnemar, paired_test, person_counts, scores_of_counts, uar, uf1

PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from("abcd")), min_size=1, max_size=40)


def _drawn(people: int, clips: int, right: float, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, people * clips)
    guess = rng.integers(0, 3, people * clips)
    said = np.where(rng.random(people * clips) < right, truth, guess)
    return truth, said, [f"p:{n // clips}" for n in range(people * clips)]


@given(PAIRS)
def test_scores_from_counts_of_persons_are_the_pooled_scores(rows: list[tuple[int, int, str]]) -> None:
    truth, said, persons = (list(values) for values in zip(*rows, strict=True))
    names, counts = person_counts(truth, said, persons, 3)
    assert sorted(names) == sorted(set(persons))
    found = scores_of_counts(counts.sum(axis=0))
    right = np.mean(np.array(truth) == np.array(said))
    assert found == pytest.approx([uf1(truth, said, 3), uar(truth, said, 3), right])


@pytest.mark.filterwarnings("error")
def test_an_interval_holds_the_score_and_narrows_with_people() -> None:
    spans = []
    for people in (10, 160):
        truth, said, persons = _drawn(people, 5, 0.6, seed=3)
        found = bootstrap(truth, said, persons, 3, resamples=800)
        assert found.uf1[0] < uf1(truth, said, 3) < found.uf1[1]
        assert found.uar[0] < uar(truth, said, 3) < found.uar[1]
        spans.append(found.uf1[1] - found.uf1[0])
    assert spans[1] < spans[0] / 2


def test_an_interval_covers_the_true_accuracy_about_as_often_as_it_says() -> None:
    # A right answer has probability 0.6 + 0.4 / 3; persons are independent, so 95 % intervals should mostly hold it.
    expected, inside = 0.6 + 0.4 / 3, 0
    for seed in range(60):
        truth, said, persons = _drawn(40, 4, 0.6, seed)
        low, high = bootstrap(truth, said, persons, 3, resamples=300, seed=seed).accuracy
        inside += low <= expected <= high
    assert inside >= 51


def test_intervals_are_seeded_and_clips_of_a_person_are_drawn_together() -> None:
    truth, said, persons = _drawn(12, 6, 0.5, seed=1)
    assert bootstrap(truth, said, persons, 3) == bootstrap(truth, said, persons, 3)
    # One person who is always right and one who is always wrong: every resample is all, half or nothing.
    found = bootstrap([0, 1] * 4, [0, 1] * 2 + [1, 0] * 2, ["a"] * 4 + ["b"] * 4, 2)
    assert found.accuracy == (0.0, 1.0)


def test_several_seeds_are_averaged_inside_each_resample() -> None:
    truth, said, persons = _drawn(12, 4, 0.5, seed=2)
    once = bootstrap(truth, said, persons, 3)
    assert bootstrap(truth, np.stack([said, said]), persons, 3) == once


def test_one_person_says_nothing_about_others() -> None:
    assert bootstrap([0, 1], [0, 1], ["a", "a"], 2) is None
    found = paired_test([0, 1], [0, 1], [0, 0], ["a", "a"], 2)
    assert found.interval == {}
    assert found.p["uf1"] == 1


@pytest.mark.parametrize("arguments", [{"resamples": 0}, {"confidence": 1.0}, {"persons": ["a"]}])
def test_settings_of_an_interval_that_make_no_sense_are_refused(arguments: dict[str, object]) -> None:
    values = {"y_true": [0, 1], "y_pred": [0, 1], "persons": ["a", "b"], "n_classes": 2, **arguments}
    with pytest.raises(UsageError):
        bootstrap(**values)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_the_permutation_test_counts_all_ways_of_swapping_persons(seed: int, people: int) -> None:
    truth, first, persons = _drawn(people, 3, 0.7, seed)
    second = _drawn(people, 3, 0.4, seed + 1)[1]
    found = paired_test(truth, first, second, persons, 3, resamples=100)
    assert found.exact
    observed = uf1(truth, first, 3) - uf1(truth, second, 3)
    assert found.difference["uf1"] == pytest.approx(observed)
    count = 0
    for swapped in itertools.product([False, True], repeat=people):
        mask = np.repeat(swapped, 3)
        ours, theirs = np.where(mask, second, first), np.where(mask, first, second)
        count += abs(uf1(truth, ours, 3) - uf1(truth, theirs, 3)) >= abs(observed) - 1e-12
    assert found.p["uf1"] == pytest.approx(count / 2**people)


def test_the_test_is_symmetric_and_equal_runs_do_not_differ() -> None:
    truth, first, persons = _drawn(30, 4, 0.7, 5)
    second = _drawn(30, 4, 0.5, 6)[1]
    ours, theirs = paired_test(truth, first, second, persons, 3), paired_test(truth, second, first, persons, 3)
    assert ours.p == pytest.approx(theirs.p)
    assert ours.difference["uf1"] == pytest.approx(-theirs.difference["uf1"])
    same = paired_test(truth, first, first, persons, 3)
    assert same.p == {"uf1": 1.0, "uar": 1.0, "accuracy": 1.0}
    assert same.interval["uf1"] == (0.0, 0.0)
    assert same.mcnemar.p == 1


def test_a_clear_difference_is_found_and_chance_is_not() -> None:
    truth, first, persons = _drawn(40, 5, 0.8, 7)
    assert paired_test(truth, first, _drawn(40, 5, 0.2, 8)[1], persons, 3).p["uf1"] < 0.01
    low = 0
    for seed in range(40):
        truth, first, persons = _drawn(20, 4, 0.6, 100 + seed)
        rng = np.random.default_rng(seed)
        second = np.where(rng.random(len(truth)) < 0.6, truth, rng.integers(0, 3, len(truth)))
        low += paired_test(truth, first, second, persons, 3, resamples=400, seed=seed).p["uf1"] < 0.1
    assert low <= 9


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(first_only: int, second_only: int) -> None:
    truth = np.zeros(first_only + second_only + 3, int)
    first, second = truth.copy(), truth.copy()
    second[:first_only] = 1
    first[first_only : first_only + second_only] = 1
    found = mcnemar(truth, first, second)
    assert (found.first_only, found.second_only) == (first_only, second_only)
    total = first_only + second_only
    assert found.p == pytest.approx(binomtest(first_only, total).pvalue if total else 1.0)


def test_mcnemar_takes_thousands_of_clips() -> None:
    truth = np.zeros(5000, int)
    assert 0 <= mcnemar(truth, truth, np.ones(5000, int)).p < 1e-300


def test_runs_of_different_shape_are_refused() -> None:
    with pytest.raises(UsageError):
        paired_test([0, 1], [0, 1], [[0, 1], [0, 1]], ["a", "b"], 2)
    with pytest.raises(UsageError):
        mcnemar([0, 1], [0, 1], [0])
