"""HSTA and Micro-Attention from the command line: what they see is found, or the command that makes it told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.synthetic import write_database


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    write_database("casme2", folder / "data", subjects=2, clips_per_class=1, n_frames=5, frame_size=(96, 96))
    (folder / "merprep.toml").write_text(
        '[databases.casme2]\nroot = "data"\n[align]\nbackend = "none"\nsize = 64\n'
        '[flow]\nmethod = "farneback"\nsize = 28\njobs = 1\n'
        '[train]\nmodel = "hsta"\npreset = "tiny"\nepochs = 1\nmax_folds = 1\njobs = 1\n',
        encoding="utf-8",
    )
    return folder


def _json(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_study_aligns_the_frames_that_its_network_sees(study: Path) -> None:
    workspace = ["-w", str(study)]
    _json("run", "--no-train", *workspace)
    refused = CliRunner().invoke(app, ["train", *workspace, "--json"])
    assert refused.exit_code == 2
    assert "merprep align --frames all" in json.loads(refused.stdout)["error"]["mend"]
    values = _json("run", *workspace)
    assert values["train"]["model"] == "hsta"
    assert values["train"]["start"] == "from scratch"


def test_a_workspace_is_learned_first_by_networks_that_see_flow_too(study: Path) -> None:
    workspace = ["-w", str(study)]
    _json("run", "--no-train", *workspace)
    faces = study / "faces"
    for name, level in (("joy", 60), ("fear", 190)):
        (faces / name).mkdir(parents=True)
        Image.new("L", (40, 40), level).save(faces / name / "one.png")
    values = _json(
        "train",
        "--model",
        "ststnet",
        "--preset",
        "sanity",
        "--pretrain",
        str(study),
        "--pretrain-scheme",
        "3",
        *workspace,
    )
    assert str(values["start"]).startswith("pretrained on 6 clips of 2 persons (3 classes)")
    other = ["train", "--model", "ststnet", "--preset", "sanity", "--pretrain", str(faces)]
    refused = CliRunner().invoke(app, [*other, *workspace, "--json"])
    assert "cannot stand for" in json.loads(refused.stdout)["error"]["what"]
