"""Published tables."""

from __future__ import annotations

import subprocess
import sys

import pytest

from merprep.errors import ConfigError
from merprep.evaluation import published_table, published_tables, tables_beside
from merprep.evaluation.published import PublishedScore


def test_every_published_table_is_valid_and_its_scores_are_fractions() -> None:
    for name in published_tables():
        table = published_table(name)
        assert table.source
        for row in table.results:
            assert row.source
            scores = [score.model_dump(exclude_none=True) for score in (row.full, *row.databases.values())]
            assert all(scores)
            assert all(0 < value < 1 for score in scores for value in score.values())


def test_the_composite_table_says_that_htnet_chose_its_epoch_on_the_test_subject() -> None:
    table = published_table("megc2019-composite")
    row = next(row for row in table.of_model("htnet") if row.method == "HTNet")
    assert (row.full.uf1, row.full.uar, row.selection) == (0.8603, 0.8475, "test-oracle")
    assert row.databases["casme2"].uf1 == 0.9532
    port = next(row for row in table.of_model("ststnet") if row.selection == "last")
    assert (port.full.uf1, port.full.uar) == (0.7209, 0.7250)


def test_a_run_stands_beside_a_table_of_the_same_clips_only() -> None:
    composite = ("casme2", "samm", "smic")
    tables, notes = tables_beside("loso", "megc2019", composite, clips=442, persons=68)
    assert list(tables) == ["megc2019-composite"]
    assert not notes
    tables, notes = tables_beside("loso", "megc2019", composite, clips=441, persons=68)
    assert not tables
    assert "442" in notes[0]
    for other in (
        ("kfold-5", "megc2019", composite),
        ("loso", "unified-5", composite),
        ("loso", "megc2019", ("samm",)),
    ):
        assert tables_beside(*other, clips=442, persons=68) == ({}, [])


def test_tables_whose_scores_are_of_another_kind_are_read_and_never_compared() -> None:
    assert published_table("htnet-ablation").results[0].provenance == "plot"
    assert not published_table("htnet-ablation").compare
    assert published_table("megc2019-composite-accuracy").results[-1].full.accuracy == 0.7692
    fixed, chosen = published_table("epoch-selection").of_model("off-apexnet")
    assert (fixed.selection, chosen.selection) == ("last", "test-oracle")
    assert chosen.full.uf1 > fixed.full.uf1 + 0.1


def test_a_published_score_without_a_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one number"):
        PublishedScore.read({}, where="here")


def test_scoring_and_listing_models_need_neither_torch_nor_opencv() -> None:
    code = (
        "import sys, merprep.evaluation as e, merprep.models as m; e.uf1([0], [0], 2); m.names();"
        "assert not {'torch', 'cv2'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_training_needs_no_opencv() -> None:
    code = "import sys, merprep.training; assert 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
