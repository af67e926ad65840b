"""`merprep train`: a plan without training, folds side by side, precision and capture, as typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from merprep.cli.app import app
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, Workspace, write_features

CLASSES = ("negative", "positive", "surprise")
_SMALL = ("--model", "htnet", "--preset", "sanity", "--epochs", "2", "--jobs", "1", "--device", "cpu")


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _json(*arguments: object) -> dict[str, Any]:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.stdout + result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Four people of two databases with seven clips each, one of them without a class; action units, too."""
    rng, rows = np.random.default_rng(0), []
    for number in range(4):
        database = ("casme2", "samm")[number % 2]
        for index, emotion in enumerate((*CLASSES * 2, "others")):
            maps = rng.normal(size=(3, 28, 28)).astype(np.float32)
            units = "12" if index % 2 else "4"
            clip = Clip(
                database, f"s{number}", f"c{index}", person=f"{database}:{number}", emotion=emotion, action_units=units
            )
            rows.append((clip, ClipFeatures(maps)))
    header = FeatureHeader(("u", "v", "strain"), ("px", "px", "1/px"), "none", {"made": "by a test"})
    write_features(Workspace(tmp_path).features_path("flow", "0" * 8), header, rows, len(rows))
    return tmp_path


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_plan_says_what_would_be_trained_and_what_is_finished_and_writes_nothing(workspace: Path) -> None:
    words = ("train", *_SMALL, "--seeds", "2", "-w", workspace)
    before = _files(workspace)
    (plan,) = _json(*words, "--dry-run")["plan"]
    assert _files(workspace) == before
    assert (plan["to_do"], plan["finished"], plan["folds"], plan["seeds"]) == (8, 0, 4, 2)
    assert (plan["clips"], plan["persons"]) == (24, 4)
    assert plan["classes"] == dict.fromkeys(CLASSES, 8)
    assert (plan["parameters"], plan["members"], plan["epochs"]) == (358_406, 1, 2)
    assert (plan["device"], plan["precision"], plan["stack"], plan["jobs"]) == ("cpu", "float32", 4, 1)
    assert plan["seconds"] is None
    assert any("4 clips have no label" in note for note in plan["notes"])

    done = _json("train", *_SMALL, "--max-folds", "3", "-w", workspace)
    assert done["run"] == plan["output"], "the plan names the run's own folder"
    (plan,) = _json(*words, "--dry-run")["plan"]
    assert (plan["to_do"], plan["finished"]) == (5, 3)
    assert plan["seconds"] > 0, "the finished folds tell how long one takes"
    (other,) = _json(*words, "--dry-run", "--epochs", "3")["plan"]
    assert (other["to_do"], other["finished"]) == (8, 0)
    assert other["output"] != plan["output"]


def test_a_plan_is_told_in_sentences(workspace: Path) -> None:
    printed = _run("train", *_SMALL, "--final", "--dry-run", "-w", workspace).stdout
    assert "4 folds to do" in printed
    assert "24 of 4 persons in megc2019: negative 8, positive 8, surprise 8" in printed
    assert "one network a fold, 358,406 parameters each, from scratch" in printed
    assert "cpu, float32, up to 4 networks side by side, 1 process" in printed
    assert "then one more on everybody" in printed
    assert "nothing was done" in printed
    baseline = _run("train", "--model", "majority", "--dry-run", "-w", workspace).stdout
    assert "parameters" not in baseline
    assert "4 by loso" in baseline


def test_action_units_are_planned_run_by_run(workspace: Path) -> None:
    words = ("train", "--model", "majority", "--scheme", "action-units", "--protocol", "loso", "-w", workspace)
    plans = _json(*words, "--dry-run")["plan"]
    assert [plan["scheme"] for plan in plans] == ["au-4", "au-12"]
    assert {plan["to_do"] for plan in plans} == {4}
    done = _json(*words)
    assert {str(Path(plan["output"]).parent) for plan in plans} == {done["run"]}
    assert {plan["finished"] for plan in _json(*words, "--dry-run")["plan"]} == {4}


def test_folds_stand_side_by_side_as_asked(workspace: Path) -> None:
    (plan,) = _json("train", *_SMALL, "--stack", "1", "--dry-run", "-w", workspace)["plan"]
    assert plan["stack"] == 1
    alone = _json("train", *_SMALL, "--stack", "1", "--max-folds", "2", "-w", workspace)
    assert not any("one by one" in note for note in alone["notes"])
    assert _run("train", *_SMALL, "--stack", "0", "-w", workspace).exit_code == 2
    large = _json("train", "--model", "off-apexnet", "--preset", "sanity", "--stack", "2", "--dry-run", "-w", workspace)
    assert large["plan"][0]["stack"] == 2, "on a CPU only where asked for: above half a million parameters"
    half = _json("train", *_SMALL, "--stack", "2", "--precision", "bfloat16", "--dry-run", "-w", workspace)
    assert half["plan"][0]["stack"] == 1
    assert any("one by one" in note for note in half["plan"][0]["notes"])


def test_precision_and_capture_are_options_and_fields_of_the_study_file(workspace: Path) -> None:
    (plan,) = _json("train", *_SMALL, "--precision", "bfloat16", "--dry-run", "-w", workspace)["plan"]
    assert plan["precision"] == "bfloat16"
    done = _json("train", *_SMALL, "--capture", "--stack", "1", "--max-folds", "1", "-w", workspace)
    assert (done["precision"], done["folds"]) == ("float32", 1)
    (workspace / "merprep.toml").write_text('[train]\nprecision = "bfloat16"\nstack = 2\n', encoding="utf-8")
    (plan,) = _json("train", *_SMALL, "--dry-run", "-w", workspace)["plan"]
    assert (plan["precision"], plan["stack"]) == ("bfloat16", 1)
    assert _run("train", *_SMALL, "--precision", "half", "-w", workspace).exit_code == 2
