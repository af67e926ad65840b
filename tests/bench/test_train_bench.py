"""The cost of folds is measured on maps that anybody can make."""

import pytest

from merprep.bench.train import random_features, train_cost
from merprep.store import open_features


def test_random_features_have_the_composites_persons(tmp_path):
    with open_features(random_features(tmp_path / "f.h5", clips=12, persons=4)) as file:
        assert len(file) == 12
        assert file.clips["person"].nunique() == 4


@pytest.mark.slow
def test_folds_alone_and_side_by_side_are_timed_and_compared_in_one_run():
    (row,) = train_cost([("flow-cnn", "sanity")], folds=2, epochs=1, jobs=1)
    assert (row.model, row.folds, row.epochs, row.jobs) == ("flow-cnn", 2, 1, 1)
    assert row.ratio == row.alone / row.together
    assert row.difference < 0.02
