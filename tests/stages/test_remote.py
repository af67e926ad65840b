"""Work carried to other processes: what a worker's death costs, and what is refused."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from merprep.engines import Engine, open_engine
from merprep.errors import ImageError, StoreError
from merprep.records import Clip
from merprep.stages import remote
from merprep.stages.runner import KEPT, SkipClip, run_clips
from merprep.store import Parts

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")]

CLIPS = [Clip("samm", "006", f"006_1_{n:02d}", person="samm:6") for n in range(12)]
DIGESTS = {clip.id: "as it was" for clip in CLIPS}


def deadly(clip: Clip, *, folder: Path, kills: int) -> dict[str, np.ndarray]:
    """Kill the process at clip 3, as often as `kills` says; skip clip 1, fail at clip 2."""
    number = int(clip.clip[-2:])
    if number == 1:
        raise SkipClip("no apex")
    if number == 2:
        raise ImageError("The image is broken", where="006_00002.jpg")
    if number == 3:
        (folder / f"{os.getpid()}-{time.time_ns()}").touch()
        if len(list(folder.iterdir())) <= kills:
            os.kill(os.getpid(), signal.SIGKILL)
    return {"number": np.array(number), "process": np.array(os.getpid())}


@pytest.fixture(scope="module", params=["dask", "ray"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    pytest.importorskip("distributed" if request.param == "dask" else "ray")
    # Workers import the work from here.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        with open_engine(request.param, jobs=2) as opened:
            assert opened is not None
            yield opened


@pytest.fixture
def tried(tmp_path: Path) -> Path:
    (tmp_path / "tried").mkdir()
    return tmp_path / "tried"


def test_work_comes_back_as_parts_with_an_account_of_every_clip(engine: Engine, tmp_path: Path, tried: Path) -> None:
    parts = Parts(tmp_path / "parts")
    work = partial(deadly, folder=tried, kills=0)
    outcomes = run_clips("flow", CLIPS, work, parts, DIGESTS, workers=engine)
    assert list(outcomes) == [clip.id for clip in CLIPS]
    assert [outcome.state for outcome in outcomes.values()] == ["done", "skipped", "failed", *["done"] * 9]
    assert outcomes[CLIPS[2].id].reason == "The image is broken (006_00002.jpg)"
    processes = set()
    for clip in CLIPS[3:]:
        arrays = parts.load(clip.id, "as it was")
        assert arrays is not None
        assert int(arrays["number"]) == int(clip.clip[-2:])
        processes.add(int(arrays["process"]))
    assert os.getpid() not in processes
    assert not list(parts.folder.glob("marks-*"))
    again = run_clips("flow", CLIPS[3:], work, parts, DIGESTS, workers=engine)
    assert {outcome.reason for outcome in again.values()} == {KEPT}


def test_a_clip_whose_worker_died_once_is_done_by_another(engine: Engine, tmp_path: Path, tried: Path) -> None:
    parts = Parts(tmp_path / "parts")
    outcomes = run_clips("flow", CLIPS, partial(deadly, folder=tried, kills=1), parts, DIGESTS, workers=engine)
    assert [outcome.state for outcome in outcomes.values()] == ["done", "skipped", "failed", *["done"] * 9]
    assert len(list(tried.iterdir())) == 2


def test_a_clip_that_kills_two_workers_is_set_aside_with_the_reason(
    engine: Engine, tmp_path: Path, tried: Path
) -> None:
    parts = Parts(tmp_path / "parts")
    outcomes = run_clips("flow", CLIPS, partial(deadly, folder=tried, kills=99), parts, DIGESTS, workers=engine)
    assert [outcome.state for outcome in outcomes.values()] == ["done", "skipped", "failed", "failed", *["done"] * 8]
    assert outcomes[CLIPS[3].id].reason.startswith("2 workers died while working on it (")
    assert outcomes[CLIPS[3].id].reason.endswith("set aside")
    assert len(list(tried.iterdir())) == 2


def test_workers_that_compute_with_other_versions_are_refused(
    engine: Engine, tmp_path: Path, tried: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "versions", lambda: {"numpy": "1.0"})
    with pytest.raises(StoreError, match="other versions") as caught:
        run_clips("flow", CLIPS, partial(deadly, folder=tried, kills=0), Parts(tmp_path), DIGESTS, workers=engine)
    assert "numpy 1.0" in str(caught.value.expected)
