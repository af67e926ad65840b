"""`train`, `predict` and `compare` as typed: what is listed, printed as JSON, and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from merprep.cli.app import app
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, Workspace, write_features

runner = CliRunner()
CLASSES = ("negative", "positive", "surprise")


def _run(*arguments: object) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


def _json(*arguments: object) -> dict[str, object]:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Four people of two databases, six maps each, whose level tells the class."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(4):
        database = ("casme2", "samm")[number % 2]
        for index, emotion in enumerate(CLASSES * 2):
            maps = rng.normal(CLASSES.index(emotion), 0.7, (3, 28, 28)).astype(np.float32)
            clip = Clip(database, f"s{number}", f"c{index}", person=f"{database}:{number}", emotion=emotion)
            rows.append((clip, ClipFeatures(maps)))
    header = FeatureHeader(("u", "v", "strain"), ("px", "px", "1/px"), "none", {"made": "by a test"})
    write_features(Workspace(tmp_path).features_path("flow", "0" * 8), header, rows, len(rows))
    return tmp_path


def test_what_there_is_to_choose_from_is_listed_without_a_workspace(tmp_path: Path) -> None:
    values = _json("train", "--list", "-w", tmp_path)
    assert {"htnet", "svm", "majority"} <= set(values["models"])
    assert "published" in values["models"]["htnet"]
    assert {"loso", "hde"} <= set(values["protocols"])
    assert values["selections"] == ["last", "inner", "test-oracle"]
    assert "megc2019" in values["schemes"]
    printed = _run("train", "--list").stdout
    assert "dfme-official" in printed
    assert "samplewise" in printed


def test_train_prints_the_promised_document_and_extra_keys_beside_it(workspace: Path) -> None:
    values = _json("train", "--model", "svm", "--protocol", "hde", "-w", workspace)
    assert {"model", "preset", "protocol", "selection", "seeds", "full", "databases", "optimistic", "run"} <= set(
        values
    )
    assert {"uf1", "uar", "accuracy", "n", "sd", "interval", "persons", "recall", "precision", "f1"} <= set(
        values["full"]
    )
    assert values["optimistic"] is None
    assert values["published"] == []
    assert set(values["databases"]) == {"casme2", "samm"}
    assert values["subject_dependent"] is False


def test_a_subject_dependent_run_is_stamped_on_the_screen(workspace: Path) -> None:
    printed = _run("train", "--model", "svm", "--protocol", "samplewise-3", "-w", workspace).stdout
    assert printed.count("SUBJECT-DEPENDENT") == 2


def test_a_protocol_that_is_none_names_those_that_are(workspace: Path) -> None:
    result = _run("train", "--model", "svm", "--protocol", "losso", "-w", workspace)
    assert result.exit_code == 2
    assert "hold-out" in result.stderr


def test_two_runs_are_compared(workspace: Path) -> None:
    runs = [_json("train", "--model", model, "-w", workspace)["run"] for model in ("svm", "majority")]
    values = _json("compare", *runs)
    assert values["difference"]["uf1"] > 0.2
    assert values["mcnemar"]["first_only"] > values["mcnemar"]["second_only"]
    printed = _run("compare", *runs).stdout
    assert "swapping" in printed
    assert _run("compare", runs[0], workspace).exit_code == 2


def test_a_final_model_predicts_and_the_table_is_written_whole(workspace: Path) -> None:
    run = _json("train", "--model", "svm", "--final", "-w", workspace)["run"]
    [features] = (workspace / "features").glob("*.h5")
    values = _json("predict", run, features, "--out", workspace / "new.csv")
    assert len(values["predictions"]) == 24
    assert values["scores"] is None
    assert "fitted on" in values["notes"][0]
    table = pd.read_csv(workspace / "new.csv")
    assert {"person", "truth", "prediction", "probability_negative"} <= set(table.columns)
    assert "fitted on" in _run("predict", run, features).stdout


def test_predictions_of_a_run_are_scored_as_the_run_was(workspace: Path) -> None:
    values = _json("train", "--model", "svm", "--seeds", "2", "-w", workspace)
    found = _json("score", Path(values["run"]) / "predictions.csv", "--scheme", "3")
    assert found["full"] == values["full"]
    assert found["databases"] == values["databases"]
    assert found["seeds"] == 2


def test_predictions_from_elsewhere_are_scored_with_what_they_have(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("truth, prediction\nhappy,happy\nsad,happy\n", encoding="utf-8")
    found = _json("score", path, "--classes", "happy, sad, surprise")
    assert found["full"]["accuracy"] == 0.5
    assert found["full"]["interval"] is None
    assert "surprise" in found["full"]["note"]
    assert found["databases"] == {}
    assert "not counted" in _run("score", path).stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("truth,said\na,b\n", "columns truth and prediction"),
        ("truth,prediction\na,z\n", "not declared"),
        ("id,truth,prediction\n1,a,a\n1,a,b\n", "more than once"),
        ("id,seed,truth,prediction\n1,0,a,a\n1,1,b,b\n", "truth differs"),
        ("truth,prediction\na,a\n,b\n", "1 of 2, such as row 2"),
        ("truth,prediction\na, \nb,b\n", "1 of 2, such as row 1"),
        ("truth,prediction,trained_on\na,a,False\nb,b,True\n", "no test of it"),
        ("id,seed,truth,prediction\n1,0,a,a\n2,1,b,b\n2,0,b,b\n", "Every seed"),
    ],
)
def test_tables_that_cannot_be_scored_say_why(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    result = _run("score", path, "--classes", "a,b")
    assert result.exit_code == 2
    assert words in result.stderr
    assert _run("score", tmp_path / "nowhere.csv").exit_code == 2
