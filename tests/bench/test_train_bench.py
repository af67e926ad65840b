"""The cost of folds is measured on maps that anybody can make."""

from merprep.bench.train import random_features, train_cost
from merprep.store import open_features


def test_random_features_have_the_composites_persons(tmp_path):
    with open_features(random_features(tmp_path / "f.h5", clips=12, persons=4)) as file:
        assert len(file) == 12
        assert file.clips["person"].nunique() == 4


def test_each_preset_and_number_of_workers_is_one_row():
    rows = train_cost([("majority", "published")], folds=2, jobs=(1,))
    assert [(row.model, row.folds, row.jobs) for row in rows] == [("majority", 2, 1)]
    assert rows[0].seconds_per_fold > 0
