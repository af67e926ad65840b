"""A worker that dies costs at most the clip that killed it, and no worker takes more than its core."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from merprep.records import Clip
from merprep.stages.runner import run_clips
from merprep.store import Parts
from merprep.store.whole import is_alive

CLIPS = [Clip("samm", "006", f"006_1_{n}", person="samm:6") for n in range(8)]
DIGESTS = {clip.id: "as it was" for clip in CLIPS}
pytestmark = pytest.mark.filterwarnings("ignore")  # of loky, that a worker was gone


def deadly(clip: Clip, *, marks: Path, always: str, once: str) -> dict[str, np.ndarray]:
    mark = marks / clip.clip
    first = not mark.exists()
    mark.touch()
    if clip.clip == always or (clip.clip == once and first):
        os.kill(os.getpid(), signal.SIGKILL)
    return {"ones": np.ones(3)}


@pytest.mark.slow
def test_a_clip_that_kills_its_worker_twice_is_set_aside_and_the_others_are_done(tmp_path: Path) -> None:
    from functools import partial

    work = partial(deadly, marks=tmp_path, always="006_1_5", once="006_1_2")
    parts = Parts(tmp_path / "parts")
    outcomes = run_clips("flow", CLIPS, work, parts, DIGESTS, jobs=2)
    assert list(outcomes) == [clip.id for clip in CLIPS]
    states = {clip.clip: outcomes[clip.id].state for clip in CLIPS}
    assert states.pop("006_1_5") == "failed"
    assert set(states.values()) == {"done"}
    assert "died twice (SIGKILL(-9)): set aside" in outcomes["samm/006/006_1_5"].reason
    assert parts.has("samm/006/006_1_2", "as it was")


def threads(clip: Clip) -> dict[str, np.ndarray]:
    import cv2
    import numba
    import torch
    from threadpoolctl import threadpool_info

    pools = [pool["num_threads"] for pool in threadpool_info()]
    return {"threads": np.array([cv2.getNumThreads(), numba.get_num_threads(), torch.get_num_threads(), *pools])}


@pytest.mark.slow
def test_workers_take_no_more_threads_than_there_are_cores(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts")
    # Twice: what the first clip loads is limited at the second one at the latest.
    for digest in ("first", "second"):
        run_clips("flow", CLIPS[:4], threads, parts, dict.fromkeys(DIGESTS, digest), jobs=2)
    share = max((os.cpu_count() or 1) // 2, 1)
    for clip in CLIPS[:4]:
        arrays = parts.load(clip.id, "second")
        assert arrays is not None
        assert arrays["threads"][:3].tolist() == [1, 1, 1]
        assert arrays["threads"][3:].max() <= share


ORPHANS = """
import os, sys, time
from pathlib import Path
import numpy as np
from merprep.records import Clip
from merprep.stages.runner import run_clips
from merprep.store import Parts
sys.path.insert(0, sys.argv[2])
from slow_work import slow
clips = [Clip("samm", "006", f"006_1_{n}", person="samm:6") for n in range(8)]
run_clips("flow", clips, slow, Parts(Path(sys.argv[1]) / "parts"), {clip.id: "x" for clip in clips}, jobs=2)
"""
SLOW = """
import os, time
import numpy as np
def slow(clip):
    with open(os.environ["PIDS"], "a") as stream:
        print(os.getpid(), file=stream)
    time.sleep(600)
    return {"ones": np.ones(1)}
"""


@pytest.mark.slow
def test_workers_end_with_a_process_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "slow_work.py").write_text(SLOW, encoding="utf-8")
    pids = tmp_path / "pids"
    pids.touch()
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHANS, str(tmp_path), str(tmp_path)],
        env={**os.environ, "PIDS": str(pids), "PYTHONPATH": paths},
    )
    while len(workers := pids.read_text().split()) < 2:
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    began = time.monotonic()
    while any(is_alive(int(worker)) for worker in workers):
        assert time.monotonic() - began < 15
        time.sleep(0.1)
