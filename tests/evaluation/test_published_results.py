"""Published tables."""

from __future__ import annotations

import subprocess
import sys

from merprep.evaluation import published_table, published_tables


def test_every_published_table_is_valid_and_its_scores_are_fractions() -> None:
    for name in published_tables():
        table = published_table(name)
        assert table.source
        for row in table.results:
            assert row.source
            assert all(
                0 < value < 1 for score in (row.full, *row.databases.values()) for value in (score.uf1, score.uar)
            )


def test_the_composite_table_says_that_htnet_chose_its_epoch_on_the_test_subject() -> None:
    table = published_table("megc2019-composite")
    row = next(row for row in table.of_model("htnet") if row.method == "HTNet")
    assert (row.full.uf1, row.full.uar, row.selection) == (0.8603, 0.8475, "test-oracle")
    assert row.databases["casme2"].uf1 == 0.9532
    port = next(row for row in table.of_model("ststnet") if row.selection == "last")
    assert (port.full.uf1, port.full.uar) == (0.7209, 0.7250)


def test_scoring_and_listing_models_need_neither_torch_nor_opencv() -> None:
    code = (
        "import sys, merprep.evaluation as e, merprep.models as m; e.uf1([0], [0], 2); m.names();"
        "assert not {'torch', 'cv2'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_training_needs_no_opencv() -> None:
    code = "import sys, merprep.training; assert 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
