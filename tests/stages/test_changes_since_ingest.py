"""A sheet or frames that were changed since they were ingested are noticed by every stage that reads them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.faces import AlignConfig
from merprep.stages import align, ingest
from merprep.store import Workspace, read_manifest
from merprep.synthetic import write_database

NONE = AlignConfig(backend="none")


@pytest.fixture
def study(tmp_path: Path) -> Workspace:
    write_database("casme2", tmp_path / "raw", subjects=1, clips_per_class=1, frames="key", frame_size=(64, 64))
    workspace = Workspace(tmp_path / "study")
    ingest(workspace, "casme2", tmp_path / "raw")
    return workspace


def later(path: Path) -> None:
    at = time.time_ns() + 10**9
    os.utime(path, ns=(at, at))


def test_what_is_as_it_was_is_not_remarked_on(study: Workspace) -> None:
    assert align(study, NONE, jobs=1).notes == ()
    assert align(study, NONE, jobs=1).notes == ()


def test_a_changed_sheet_is_named(study: Workspace, tmp_path: Path) -> None:
    (sheet,) = (tmp_path / "raw").glob("*.xlsx")
    sheet.write_bytes(sheet.read_bytes() + b"\0")
    (note,) = align(study, NONE, jobs=1).notes
    assert note.startswith(f"casme2: the coding sheet {sheet.name} was changed after it was ingested")


def test_changed_frames_are_counted_and_a_clip_named(study: Workspace) -> None:
    clip = read_manifest(study).clips[1]
    later(read_manifest(study).root_of(clip) / clip.frames.path(clip.onset or 0))
    (note,) = align(study, NONE, jobs=1).notes
    assert note.startswith(f"casme2: frames of 1 clip were changed after they were ingested ({clip.id})")


def test_a_new_ingest_takes_it_over(study: Workspace, tmp_path: Path) -> None:
    (sheet,) = (tmp_path / "raw").glob("*.xlsx")
    sheet.write_bytes(sheet.read_bytes() + b"\0")
    ingest(study, "casme2", tmp_path / "raw")
    assert align(study, NONE, jobs=1).notes == ()


def test_the_command_line_says_so(study: Workspace, tmp_path: Path) -> None:
    (sheet,) = (tmp_path / "raw").glob("*.xlsx")
    sheet.write_bytes(sheet.read_bytes() + b"\0")
    run = CliRunner().invoke(app, ["align", "--backend", "none", "--jobs", "1", "-w", str(study.folder)])
    assert run.exit_code == 0, run.output
    assert "note: casme2: the coding sheet" in run.output
