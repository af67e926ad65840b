from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from merprep.errors import ImageError, UsageError
from merprep.progress import Silent
from merprep.records import Clip
from merprep.stages.runner import KEPT, SkipClip, run_clips
from merprep.store import Parts

CLIPS = [Clip("samm", "006", f"006_1_{n}", person="samm:6") for n in range(8)]
DIGESTS = {clip.id: "as it was" for clip in CLIPS}


def mixed(clip: Clip) -> dict[str, np.ndarray]:
    number = int(clip.clip[-1])
    if number == 1:
        raise SkipClip("no apex")
    if number == 2:
        raise ImageError("The image is broken", where="006_00002.jpg")
    if number == 3:
        raise ZeroDivisionError("a mistake of ours")
    return {"number": np.array(number), "process": np.array(os.getpid())}


class Counting(Silent):
    def __init__(self) -> None:
        self.total = self.done = self.failed = 0
        self.finished = False

    def start(self, description: str, total: int) -> None:
        self.total = total

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        self.done += amount
        self.failed += failed

    def finish(self) -> None:
        self.finished = True


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_clip_is_accounted_for_in_order(tmp_path: Path, jobs: int) -> None:
    progress = Counting()
    parts = Parts(tmp_path / "parts")
    outcomes = run_clips("align", CLIPS, mixed, parts, DIGESTS, jobs=jobs, progress=progress)
    assert list(outcomes) == [clip.id for clip in CLIPS]
    states = [outcome.state for outcome in outcomes.values()]
    assert states == ["done", "skipped", "failed", "failed", "done", "done", "done", "done"]
    assert outcomes[CLIPS[2].id].reason == "The image is broken (006_00002.jpg)"
    assert "a mistake of ours" in outcomes[CLIPS[3].id].reason
    assert (progress.total, progress.done, progress.failed, progress.finished) == (8, 8, 2, True)
    for clip in CLIPS[4:]:
        arrays = parts.load(clip.id, "as it was")
        assert arrays is not None
        assert int(arrays["number"]) == int(clip.clip[-1])


def test_finished_clips_are_not_done_again_unless_their_input_changed(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts")
    run_clips("align", CLIPS[4:], mixed, parts, DIGESTS, jobs=1)
    again = run_clips("align", CLIPS[4:], mixed, parts, {**DIGESTS, CLIPS[5].id: "changed"}, jobs=1)
    assert [outcome.reason for outcome in again.values()] == [KEPT, "", KEPT, KEPT]


def test_a_run_that_is_stopped_keeps_what_it_finished(tmp_path: Path) -> None:
    def stopped(clip: Clip) -> dict[str, np.ndarray]:
        if clip == CLIPS[6]:
            raise KeyboardInterrupt
        return mixed(clip)

    parts = Parts(tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        run_clips("align", CLIPS[4:], stopped, parts, DIGESTS, jobs=1)
    assert parts.has(CLIPS[4].id, "as it was")
    assert parts.has(CLIPS[5].id, "as it was")
    outcomes = run_clips("align", CLIPS[4:], mixed, parts, DIGESTS, jobs=1)
    assert [outcome.reason for outcome in outcomes.values()] == [KEPT, KEPT, "", ""]


def test_clips_that_the_final_file_has_need_no_work(tmp_path: Path) -> None:
    outcomes = run_clips("align", CLIPS[:2], mixed, Parts(tmp_path), DIGESTS, kept={CLIPS[1].id}, jobs=1)
    assert [outcome.state for outcome in outcomes.values()] == ["done", "done"]


def test_no_worker_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run_clips("align", CLIPS, mixed, Parts(tmp_path), DIGESTS, jobs=0)
