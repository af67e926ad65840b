"""--dry-run says what would be done, and does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.synthetic import write_database

_ALIGN = ("--backend", "none")
_FLOW = ("--method", "farneback", "--size", "16")


def _run(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_database("casme2", tmp_path / "data", subjects=2, clips_per_class=1, frames="key", frame_size=(96, 96))
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "merprep.toml").write_text('[align]\nbackend = "none"\nsize = 64\n', encoding="utf-8")
    return tmp_path


def test_a_plan_counts_what_is_to_do_and_writes_nothing(place: Path, mesh_weights: list[Path]) -> None:
    study, data = str(place / "study"), str(place / "data")
    (plan,) = _run("ingest", "casme2", data, "-w", study, "--dry-run")["plan"]
    assert plan["to_do"] == 6
    assert [path.name for path in _files(place / "study")] == ["merprep.toml"]

    _run("ingest", "casme2", data, "-w", study)
    before = _files(place / "study")
    align, flow = _run("flow", *_FLOW, "-w", study, "--dry-run")["plan"]
    assert (align["to_do"], align["finished"], flow["to_do"], flow["seconds"]) == (6, 0, 6, None)
    assert _files(place / "study") == before

    _run("flow", *_FLOW, "--jobs", "1", "-w", study)
    align, flow = _run("flow", *_FLOW, "-w", study, "--dry-run")["plan"]
    assert (align["to_do"], align["finished"], flow["to_do"], flow["finished"]) == (0, 6, 0, 6)
    align, flow = _run("flow", *_FLOW, "--pair", "apex-offset", "-w", study, "--dry-run")["plan"]
    assert (align["to_do"], flow["to_do"]) == (0, 6)
    assert flow["seconds"] > 0, "the journal tells how long six clips took"
    (more,) = _run("align", "--frames", "all", "-w", study, "--dry-run")["plan"]
    assert (more["to_do"], more["finished"]) == (6, 0)
    (looked,) = _run("align", "--check-frames", "-w", study, "--dry-run")["plan"]
    assert (looked["to_do"], looked["finished"]) == (6, 0)


def test_a_plan_is_told_in_sentences(place: Path) -> None:
    done = CliRunner().invoke(app, ["ingest", "casme2", str(place / "data"), "-w", str(place / "study"), "--dry-run"])
    assert "6 clips to do" in done.output
    assert "nothing was done" in done.output
