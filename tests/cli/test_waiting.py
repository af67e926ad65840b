"""The command line says who else writes, and waits where asked."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from typer.testing import CliRunner

from merprep.bench.scale import write_tiny
from merprep.cli.app import app

HOLD = """
import sys, time
from merprep.store import writing
with writing(sys.argv[1], "train"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_command_is_refused_while_another_writes_and_waits_if_asked(tmp_path: Path) -> None:
    write_tiny(tmp_path / "raw", 8, subjects=4)
    study = tmp_path / "study"
    call = ["ingest", "casme2", str(tmp_path / "raw"), "--workspace", str(study)]
    with subprocess.Popen([sys.executable, "-c", HOLD, str(study)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "held"
        refused = CliRunner().invoke(app, call)
        assert refused.exit_code == 2
        assert "Another merprep writes here" in refused.stderr
        assert "--wait" in refused.stderr
        threading.Timer(0.5, other.kill).start()
        waited = CliRunner().invoke(app, [*call, "--wait"])
    assert waited.exit_code == 0, waited.output
    assert "waiting for `merprep train`, process" in waited.stderr
    assert (study / "manifest.csv").is_file()
