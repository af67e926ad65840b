"""Stages on a cluster of two worker processes, one of which is killed midway: the files are the single process's."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from merprep.bench.same import differences
from merprep.engines import Engine, open_engine
from merprep.faces import AlignConfig
from merprep.stages import flow, ingest, spot
from merprep.stages.temporal import temporal
from merprep.store import Workspace
from merprep.synthetic import write_database
from merprep.temporal import SpotConfig, TemporalConfig

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("mesh_weights"),
    pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows"),
]


class Killer(threading.Thread):
    """Kill the first worker that begins a clip after some parts are there."""

    def __init__(self, workspace: Workspace, stage: str) -> None:
        super().__init__(daemon=True)
        self.folder = workspace.folder / stage
        self.killed: list[int] = []
        self.wanted = True

    def run(self) -> None:
        while self.wanted and not self.killed:
            marks = list(self.folder.glob("*.parts/marks-*/*.*"))
            if marks and len(list(self.folder.glob("*.parts/**/*.npz"))) >= 2:
                self._kill(marks[0])
            time.sleep(0.005)

    def _kill(self, mark: Path) -> None:
        try:
            process = int(mark.read_text(encoding="utf-8").rpartition(" ")[2])
            os.kill(process, signal.SIGKILL)
        except (OSError, ValueError):
            return
        self.killed.append(process)


def same_datasets(one: Path, other: Path) -> None:
    with h5py.File(one) as first, h5py.File(other) as second:
        names: list[str] = []
        first.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        found: list[str] = []
        second.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        assert sorted(names) == sorted(found)
        for name in names:
            a, b = first[name][()], second[name][()]
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes() if a.dtype != object else np.array_equal(a, b), name
            assert dict(first[name].attrs).keys() == dict(second[name].attrs).keys()
        assert dict(first.attrs) == dict(second.attrs)


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_a_worker_killed_midway_changes_no_byte_of_any_dataset(tmp_path: Path, name: str) -> None:
    pytest.importorskip("distributed" if name == "dask" else "ray")
    write_database("casme2", tmp_path / "raw", subjects=3, clips_per_class=2, frames="key", frame_size=(240, 200))
    alone, spread = Workspace(tmp_path / "alone"), Workspace(tmp_path / "spread")
    ingest(alone, "casme2", tmp_path / "raw")
    shutil.copytree(alone.folder, spread.folder)
    expected, _ = flow(alone, jobs=1)
    killers = [Killer(spread, stage) for stage in ("aligned", "features")]
    with open_engine(name, jobs=2) as workers:
        for killer in killers:
            killer.start()
        path, report = flow(spread, workers=workers)
    for killer in killers:
        killer.wanted = False
        killer.join()
        assert killer.killed
    assert report.counts() == {"in": 18, "done": 18, "skipped": 0, "failed": 0}
    same_datasets(expected, path)
    (faces,) = (spread.folder / "aligned").glob("*.h5")
    same_datasets(alone.folder / "aligned" / faces.name, faces)
    assert not list(spread.folder.rglob("*.parts"))
    assert alone.manifest_path.read_bytes() == spread.manifest_path.read_bytes()


def _spot(workspace: Workspace, workers: Engine | None) -> dict[str, int]:
    config = SpotConfig(align=AlignConfig(size=64), steady=False)
    return spot(workspace, config, jobs=1, workers=workers).counts()


def _temporal(workspace: Workspace, workers: Engine | None) -> dict[str, int]:
    config = TemporalConfig(align=AlignConfig(size=64), length=24)
    return temporal(workspace, config, jobs=1, workers=workers).counts()


@pytest.mark.parametrize("name", ["dask", "ray"])
@pytest.mark.parametrize(("stage", "room"), [(_spot, "spotted"), (_temporal, "aligned")], ids=["spot", "temporal"])
def test_spotted_and_interpolated_clips_are_those_of_one_process_whoever_dies(
    tmp_path: Path, name: str, stage: Callable[[Workspace, Engine | None], dict[str, int]], room: str
) -> None:
    pytest.importorskip("distributed" if name == "dask" else "ray")
    write_database("smic", tmp_path / "raw", subjects=3, clips_per_class=2, frame_size=(240, 200), n_frames=12)
    alone, spread = Workspace(tmp_path / "alone"), Workspace(tmp_path / "spread")
    for workspace in (alone, spread):
        ingest(workspace, "smic", tmp_path / "raw")
    counts = stage(alone, None)
    assert counts["done"] + counts["skipped"] == counts["in"] > 12
    killer = Killer(spread, room)
    with open_engine(name, jobs=2) as workers:
        killer.start()
        assert stage(spread, workers) == counts
    killer.wanted = False
    killer.join()
    assert killer.killed
    assert differences(alone.folder, spread.folder) == []
