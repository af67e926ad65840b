"""One writer at a time, and no lock outlives its process."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from merprep.errors import StoreError
from merprep.store import locks
from merprep.store.locks import LEASE_NAME, LOCK_NAME, holder_of, waiting_for_others, writing

HOLD = """
import sys, time
from merprep.store.locks import writing
with writing(sys.argv[1], "flow"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path):
    """Another process that holds the folder."""
    folder = tmp_path / "study"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    yield folder, process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_told_who_writes_and_since_when(other) -> None:
    folder, process = other
    with pytest.raises(StoreError, match="Another merprep writes here") as caught, writing(folder, "align"):
        pass
    told = str(caught.value)
    assert "`merprep flow`" in told
    assert f"process {process.pid}" in told
    assert time.strftime("%Y-%m-%d") in told
    assert "--wait" in told


def test_a_killed_writer_leaves_nothing_that_keeps_the_next_one_out(other) -> None:
    folder, process = other
    os.kill(process.pid, signal.SIGKILL)  # not waited for: it may still be a zombie
    while holder_of(folder) and process.poll() is None:
        time.sleep(0.01)
    began = time.monotonic()
    with writing(folder, "align"):
        assert time.monotonic() - began < 2
        assert holder_of(folder).process == os.getpid()
        (folder / "manifest.csv").touch()
    assert [path.name for path in folder.iterdir()] == ["manifest.csv"]


@pytest.mark.parametrize("written", [b"", b"filelock/2\npid=47"])
def test_a_writer_killed_before_it_wrote_its_name_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes
) -> None:
    monkeypatch.setattr(locks, "_NAMELESS_SECONDS", 0.2)
    (tmp_path / LOCK_NAME).touch()
    (tmp_path / LEASE_NAME).write_bytes(written)
    with writing(tmp_path, "align"):
        assert holder_of(tmp_path).process == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_one_who_waits_begins_when_the_other_has_ended(other) -> None:
    folder, process = other
    told: list[str] = []
    threading.Timer(0.5, process.kill).start()
    with waiting_for_others(told.append), writing(folder, "align"):
        assert process.wait(5) == -signal.SIGKILL
    assert "`merprep flow`" in told[0]


def test_a_stage_may_call_another_but_another_thread_may_not(tmp_path: Path) -> None:
    refused: list[StoreError] = []

    def second() -> None:
        try:
            with writing(tmp_path, "align"):
                pass
        except StoreError as error:
            refused.append(error)

    with writing(tmp_path, "flow") as first, writing(tmp_path, "align") as inner:
        assert (first, inner) == (True, False)
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert holder_of(tmp_path).what == "flow"
    assert len(refused) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_given_back_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "new", "flow"):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()


def _of_another_machine(folder: Path) -> Path:
    """Lay down what a writer on another machine shows, on a file system that keeps locks to each machine."""
    lease = folder / LEASE_NAME
    fields = {"pid": 4711, "host": "node7", "mode": "lease", "token": "a" * 32, "duration": repr(locks.LEASE_SECONDS)}
    lease.write_text("filelock/2\n" + "".join(f"{name}={value}\n" for name, value in fields.items()))
    record = {"what": "flow", "process": 4711, "host": "node7", "since": time.time()}
    (folder / LOCK_NAME).write_text(json.dumps(record))
    return lease


def test_a_writer_of_another_machine_that_shows_life_is_respected(tmp_path: Path) -> None:
    lease = _of_another_machine(tmp_path)
    beats = threading.Event()
    heart = threading.Thread(target=lambda: [os.utime(lease) for _ in range(40) if not beats.wait(0.05)])
    heart.start()
    try:
        with pytest.raises(StoreError, match="Another merprep writes here"), writing(tmp_path, "align"):
            pass
    finally:
        beats.set()
        heart.join()


def test_a_writer_of_another_machine_that_shows_no_life_is_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LEASE_SECONDS", 0.5)
    lease = _of_another_machine(tmp_path)
    os.utime(lease, (4e9, 4e9))  # its clock is of no account
    with writing(tmp_path, "align"):
        assert holder_of(tmp_path).process == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_the_lease_alone_does_on_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with writing(tmp_path, "flow"):
        assert holder_of(tmp_path).process == os.getpid()
        refused = subprocess.run(
            [sys.executable, "-c", HOLD, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "Another merprep writes here" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match="cannot be written to") as caught,
        writing(tmp_path / "file" / "study", "flow"),
    ):
        pass
    assert "file" in str(caught.value)
