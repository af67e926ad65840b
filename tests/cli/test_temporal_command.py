from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.stages import ingest
from merprep.store import Workspace, open_features
from merprep.synthetic import write_database


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, mesh_weights: list[Path]) -> Path:
    """Ingest a rendered database of three clips of nine frames."""
    folder = tmp_path_factory.mktemp("temporal_command")
    write_database("casme2", folder / "raw", subjects=1, clips_per_class=1, frame_size=(160, 120), n_frames=9)
    ingest(Workspace(folder / "study"), "casme2", folder / "raw")
    return folder / "study"


def run(study: Path, *arguments: str) -> dict:
    result = CliRunner().invoke(app, [*arguments, "--workspace", str(study), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_frames_are_made_and_flow_computed_from_them_by_their_id(study: Path) -> None:
    made = run(study, "temporal", "--length", "6", "--magnify", "3", "--band", "2,40", "--jobs", "1")
    assert made["counts"]["done"] == 3
    assert Path(made["file"]).is_file()
    features = run(study, "flow", "--temporal", made["id"], "--head-motion", "none", "--jobs", "1")["features"]
    with open_features(features) as file:
        assert file.inputs["aligned"] == made["id"]
        assert file.config["temporal"]["length"] == 6


def test_an_id_that_is_not_there_and_a_band_that_is_none_are_panels(study: Path) -> None:
    for arguments in (["flow", "--temporal", "00000000"], ["temporal", "--magnify", "3", "--band", "fast"]):
        result = CliRunner().invoke(app, [*arguments, "--workspace", str(study)])
        assert result.exit_code == 2
        assert "Traceback" not in result.output
