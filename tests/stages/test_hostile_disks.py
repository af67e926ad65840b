"""The whole line on disks that fill up, under names that are hard, and two at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from merprep import stages
from merprep.bench.same import differences
from merprep.bench.scale import tiny_config, write_tiny
from merprep.errors import StoreError
from merprep.store import Workspace, open_features, read_manifest, whole, write_manifest
from merprep.store.locks import writing
from merprep.training import train

COUNT = 24


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny clips of four persons, with their landmarks."""
    folder = tmp_path_factory.mktemp("tiny") / "raw"
    write_tiny(folder, COUNT, subjects=4)
    return folder


@pytest.fixture
def small_disk(disk_of: Callable[[str], Path]) -> Path:
    """A disk of four megabytes."""
    return disk_of("4m")


def _line(workspace: Workspace, raw: Path) -> Path:
    config = tiny_config(raw / "landmarks.csv", size=28)
    stages.ingest(workspace, "casme2", raw)
    path, report = stages.flow(workspace, config, jobs=1, device="cpu")
    assert report.counts()["done"] == COUNT
    return path


def test_a_disk_that_fills_up_in_any_stage_loses_nothing(small_disk: Path, raw: Path, tmp_path: Path) -> None:
    undisturbed = Workspace(tmp_path / "undisturbed")
    _line(undisturbed, raw)
    workspace, ballast = Workspace(small_disk / "study"), small_disk / "ballast"
    free = shutil.disk_usage(small_disk).free
    errors = []
    # Less and less is in the way: the disk fills up in one stage after the other.
    for room in (4_000, 60_000, 150_000, 400_000, 700_000, 1_000_000):
        taken = free - shutil.disk_usage(small_disk).free - (ballast.stat().st_size if ballast.exists() else 0)
        ballast.write_bytes(b"")
        ballast.write_bytes(bytes(max(free - taken - room, 0)))
        try:
            _line(workspace, raw)
        except StoreError as error:
            errors.append(error)
            assert not list(workspace.folder.rglob(".merprep*"))
    assert len(errors) >= 2
    assert all("free room" in (error.mend or "") or "its disk" in (error.mend or "") for error in errors)
    ballast.unlink()
    _line(workspace, raw)
    assert differences(undisturbed.folder, workspace.folder) == []


def test_hard_names_and_long_paths_go_through_the_whole_line(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Studie Ä ñ 微表情 mit Blank" / "a'b & (c) [d] #e %f"
    for number in range(6):
        folder = folder / f"{number} {'sehr lang ' * 5}".strip()
    database = folder / "roh daten µ"
    shutil.copytree(raw, database)
    workspace = Workspace(folder / "arbeits platz ß")
    assert len(str(workspace.manifest_path)) > 400
    features = _line(workspace, database)
    with open_features(features) as file:
        assert len(file) == COUNT
    result = train(features, model="majority", runs_folder=workspace.runs)
    assert result.full["n"] == COUNT
    assert (result.run / "predictions.csv").is_file()


def test_a_second_writer_is_refused_in_every_stage_and_readers_are_not(raw: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "study")
    features = _line(workspace, raw)
    config = tiny_config(raw / "landmarks.csv", size=28)
    other = (
        f"import sys, time\nfrom merprep.store.locks import writing\nwith writing({str(workspace.folder)!r}, 'flow'):\n"
    )
    other += "    print('held', flush=True)\n    time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", other], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        for stage in (
            lambda: stages.ingest(workspace, "casme2", raw),
            lambda: stages.align(workspace, config.align, jobs=1),
            lambda: stages.flow(workspace, config, jobs=1),
            lambda: stages.spot(workspace),
        ):
            with pytest.raises(StoreError, match="Another merprep writes here"):
                stage()
        train(features, model="majority", run_folder=workspace.runs / "mine")
        process.kill()
    with writing(workspace.runs / "mine", "train"):
        assert workspace.latest_features() == features


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="nothing here tells which files are open")
def test_no_file_is_open_when_it_is_replaced(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[str] = []
    replace_file = whole._replace

    def watched(temporary: Path, path: Path) -> None:
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]  # noqa: PTH208
        opened = {os.path.realpath(link) for link in links}
        assert not {os.path.realpath(temporary), os.path.realpath(path)} & opened, path
        replaced.extend([path.name] if path.exists() else [])
        replace_file(temporary, path)

    monkeypatch.setattr(whole, "_replace", watched)
    workspace = Workspace(tmp_path / "study")
    features = _line(workspace, raw)
    train(features, model="majority", runs_folder=workspace.runs)
    manifest = read_manifest(workspace)
    changed = replace(manifest.clips[0], apex=manifest.clips[0].offset)
    write_manifest(workspace, replace(manifest, clips=(changed, *manifest.clips[1:])))
    config = tiny_config(raw / "landmarks.csv", size=28)
    _, report = stages.flow(workspace, config, jobs=1, device="cpu")
    assert [outcome.reason for outcome in report.outcomes][:2] == ["", "kept from before"]
    assert {features.name, "manifest.csv", "manifest.json"} <= set(replaced)


def test_files_from_the_future_and_from_1970_are_like_any_others(raw: Path, tmp_path: Path) -> None:
    database = tmp_path / "raw"
    shutil.copytree(raw, database)
    for number, path in enumerate(sorted(database.rglob("*.jpg"))):
        os.utime(path, (0, 0) if number % 2 else (4e9, 4e9))
    workspace = Workspace(tmp_path / "study")
    features = _line(workspace, database)
    for path in (features, workspace.manifest_path):
        os.utime(path, (4e9, 4e9))  # written by a clock that was set back since
    config = tiny_config(database / "landmarks.csv", size=28)
    _, report = stages.flow(workspace, config, jobs=1, device="cpu")
    assert {outcome.reason for outcome in report.outcomes} == {"kept from before"}
    changed = workspace.folder.parent / "raw" / "CASME2_RAW_selected" / "sub01"
    os.utime(next(changed.rglob("img1.jpg")), (5, 5))
    _, report = stages.flow(workspace, config, jobs=1, device="cpu")
    assert [outcome.reason for outcome in report.outcomes].count("") == 1
