"""The hashes of raw frames are written as `sha256sum` does, once a file."""

from __future__ import annotations

import random

from merprep.store import Workspace
from merprep.store.hashes import read_hashes, write_hashes


def test_hashes_are_sorted_by_path_and_a_file_of_several_clips_is_written_once(workspace: Workspace) -> None:
    hashes = {f"sub{number % 7:02d}/é{number}.jpg": f"{number:064x}" for number in range(1000)}
    pairs = [*hashes.items(), *list(hashes.items())[::2]]
    random.Random(0).shuffle(pairs)
    write_hashes(workspace, "casme2", pairs)
    lines = workspace.hashes_path("casme2").read_text(encoding="utf-8").splitlines()
    assert lines == [f"{hashes[path]}  {path}" for path in sorted(hashes)]
    assert read_hashes(workspace, "casme2") == hashes
