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
