"""Scores of action units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from merprep.errors import UsageError
from merprep.evaluation import CROSS_DATABASE_UNITS, unit_matrix, unit_scores, unit_scores_by

UNITS = (4, 12, 17)
ROWS = st.lists(st.tuples(*[st.booleans()] * 6), min_size=1, max_size=40)


@given(ROWS)
def test_binary_f1_of_each_unit_agrees_with_scikit_learn(rows: list[tuple[bool, ...]]) -> None:
    values = np.array(rows)
    truth, said = values[:, :3], values[:, 3:]
    found = unit_scores(truth, said, UNITS)
    for column, unit in enumerate(UNITS):
        assert found.f1[unit] == pytest.approx(f1_score(truth[:, column], said[:, column], zero_division=0))
    assert found.mean_f1 == pytest.approx(f1_score(truth, said, average="macro", zero_division=0))
    assert found.n == len(rows)


def test_codings_are_read_as_coders_write_them() -> None:
    found = unit_matrix(["R12A+ref(17)", "4 or 12", "4,17,", "", "AU4(k)+L17"], UNITS)
    assert found.astype(int).tolist() == [[0, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert unit_matrix([], UNITS).shape == (0, 3)
    assert len(CROSS_DATABASE_UNITS) == 12


def test_a_unit_that_nobody_shows_counts_zero_and_is_noted() -> None:
    found = unit_scores([[1, 0, 0]], [[1, 0, 0]], UNITS).as_json()
    assert found["mean_f1"] == pytest.approx(1 / 3)
    assert found["note"].endswith("AU 12, 17")


def test_databases_are_scored_by_themselves() -> None:
    truth, said = [[1, 0, 0], [0, 1, 1]], [[1, 0, 0], [0, 0, 1]]
    found = unit_scores_by(truth, said, ["samm", "casme2"], UNITS)
    assert found["samm"] == unit_scores(truth[:1], said[:1], UNITS)
    assert found["casme2"].support == {4: 0, 12: 1, 17: 1}


@pytest.mark.parametrize(
    ("truth", "said"),
    [([[1, 0]], [[1, 0]]), ([[1, 0, 2]], [[1, 0, 0]]), ([[1, 0, 0]], [[1, 0, 0]] * 2), ([1, 0, 0], [1])],
)
def test_what_is_no_yes_or_no_of_each_unit_is_refused(truth: list[object], said: list[object]) -> None:
    with pytest.raises(UsageError):
        unit_scores(truth, said, UNITS)
