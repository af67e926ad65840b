"""Runs on action units: one yes or no a unit, scored together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.errors import TrainingError, UnknownNameError, UsageError
from merprep.evaluation import unit_scores
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, Workspace, write_features
from merprep.training import FeatureDataset, train, train_units


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Six people of two databases; AU 4 moves the upper half, AU 12 the lower half, AU 20 is one person's."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(6):
        database = ("casme2", "samm")[number % 2]
        for index, coding in enumerate(("4", "12B", "R4+L12", "ref(4)+17", "")):
            maps = rng.normal(0, 0.5, (3, 8, 8)).astype(np.float32)
            maps[0, :4] += 4 * (coding in ("4", "R4+L12"))
            maps[1, 4:] += 4 * ("12" in coding)
            units = coding + ("+20" if number == 1 and coding else "")
            clip = Clip(database, f"s{number}", f"c{index}", person=f"{database}:{number}", action_units=units)
            rows.append((clip, ClipFeatures(maps)))
    header = FeatureHeader(("u", "v", "strain"), ("px", "px", "1/px"), "none", {"made": "by a test"})
    write_features(Workspace(tmp_path).features_path("flow", "0" * 8), header, rows, len(rows))
    return tmp_path


def _features(workspace: Path) -> Path:
    return next((workspace / "features").glob("*.h5"))


def test_units_are_learnt_by_leaving_a_database_out_and_scored_together(workspace: Path) -> None:
    result = train_units(_features(workspace), model="svm", units=(4, 12, 20), runs_folder=workspace / "runs", seeds=2)
    assert result.full["n"] == 24
    assert result.full["units"]["4"]["f1"] > 0.8
    assert result.full["units"]["12"]["f1"] > 0.8
    assert result.full["units"]["4"]["clips"] == 12
    assert set(result.databases) == {"casme2", "samm"}
    assert result.full["mean_f1"] == pytest.approx(np.mean([unit["f1"] for unit in result.full["units"].values()]))
    columns, rows = result.table()
    assert [row[0] for row in rows] == ["AU 4", "AU 12", "AU 20", "mean", "mean, casme2", "mean, samm"]
    assert all(len(row) == len(columns) for row in rows)
    assert json.loads(json.dumps(result.as_json())) == result.as_json()
    assert json.loads((result.run / "units.json").read_text(encoding="utf-8"))["full"] == result.full


def test_a_unit_that_one_side_never_shows_is_named_and_counts_as_never_said(workspace: Path) -> None:
    result = train_units(_features(workspace), model="svm", units=(4, 20), runs_folder=workspace / "runs")
    assert result.full["units"]["20"] == {"f1": 0, "precision": 0, "recall": 0, "clips": 4}
    assert any("AU 20 was not trained" in note and "4 of 24 clips" in note for note in result.notes)
    with pytest.raises(TrainingError, match="No action unit can be learnt"):
        train_units(_features(workspace), model="svm", units=(20, 45), runs_folder=workspace / "runs")
    with pytest.raises(UsageError):
        train_units(_features(workspace), model="svm", units=(), runs_folder=workspace / "runs")


def test_the_scores_are_those_of_the_predictions_file(workspace: Path) -> None:
    result = train_units(
        _features(workspace), model="svm", units=(4, 12), runs_folder=workspace / "runs", protocol="loso"
    )
    table = pd.read_csv(result.run / "predictions.csv")
    found = unit_scores(table[["truth_4", "truth_12"]], table[["prediction_4", "prediction_12"]], (4, 12))
    assert found.mean_f1 == pytest.approx(result.full["mean_f1"])


def test_a_model_that_never_says_yes_scores_nothing_and_has_no_epoch_to_choose(workspace: Path) -> None:
    result = train_units(
        _features(workspace), model="majority", units=(4,), runs_folder=workspace / "runs", protocol="kfold-2"
    )
    assert result.optimistic is None
    assert result.full["mean_f1"] == 0


def test_one_unit_is_a_scheme_by_itself_and_clips_that_nobody_coded_have_no_label(workspace: Path) -> None:
    dataset = FeatureDataset(_features(workspace), "au-12")
    assert (dataset.scheme, dataset.classes) == ("au-12", ("absent", "present"))
    assert dataset.skipped == {"no action unit is annotated": 6}
    assert dataset.labels.sum() == 12
    result = train(_features(workspace), model="svm", scheme="AU-12", run_folder=workspace / "run")
    assert result.scheme == "au-12"
    assert result.full["uf1"] > 0.8
    with pytest.raises(UnknownNameError):
        FeatureDataset(_features(workspace), "au-x")


def test_units_are_trained_from_the_command_line(workspace: Path) -> None:
    arguments = ["train", "--model", "svm", "--scheme", "action-units", "--protocol", "hde", "-w", str(workspace)]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.stdout
    values = json.loads(result.stdout)
    assert values["full"]["units"]["12"]["f1"] > 0.8
    assert len(values["units"]) == 12
    assert "AU 17" in CliRunner().invoke(app, arguments).stdout
