"""Damaged collections of texts are found wherever they lie, while a block of the file at most is in memory."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import pytest

from merprep.errors import StoreError
from merprep.store import heaps
from merprep.store.heaps import check_heaps

SIGNATURE = b"GCOL\x01\x00\x00\x00"


@pytest.fixture(params=[1 << 18, 5000, 37])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(heaps, "_BLOCK", request.param)
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "texts.h5", "w") as file:
        for part in range(20):
            file[f"texts {part}"] = [f"text {n}" for n in range(100)]
        file["long"] = ["a long one " * 2000, "b"]
    return tmp_path / "texts.h5"


def places(path: Path) -> list[int]:
    data, found = path.read_bytes(), []
    while (place := data.find(SIGNATURE, found[-1] + 1 if found else 0)) >= 0:
        found.append(place)
    return found


def spoil(path: Path, place: int, value: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(value)


def test_a_sound_file_is_let_through(path: Path, block: int) -> None:
    assert len(places(path)) > 5
    check_heaps(path)


@pytest.mark.parametrize("which", [0, 2, -1])
@pytest.mark.parametrize("length", [0xFFFFFFFFFFFFFFF0, 50_000, 1 << 40])
def test_an_object_longer_than_its_collection_is_refused(path: Path, block: int, which: int, length: int) -> None:
    place = places(path)[which]
    spoil(path, place + 24, struct.pack("<Q", length))
    with pytest.raises(StoreError, match="damaged where its texts are") as caught:
        check_heaps(path)
    assert (caught.value.where or "").endswith(f"byte {place}")


def test_a_collection_of_no_size_is_refused(path: Path, block: int) -> None:
    spoil(path, places(path)[1] + 8, struct.pack("<Q", 0))
    with pytest.raises(StoreError, match="damaged"):
        check_heaps(path)


def test_what_the_end_of_the_file_cuts_off_is_taken_as_sound(path: Path, block: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: places(path)[-1] + 20])
    check_heaps(path)
    path.write_bytes(data[: places(path)[3] + 900] + SIGNATURE + struct.pack("<Q", 1 << 60))
    check_heaps(path)


def test_both_ends_of_a_large_file_are_looked_at(
    path: Path, block: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sound, found = path.read_bytes(), places(path)
    monkeypatch.setattr(heaps, "_START", found[1])
    monkeypatch.setattr(heaps, "_END", len(sound) - found[-2])
    for which, name in ((0, "first.h5"), (-1, "last.h5"), (3, "middle.h5")):
        other = tmp_path / name
        other.write_bytes(sound)
        spoil(other, found[which] + 24, struct.pack("<Q", 1 << 40))
        if name == "middle.h5":
            check_heaps(other)
            continue
        with pytest.raises(StoreError, match="damaged"):
            check_heaps(other)
