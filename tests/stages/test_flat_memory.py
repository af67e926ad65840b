"""What a stage holds does not grow with the number of clips: at most some ten bytes of each."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from merprep.records import CLIP, Clip, FrameSet, Outcome, StageReport
from merprep.shelf import Rows, Shelf
from merprep.stages.finished import Finished
from merprep.stages.processes import process_results
from merprep.stages.runner import run_clips
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.store.accounts import keep_account
from merprep.store.clip_table import TableRows, table_says
from merprep.store.parts import Parts

FEW, MANY = 2000, 6000
# A key and a value in a dictionary, without what they point to, take a hundred.
LEAST_OF_A_CLIP = 60  # bytes


def clips(count: int) -> Iterator[Clip]:
    for n in range(count):
        name = f"EP{n:06d}"
        frames = FrameSet(f"sub{n % 99:02d}/{name}/img#.jpg", tuple(range(n, n + 9)))
        yield Clip("casme2", f"sub{n % 99:02d}", name, person=f"casme2:{n % 99}", frames=frames, onset=n, offset=n + 8)


def peak(run: Callable[[], object]) -> int:
    """Return the most memory of Python's own that is held during a call, bytes."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def grows(run: Callable[[int], object]) -> float:
    """Return how many bytes a further clip takes."""
    run(FEW)  # what is loaded and kept at first
    return (peak(lambda: run(MANY)) - peak(lambda: run(FEW))) / (MANY - FEW)


def test_a_manifest(tmp_path: Path) -> None:
    def run(count: int) -> None:
        workspace = Workspace(tmp_path / str(count))
        write_manifest(workspace, Manifest().replacing("casme2", clips(count), {}))
        manifest = read_manifest(workspace)
        assert len(manifest.usable) == sum(1 for _ in manifest.of_database("casme2")) == count

    assert grows(run) < LEAST_OF_A_CLIP


def test_a_report_and_its_account(workspace: Workspace) -> None:
    def run(count: int) -> None:
        outcomes = (Outcome(clip.id, "failed", f"the file of its onset is missing: {clip.id}") for clip in clips(count))
        assert len(keep_account(workspace, StageReport("flow", outcomes)).of_state("failed")) == count  # type: ignore[arg-type]

    assert grows(run) < LEAST_OF_A_CLIP


def test_a_table_of_clips(tmp_path: Path) -> None:
    def run(count: int) -> None:
        table = TableRows()
        for clip in clips(count):
            table.add(clip, clip.id)
        with h5py.File(tmp_path / "table.h5", "w") as file:
            table.write(file)
        with h5py.File(tmp_path / "table.h5") as file:
            assert table_says(file, Rows(clips(count), CLIP))

    assert grows(run) < LEAST_OF_A_CLIP


def test_a_run_over_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parts, "save", lambda *_: None)  # thousands of files are not what is measured

    def run(count: int) -> None:
        rows = Rows(clips(count), CLIP)
        digests = Shelf((clip.id, "made from this") for clip in rows)
        kept = Shelf((clip.id, None) for clip in rows[::2])
        parts = Parts(tmp_path / "parts")
        outcomes = run_clips("flow", rows, lambda clip: {"one": np.ones(1)}, parts, digests, kept=kept, jobs=1)
        assert len(outcomes) == count
        finished = Finished(tmp_path, kept, parts, digests, "", Opened, lambda _: str, lambda *_: "")
        assert not finished._has(rows)

    assert grows(run) < LEAST_OF_A_CLIP


class Opened:
    """A file that says nothing."""


@pytest.mark.slow
def test_a_run_in_worker_processes() -> None:
    def run(count: int) -> None:
        assert sum(1 for _ in process_results(one, Rows(clips(count), CLIP), 2)) == count

    assert grows(run) < LEAST_OF_A_CLIP


def one(clip: Clip) -> dict[str, np.ndarray]:
    return {"one": np.ones(1)}
