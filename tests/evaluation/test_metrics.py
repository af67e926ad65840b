"""Scores of pooled predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.metrics import confusion_matrix as reference_confusion

from merprep.errors import UsageError
from merprep.evaluation import Scores, accuracy, confusion_matrix, over_seeds, pooled, uar, uf1

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(PAIRS)
def test_scores_agree_with_scikit_learn_over_the_declared_classes(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs).T
    labels = list(range(4))
    assert uf1(truth, predicted, 4) == pytest.approx(
        f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)
    )
    assert uar(truth, predicted, 4) == pytest.approx(
        recall_score(truth, predicted, labels=labels, average="macro", zero_division=0)
    )
    assert accuracy(truth, predicted, 4) == pytest.approx(accuracy_score(truth, predicted))
    assert np.array_equal(confusion_matrix(truth, predicted, 4), reference_confusion(truth, predicted, labels=labels))


@given(PAIRS, st.randoms(use_true_random=False))
def test_pooled_scores_do_not_depend_on_the_order_of_folds(pairs: list[tuple[int, int]], random: object) -> None:
    folds = [([truth], [predicted]) for truth, predicted in pairs]
    shuffled = list(folds)
    random.shuffle(shuffled)
    assert uf1(*pooled(folds), 4) == uf1(*pooled(shuffled), 4)
    assert uar(*pooled(folds), 4) == uar(*pooled(shuffled), 4)


def test_the_confusion_matrix_stored_with_htnet_gives_its_recomputed_scores() -> None:
    # Rows are truth; recomputed from the predictions in the released repository (facts of HTNet, stored predictions).
    counts = np.array([[237, 3, 10], [25, 76, 8], [12, 4, 67]])
    truth = np.repeat(np.repeat([0, 1, 2], 3), counts.ravel())
    predicted = np.repeat(np.tile([0, 1, 2], 3), counts.ravel())
    assert round(uf1(truth, predicted, 3), 4) == 0.8313
    assert round(uar(truth, predicted, 3), 4) == 0.8175
    assert round(accuracy(truth, predicted, 3), 4) == 0.8597


def test_a_class_absent_from_truth_and_prediction_counts_zero_and_is_noted() -> None:
    scores = Scores.of([0, 1, 0, 1], [0, 1, 0, 1], ("negative", "positive", "surprise"))
    assert scores.full.uf1 == pytest.approx(2 / 3)
    assert scores.full.absent == ("surprise",)
    assert "surprise" in scores.as_json()["full"]["note"]
    assert "note" not in Scores.of([0, 1], [0, 1], ("a", "b")).as_json()["full"]


def test_scores_by_database_are_those_of_its_clips_alone() -> None:
    truth, predicted, names = [0, 1, 1, 0], [0, 1, 0, 0], ["x", "x", "y", "y"]
    scores = Scores.of(truth, predicted, ("a", "b"), databases=names)
    assert scores.databases["x"].accuracy == 1
    assert scores.databases["y"] == Scores.of(truth[2:], predicted[2:], ("a", "b")).full


def test_the_mean_over_seeds_carries_a_sample_standard_deviation() -> None:
    runs = [Scores.of([0, 1], predicted, ("a", "b"), databases=["x", "x"]) for predicted in ([0, 1], [0, 0], [1, 0])]
    mean = over_seeds(runs)
    values = [run.full.uf1 for run in runs]
    assert mean["full"]["uf1"] == pytest.approx(np.mean(values))
    assert mean["full"]["sd"]["uf1"] == pytest.approx(np.std(values, ddof=1))
    assert mean["full"]["n"] == 2
    assert mean["databases"]["x"]["uf1"] == mean["full"]["uf1"]
    assert over_seeds(runs[:1])["full"]["sd"]["uf1"] == 0


@pytest.mark.parametrize(
    ("truth", "predicted", "classes"),
    [([0, 1], [0], 2), ([0, 3], [0, 1], 3), ([0, -1], [0, 1], 3), ([0.5], [0], 2), (["a"], [0], 2), ([0], [0], 0)],
)
def test_lists_that_are_no_predictions_are_refused(truth: list[object], predicted: list[int], classes: int) -> None:
    with pytest.raises(UsageError):
        uf1(truth, predicted, classes)


def test_no_seed_at_all_is_refused() -> None:
    with pytest.raises(UsageError):
        over_seeds([])
