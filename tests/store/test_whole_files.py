"""Files are whole or not there: kills, full disks, read-only folders, clocks that jump."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from merprep.errors import StoreError
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, Manifest, Workspace, open_features, write_features
from merprep.store.manifest import read_manifest, write_manifest
from merprep.store.parts import Parts
from merprep.store.whole import append_line, is_abandoned, sweep, written_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from merprep.store.whole import written_whole
with written_whole(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
HEADER = FeatureHeader(("u",), ("px",), "none", {"made": "here"})


@pytest.fixture
def small_disk(disk_of: Callable[[str], Path]) -> Path:
    """A disk of one megabyte."""
    return disk_of("1m")


def _rows(count: int, size: int) -> Iterator[tuple[Clip, ClipFeatures]]:
    for number in range(count):
        clip = Clip("samm", "006", f"006_1_{number}", person="samm:6")
        yield clip, ClipFeatures(np.full((1, size, size), number, np.float32))


def test_a_killed_writer_leaves_the_old_file_and_a_temporary_that_is_swept_away(tmp_path: Path) -> None:
    target = tmp_path / "manifest.csv"
    target.write_text("old")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    (left,) = [path for path in tmp_path.iterdir() if path != target]
    os.utime(left, (4e9, 4e9))  # a clock that jumped back since does not matter
    assert sweep([tmp_path, tmp_path / "not there"]) == 1
    assert list(tmp_path.iterdir()) == [target]


KILLED_FOLDER = KILLED.replace('temporary.write_text("half")', '(temporary / "in").mkdir(parents=True)')


def test_a_folder_is_whole_or_not_there_too(tmp_path: Path) -> None:
    target = tmp_path / "maps"
    ended = subprocess.run([sys.executable, "-c", KILLED_FOLDER, str(target)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not target.exists()
    assert sweep([tmp_path]) == 1
    assert list(tmp_path.iterdir()) == []
    target.mkdir()  # an empty folder that somebody made is taken
    with written_whole(target) as temporary:
        (temporary / "in").mkdir(parents=True)
        (temporary / "in" / "a.png").write_bytes(b"1234")
    assert (target / "in" / "a.png").read_bytes() == b"1234"

    def fill() -> None:
        with written_whole(target) as again:
            again.mkdir()

    with pytest.raises(StoreError, match="cannot be written"):
        fill()  # one that holds something is not
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


def test_a_temporary_of_a_living_process_stays(tmp_path: Path) -> None:
    with written_whole(tmp_path / "mine") as temporary:
        temporary.write_text("being written")
        parent = tmp_path / temporary.name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-")
        parent.write_text("of another living process")
        foreign = tmp_path / f".merprep-00000000-{os.getpid()}-0.tmp"
        foreign.write_text("of another machine")
        assert sweep([tmp_path]) == 0
    assert is_abandoned(foreign) is False
    os.utime(foreign, (0, 0))
    assert is_abandoned(foreign)
    assert not is_abandoned(tmp_path / "mine")


def test_a_full_disk_says_how_much_and_where_and_keeps_what_was_there(small_disk: Path) -> None:
    path = small_disk / "features" / "flow.h5"
    write_features(path, HEADER, _rows(2, 64), 2)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="The disk is full") as caught:
        write_features(path, HEADER, _rows(100, 64), 100)
    assert str(path) in str(caught.value)
    assert "for this file" in (caught.value.expected or "")
    assert f"free on the disk of {path.parent}" in (caught.value.found or "")
    assert "free room" in (caught.value.mend or "")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["flow.h5"]  # noqa: PTH208 - hidden ones too
    write_features(path, HEADER, _rows(10, 64), 10)
    with open_features(path) as file:
        assert len(file) == 10


def test_a_disk_without_room_for_what_is_known_to_come_is_refused_beforehand(small_disk: Path) -> None:
    with (
        pytest.raises(StoreError, match="The disk is full") as caught,
        written_whole(small_disk / "large", needed=5_000_000),
    ):
        raise AssertionError("nothing may be written")
    assert "5.0 MB for this file" in (caught.value.expected or "")
    assert "1.0 MB free" in (caught.value.found or "")


def test_a_full_disk_does_not_touch_the_manifest_nor_the_finished_parts(small_disk: Path) -> None:
    workspace = Workspace(small_disk / "study")
    clips = tuple(Clip("samm", "006", f"006_1_{number}", person="samm:6") for number in range(400))
    write_manifest(workspace, Manifest(clips[:3]))
    parts = Parts(small_disk / "flow.parts")
    parts.save(clips[0].id, "digest", {"ones": np.ones(10)})
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 30_000))
    with pytest.raises(StoreError, match="The disk is full"):
        write_manifest(workspace, Manifest(clips, {"samm": {"root": "r" * 20_000}}))
    with pytest.raises(StoreError, match="The disk is full"):
        parts.save(clips[1].id, "digest", {"ones": np.ones(20_000)})
    assert read_manifest(workspace).clips == clips[:3]
    assert parts.has(clips[0].id, "digest")
    (small_disk / "ballast").unlink()
    write_manifest(workspace, Manifest(clips))
    assert read_manifest(workspace).clips == clips
    assert [path.name for path in small_disk.rglob(".*")] == []


LIMITED = """
import resource, signal, sys
from pathlib import Path
from merprep.errors import StoreError
from merprep.store.whole import written_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    with written_whole(Path(sys.argv[1])) as temporary:
        temporary.write_bytes(bytes(20_000))
except StoreError as error:
    print(error)
"""


def test_a_file_that_may_not_grow_is_a_full_disk_too(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "x")], check=True, capture_output=True, text=True
    )
    assert "The disk is full" in ended.stdout
    assert "more than 10.0 kB for this file" in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    target = tmp_path / "read-only"
    target.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(target)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        if os.getuid() == 0:
            pytest.skip("root writes everywhere, and may not mount here")
        target.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="cannot be written") as caught, written_whole(target / "sub" / "x"):
            pass
        assert str(target) in str(caught.value)
        with pytest.raises(StoreError, match="cannot be written"):
            append_line(target / "journal.jsonl", "{}")
    finally:
        subprocess.run(["umount", "-l", str(target)], check=False, capture_output=True)
        target.chmod(0o700)


def test_an_error_of_the_caller_is_passed_on_and_nothing_is_left(tmp_path: Path) -> None:
    def fail(error: Exception) -> None:
        with written_whole(tmp_path / "x") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(RuntimeError, match="mine"):
        fail(RuntimeError("mine"))
    with pytest.raises(StoreError, match="Input/output"):
        fail(OSError(errno.EIO, os.strerror(errno.EIO)))
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_written_here_is_not_unpacked(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.save("a", "digest", {"flow": np.zeros((2, 4), np.float32)})
    (path,) = tmp_path.rglob("*.npz")
    with path.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, _digest=np.array("digest"), flow=np.zeros(1 << 20))
    assert parts.load("a", "digest") is None


def test_a_header_that_is_half_a_statement_is_a_damaged_part(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.save("a", "digest", {"flow": np.zeros((2, 4), np.float32)})
    (path,) = tmp_path.rglob("*.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["flow.npy"] = members["flow.npy"].replace(b"(2, 4), }", b"(2, 4)   ")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert parts.load("a", "digest") is None
