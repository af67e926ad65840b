"""Clocks that jump by years change neither which file is taken, nor who may write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from merprep.errors import StoreError
from merprep.records import Outcome, StageReport
from merprep.report.runs import read_runs
from merprep.store import Workspace, locks
from merprep.store.accounts import keep_account
from merprep.store.locks import LEASE_NAME, LOCK_NAME, Holder, waiting_for_others, writing
from merprep.store.turns import next_turn, turn_of
from merprep.store.whole import is_abandoned

LONG_AGO, FAR_AHEAD = (0.0, 0.0), (4e9, 4e9)
HOLD = """
import sys, time
from merprep.store.locks import writing
with writing(sys.argv[1], "flow"):
    print("held", flush=True)
    time.sleep(60)
"""


def made(workspace: Workspace, room: str, name: str) -> Path:
    """Let a stage make a file, as the journal tells it."""
    path = workspace.folder / room / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    keep_account(workspace, StageReport("flow", (Outcome("a/b/c", "done"),), 1.0, (str(path),)))
    return path


@pytest.mark.parametrize(("first", "second"), [(FAR_AHEAD, LONG_AGO), (LONG_AGO, FAR_AHEAD), (LONG_AGO, LONG_AGO)])
@pytest.mark.parametrize("room", ["features", "aligned"])
def test_the_file_made_last_is_the_one_that_the_journal_names_last(
    workspace: Workspace, room: str, first: tuple[float, float], second: tuple[float, float]
) -> None:
    latest = workspace.latest_features if room == "features" else workspace.latest_aligned
    listed = workspace.feature_files if room == "features" else workspace.aligned_files
    with pytest.raises(StoreError, match="has no"):
        latest()
    one, two = (made(workspace, room, f"flow-0000000{number}.h5") for number in (2, 1))
    os.utime(one, first)
    os.utime(two, second)
    assert latest() == two
    assert listed() == [two, one]
    made(workspace, room, one.name)  # run again: nothing was to be done, but that is what is meant now
    assert latest() == one
    assert listed() == [one, two]
    one.unlink()
    assert latest() == two


def test_files_that_no_stage_made_here_are_not_guessed_about(workspace: Workspace) -> None:
    known = made(workspace, "features", "flow-00000001.h5")
    copied = known.with_name("flow-00000002.h5")
    copied.touch()
    os.utime(copied, FAR_AHEAD)
    with pytest.raises(StoreError, match="does not say which feature file was made last") as caught:
        workspace.latest_features()
    assert "flow-00000001.h5, flow-00000002.h5" in str(caught.value.found)
    assert "--features" in str(caught.value.mend)
    assert workspace.feature_files() == [known, copied]
    known.unlink()
    assert workspace.latest_features() == copied


def test_a_journal_written_on_windows_or_cut_off_still_tells(workspace: Workspace) -> None:
    one, two = (made(workspace, "features", f"flow-0000000{number}.h5") for number in (2, 1))
    journal = workspace.reports / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    lines[0]["outputs"] = [f"C:\\study\\features\\{one.name}"]
    spoilt = [json.dumps(lines[1]), "{" * 100_000, "\udcff", json.dumps(lines[0]), '{"stage": "flow", "outp']
    journal.write_bytes("\n".join(spoilt).encode("utf-8", "surrogateescape"))
    assert workspace.feature_files() == [one, two]


def test_runs_are_told_apart_by_the_turn_that_each_took(workspace: Workspace) -> None:
    full = {"uf1": 0.5, "uar": 0.5, "accuracy": 0.5, "n": 3, "confusion": [[1]]}
    for name in ("z", "a", "m"):
        run = workspace.runs / name
        run.mkdir(parents=True)
        turn = next_turn(run)
        (run / "scores.json").write_text(json.dumps({"full": full, "turn": turn}))
        os.utime(run / "scores.json", (4e9 - 1e8 * turn,) * 2)
    assert [run.name for run in read_runs(workspace).whole] == ["m", "a", "z"]
    assert next_turn(workspace.runs / "z") == 4
    assert next_turn(workspace.runs / "m") == 3  # done again, nothing since: the same file
    (workspace.runs / "a" / "scores.json").write_text('{"turn": "9"}')
    assert turn_of(workspace.runs / "a") == 0


@pytest.fixture
def held(tmp_path: Path):
    folder = tmp_path / "study"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    yield folder, process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("jump", [LONG_AGO, FAR_AHEAD])
@pytest.mark.parametrize("without_locks", [False, True])
def test_a_jump_while_somebody_writes_lets_nobody_else_in_and_keeps_nobody_out_for_ever(
    held, jump: tuple[float, float], without_locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, process = held
    if without_locks:
        monkeypatch.setattr(locks, "_acquired_lock", lambda *_: False)
    for name in (LOCK_NAME, LEASE_NAME):
        os.utime(folder / name, jump)
    monkeypatch.setattr(time, "time", lambda: jump[0])
    with pytest.raises(StoreError, match="Another merprep writes here"), writing(folder, "align"):
        pass
    threading.Timer(0.5, process.kill).start()
    with waiting_for_others(), writing(folder, "align"):
        assert process.wait(5) < 0
    assert list(folder.iterdir()) == []


def test_a_writer_of_another_machine_whose_clock_runs_backwards_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LEASE_SECONDS", 1.0)
    lease = tmp_path / LEASE_NAME
    lease.write_text(f"filelock/2\npid=4711\nhost=node7\nmode=lease\ntoken={'a' * 32}\nduration=1.0\n")
    stop = threading.Event()

    def beat() -> None:
        for number in range(400):
            if stop.wait(0.05):
                return
            os.utime(lease, (4e9 - 1e7 * number,) * 2)

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        with pytest.raises(StoreError, match="Another merprep writes here"), writing(tmp_path, "align"):
            pass
    finally:
        stop.set()
        heart.join()
    with writing(tmp_path, "align"):  # and once it is still, it is succeeded
        assert locks.holder_of(tmp_path).process == os.getpid()


def test_times_that_no_calendar_has_are_left_out(tmp_path: Path) -> None:
    for since in (1e300, -1e300, float("nan"), float("inf")):
        assert Holder("flow", 1, "node7", since).describe() == "`merprep flow`, process 1 on node7"
        (tmp_path / LOCK_NAME).write_text(json.dumps({"what": "flow", "process": 1, "host": "node7", "since": since}))
        assert locks.holder_of(tmp_path) is not None
    (tmp_path / LOCK_NAME).write_text('{"what": "flow", "process": 1e999, "host": "node7", "since": 0}')
    assert locks.holder_of(tmp_path) is None


def test_a_temporary_of_another_machine_ages_by_the_clock_of_its_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / ".merprep-00000000-1-1.tmp"
    foreign.touch()
    monkeypatch.setattr(time, "time", lambda: 4e9)  # this machine's clock jumped
    assert not is_abandoned(foreign)
    os.utime(foreign, LONG_AGO)
    assert is_abandoned(foreign)
    assert list(tmp_path.iterdir()) == [foreign]
