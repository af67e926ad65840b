"""The table of clips inside an HDF5 file: written and walked along in blocks, the same as if it were whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from merprep.records import Clip, FrameSet
from merprep.store.clip_table import TableRows, read_clip_table, records_of, table_says, walk

# More than are in memory at a time, with what is easily mistaken for something else.
CLIPS = [
    Clip(
        "samm",
        f"{n // 10:03d}",
        f"é_{n}",
        person=f"samm:{n // 10}",
        onset=n,
        apex=None if n % 3 else n + 1,
        offset=0,
        fps=None if n % 2 else 29.97,
        notes=("one; two", "three") if n % 5 == 0 else (),
        emotion="" if n % 7 else "☺",
    )
    for n in range(1300)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = TableRows()
    for place, clip in enumerate(CLIPS):
        table.add(replace(clip, frames=FrameSet("#.png", (1, 2))), f"digest {place}")
    with h5py.File(tmp_path / "clips.h5", "w") as file:
        table.write(file)
        file.attrs["schema_version"] = 1
    return tmp_path / "clips.h5"


def as_read(clip: Clip) -> Clip:
    return replace(clip, notes=tuple(part for note in clip.notes for part in note.split("; ")))


def test_a_table_written_in_blocks_is_read_whole(path: Path) -> None:
    with h5py.File(path) as file:
        assert records_of(read_clip_table(file)) == [as_read(clip) for clip in CLIPS]
        assert file["clips/digest"].asstr()[-1] == "digest 1299"
        assert np.isnan(file["clips/fps"][1])
        assert file["clips/apex"][1] == -1


def test_a_walk_along_the_table_gives_every_row_in_order(path: Path) -> None:
    with h5py.File(path) as file:
        found = list(walk(file, ("id", "onset", "apex", "digest")))
    assert found == [
        (clip.id, clip.onset, -1 if clip.apex is None else clip.apex, f"digest {n}") for n, clip in enumerate(CLIPS)
    ]


@pytest.mark.parametrize(
    ("place", "change"),
    [(0, {"onset": 7}), (1299, {"notes": ("x",)}), (600, {"fps": 25.0}), (601, {"fps": 25.0}), (7, {"apex": 9})],
)
def test_a_table_says_just_its_own_clips(path: Path, place: int, change: dict[str, object]) -> None:
    changed = [replace(clip, **change) if n == place else clip for n, clip in enumerate(CLIPS)]  # type: ignore[arg-type]
    with h5py.File(path) as file:
        assert table_says(file, CLIPS)
        assert table_says(file, [replace(clip, fps=clip.fps or float("nan")) for clip in CLIPS])
        assert not table_says(file, changed)
        assert not table_says(file, CLIPS[:-1])
        assert not table_says(file, [*CLIPS[1:], CLIPS[0]])


def test_what_an_older_file_lacks_is_empty(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["clips/variant"], file["clips/fps"]
        file.attrs["schema_version"] = 0
        assert next(walk(file, ("id", "variant")))[1] == ""
        assert read_clip_table(file)["fps"].isna().all()
        file.attrs["schema_version"] = 1
        with pytest.raises(KeyError, match="variant"):
            list(walk(file, ("variant",)))
