"""Splits over persons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

from merprep.errors import LeakError, UsageError
from merprep.evaluation import LeaveOneSubjectOut, SubjectKFold, check_disjoint
from merprep.records import person_of

GROUPS = st.lists(st.sampled_from([f"p:{n}" for n in range(9)]), min_size=4, max_size=40).filter(
    lambda g: len(set(g)) > 1
)


@given(GROUPS)
def test_every_clip_is_tested_once_and_never_with_its_own_person_in_training(groups: list[str]) -> None:
    persons = np.array(groups)
    for splitter in (LeaveOneSubjectOut(), SubjectKFold(2)):
        tested = []
        for train, test in splitter.split(groups, groups=groups):
            assert not set(persons[train]) & set(persons[test])
            assert len(train) + len(test) == len(groups)
            tested += test.tolist()
        assert sorted(tested) == list(range(len(groups)))


@given(GROUPS)
def test_leave_one_subject_out_agrees_with_scikit_learn(groups: list[str]) -> None:
    ours = {tuple(test) for _, test in LeaveOneSubjectOut().split(groups, groups=groups)}
    theirs = {tuple(test) for _, test in LeaveOneGroupOut().split(groups, groups=groups)}
    assert ours == theirs
    assert LeaveOneSubjectOut().get_n_splits(groups=groups) == len(set(groups))


def test_scikit_learn_takes_the_splitters() -> None:
    X, y, groups = np.zeros((6, 1)), [0, 1] * 3, ["a", "a", "b", "b", "c", "c"]
    for splitter, folds in ((LeaveOneSubjectOut(), 3), (SubjectKFold(2), 2)):
        assert len(cross_val_score(DummyClassifier(), X, y, groups=groups, cv=splitter)) == folds


def test_subjects_of_one_number_in_two_databases_are_two_persons() -> None:
    groups = [person_of("casme2", "sub06"), person_of("samm", "006"), person_of("samm", "6")]
    assert [test.tolist() for _, test in LeaveOneSubjectOut().split(groups, groups=groups)] == [[0], [1, 2]]


def test_k_folds_are_of_nearly_equal_size() -> None:
    groups = [f"p:{n}" for n in range(10) for _ in range(3)]
    assert {len(test) for _, test in SubjectKFold(5, seed=3).split(groups, groups=groups)} == {6}


@pytest.mark.parametrize("groups", [None, ["a"], ["a", "a", "a"], []])
def test_without_a_second_person_there_is_nobody_to_leave_out(groups: list[str] | None) -> None:
    with pytest.raises(UsageError):
        list(LeaveOneSubjectOut().split([0, 0, 0][: len(groups or [0])], groups=groups))


def test_more_folds_than_persons_are_refused() -> None:
    with pytest.raises(UsageError, match="fewer persons than folds"):
        list(SubjectKFold(3).split([0, 0], groups=["a", "b"]))


def test_a_person_on_both_sides_is_a_leak_and_is_named() -> None:
    with pytest.raises(LeakError, match="casme2:1"):
        check_disjoint(["casme2:1", "samm:6"], ["casme2:1"])
