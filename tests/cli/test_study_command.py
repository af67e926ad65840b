"""`merprep run` does what merprep.toml says, from folders to scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.store import open_features
from merprep.synthetic import write_database


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    write_database("casme2", folder / "data", subjects=3, clips_per_class=1, frames="key", frame_size=(96, 96))
    (folder / "merprep.toml").write_text(
        '[databases.casme2]\nroot = "data"\n[align]\nbackend = "none"\nsize = 64\n'
        '[flow]\nmethod = "farneback"\nsize = 16\njobs = 1\n[train]\nmodel = "svm"\n',
        encoding="utf-8",
    )
    return folder


def test_a_study_runs_from_its_file(study: Path) -> None:
    done = CliRunner().invoke(app, ["run", "-w", str(study), "--json"])
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["train"]["model"] == "svm"
    with open_features(values["features"]) as file:
        assert file.config["method"] == "farneback"
        assert file.config["align"]["backend"] == "none"
        assert file.features.shape[-1] == 16


def test_a_study_without_databases_says_what_to_write(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["run", "-w", str(tmp_path), "--json"])
    assert done.exit_code == 2
    assert "names no database" in json.loads(done.stdout)["error"]["what"]


def test_config_show_tells_the_file_and_what_it_comes_to(study: Path) -> None:
    done = CliRunner().invoke(app, ["config", "show", "-w", str(study), "--json"])
    values = json.loads(done.stdout)
    assert values["file"].endswith("merprep.toml")
    assert (values["flow"]["size"], values["align"]["size"], values["train"]["model"]) == (16, 64, "svm")


def test_what_comes_next_can_be_pasted(study: Path) -> None:
    folder = study.parent / "my study"
    done = CliRunner().invoke(app, ["ingest", "casme2", str(study / "data"), "-w", str(folder)])
    assert f'next: merprep flow --workspace "{folder}"' in done.output
