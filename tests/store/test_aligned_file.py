from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from merprep.errors import StoreError
from merprep.records import Clip
from merprep.store.aligned import AlignedHeader, ClipFaces, open_aligned, write_aligned

HEADER = AlignedHeader({"size": 8}, "mesh478", {"manifest": "abc"})


def clip(name: str) -> Clip:
    return Clip("samm", "006", name, person="samm:6", onset=1, offset=5, fps=200.0, notes=("a note",))


def faces(*numbers: int, colour: bool = False) -> ClipFaces:
    rng = np.random.default_rng(numbers)
    return ClipFaces(
        frames=rng.integers(0, 256, (len(numbers), 8, 8, 3) if colour else (len(numbers), 8, 8), dtype=np.uint8),
        numbers=np.array(numbers),
        stamps=np.array([(10 * n, 100 * n) for n in numbers]),
        landmarks=rng.random((478, 2), dtype=np.float32),
        transform=rng.random((2, 3)),
        score=0.99,
        residual=3.5,
        box=np.array([1.0, 2.0, 3.0, 4.0]),
        faces=2,
        reference=numbers[0],
        attempt="as it is",
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = [(clip("006_1_2"), faces(1, 3, 5)), (clip("006_1_3"), faces(1, 2, colour=True))]
    assert write_aligned(tmp_path / "aligned.h5", HEADER, rows) == 2
    with open_aligned(tmp_path / "aligned.h5") as file:
        assert (len(file), file.scheme, file.config, file.inputs) == (2, "mesh478", {"size": 8}, {"manifest": "abc"})
        assert file.config_id == HEADER.config_id
        assert file.records() == [row[0] for row in rows]
        assert "samm/006/006_1_9" not in file
        for record, written in rows:
            found = file.faces(record.id)
            for name, array in written.arrays().items():
                np.testing.assert_array_equal(found.arrays()[name], array)
            assert file.digest(record.id) == written.digest
            assert (file.faces_found(record.id), file.attempt(record.id), file.reference(record.id)) == (
                2,
                "as it is",
                1,
            )
        assert file.numbers("samm/006/006_1_2") == (1, 3, 5)
        assert file.stamps("samm/006/006_1_2")[3] == (30, 300)
        np.testing.assert_array_equal(file.frames("samm/006/006_1_2", [5, 1]), rows[0][1].frames[[2, 0]])
        assert file.frames("samm/006/006_1_2", []).shape == (0, 8, 8)


def test_a_clip_is_looked_up_once_and_asked_as_often_as_wanted(tmp_path: Path) -> None:
    rows = [
        (clip("006_1_2"), faces(1, 3, 5)),
        (clip("006_1_3"), replace(faces(1, 2), lost=np.array([2]), flags="dark")),
    ]
    write_aligned(tmp_path / "aligned.h5", HEADER, rows)
    with open_aligned(tmp_path / "aligned.h5") as file:
        first, second = (file.clip(row[0].id) for row in rows)
        assert (first.numbers, first.stamps[3], first.reference, first.faces_found) == ((1, 3, 5), (30, 300), 1, 2)
        assert (first.lost, first.flags, first.attempt) == (None, "", "as it is")
        assert (second.lost, second.flags) == ((2,), "dark")
        for name in ("samm/006/006_1_9", "samm/006", "samm/006/006_1_2/frames"):
            with pytest.raises(StoreError, match="not in the file"):
                file.clip(name)


def test_damage_is_told_of_a_clip_and_along_a_walk(tmp_path: Path) -> None:
    write_aligned(tmp_path / "aligned.h5", HEADER, [(clip("006_1_2"), faces(1, 3))])
    with h5py.File(tmp_path / "aligned.h5", "r+") as file:
        del file["clips/digest"], file["aligned/samm/006/006_1_2/stamps"]
    with open_aligned(tmp_path / "aligned.h5") as found:
        assert list(found.walk("id", "apex")) == [("samm/006/006_1_2", -1)]
        with pytest.raises(StoreError, match="not a whole file"):
            list(found.walk("id", "digest"))
        with pytest.raises(StoreError, match="not a whole file"):
            _ = found.clip("samm/006/006_1_2").stamps


def test_the_digest_tells_whether_frames_were_made_from_the_same_files() -> None:
    assert faces(1, 3).digest == faces(1, 3, colour=True).digest
    assert faces(1, 3).digest != faces(1, 4).digest


def test_parts_rebuild_the_clip() -> None:
    written = faces(1, 3)
    rebuilt = ClipFaces.from_arrays(written.arrays())
    assert (rebuilt.score, rebuilt.faces, rebuilt.attempt, rebuilt.digest) == (0.99, 2, "as it is", written.digest)


def test_missing_damaged_newer_and_empty_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "aligned.h5"
    with pytest.raises(StoreError, match="does not exist"):
        open_aligned(path)
    with pytest.raises(StoreError, match="no clip to write"):
        write_aligned(path, HEADER, [])
    assert list(tmp_path.iterdir()) == []
    write_aligned(path, HEADER, [(clip("006_1_2"), faces(1))])
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(StoreError, match="newer merprep"):
        open_aligned(path)
    with h5py.File(path, "w") as file:
        file.attrs["schema_version"] = 1
    with pytest.raises(StoreError, match="not a whole file"):
        open_aligned(path)
