"""A small workspace with everything in it, and a browser to look at its report with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from merprep import stages
from merprep.report import write_report
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.synthetic import write_database
from merprep.training import train

HOSTILE = "<script>document.title='taken'</script> & \"quoted\""
EXCLUDED = "no frames: <img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, mesh_weights: list[Path]) -> Workspace:
    """A workspace with clips, aligned faces, features and two runs; one clip is excluded, one emotion is hostile."""
    folder = tmp_path_factory.mktemp("study")
    workspace = Workspace(folder / "workspace")
    for name in ("casme2", "smic"):
        write_database(name, folder / name, subjects=2, clips_per_class=1, frame_size=(320, 240), frames="key")
        stages.ingest(workspace, name, folder / name)
    _spoil(workspace)
    features, _ = stages.flow(workspace, jobs=1)
    train(features, model="majority", runs_folder=workspace.runs)
    train(features, model="ststnet", runs_folder=workspace.runs, epochs=2, seeds=2, jobs=1)
    return workspace


def _spoil(workspace: Workspace) -> None:
    manifest = read_manifest(workspace)
    clips = list(manifest.clips)
    clips[0] = replace(clips[0], notes=(HOSTILE,))
    clips[1] = clips[1].excluded(EXCLUDED)
    write_manifest(workspace, Manifest(tuple(clips), manifest.sources))


@pytest.fixture(scope="session")
def page(study: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the study, without faces."""
    return write_report(study, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium; the tests are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra `browser`)")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium here")
    with sync_api.sync_playwright() as playwright:
        # Without the sandbox: containers lack the kernel features, and the page is our own.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
