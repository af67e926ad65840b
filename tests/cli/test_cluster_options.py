"""Every command that works clip by clip or fold by fold can be carried to a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from merprep.cli.app import app


@pytest.mark.parametrize("command", ["align", "flow", "spot", "temporal --length 8", "train"])
def test_an_engine_that_is_none_and_a_scheduler_without_an_engine_are_refused(command: str, tmp_path: Path) -> None:
    (tmp_path / "x.h5").touch()
    features = ["--features", str(tmp_path / "x.h5")] if command == "train" else []
    call = [*command.split(), "--workspace", str(tmp_path), *features]
    for options, said in (
        (["--distributed", "slurm"], "slurm"),
        (["--scheduler", "tcp://nowhere:8786"], "of no use without its engine"),
    ):
        refused = CliRunner().invoke(app, [*call, *options])
        assert refused.exit_code == 2
        assert said in " ".join(refused.stderr.split())
