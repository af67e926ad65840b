"""What is in a recording is read once, and not held for ever."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from merprep.databases import source as sources
from merprep.databases import spec
from merprep.databases.errata import ErrataBook
from merprep.databases.folders import ClipFolder, FoundLayout
from merprep.databases.frames import read_frames
from merprep.databases.source import Source

SPEC = spec("samm-lv")
RECORDINGS = 2 * sources._AT_HAND


def test_the_frames_of_a_recording_are_read_once_in_whatever_order_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [ClipFolder("006", f"006_{number}", "", f"006_{number}") for number in range(RECORDINGS)]
    for number, folder in enumerate(folders):
        (tmp_path / folder.path).mkdir()
        for frame in (1, 2, 3, 5 + number):
            (tmp_path / folder.path / f"006_{number}_{frame:04d}.jpg").touch()
        (tmp_path / folder.path / "cover.jpg").touch()
    layout = next(layout for layout in SPEC.layouts if layout.shared)
    found = FoundLayout(tmp_path, layout, False, folders)
    read: list[str] = []

    def counted(*arguments: object, **options: object) -> sources.Frames:
        read.append(arguments[3].path)  # type: ignore[attr-defined]
        return read_frames(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(sources, "read_frames", counted)
    source = Source(SPEC, found, ErrataBook([]), "nearest")
    asked = random.Random(0).choices(folders, k=200)
    for folder in asked:
        frames, notes = source.frames(folder)
        assert (frames, notes) == read_frames(SPEC, layout, tmp_path, folder)
        notes.append("what a caller adds stays with the caller")
    assert sorted(read) == sorted({folder.path for folder in asked})
    assert len(source._at_hand) <= sources._AT_HAND
