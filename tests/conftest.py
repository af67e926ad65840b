"""What several tests need: the shared data, the landmark weights, a workspace."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from merprep.store import Workspace

# How long an example takes says more about a busy machine than about the code.
settings.register_profile("merprep", deadline=None)
settings.load_profile("merprep")

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real sheets and published maps, which are not part of the repository."""
    folder = Path(os.environ.get("MERPREP_SHARED_DATA", _SHARED))
    if not folder.is_dir():
        pytest.skip("the real sheets and published maps (../shared/data) are not here")
    return folder


@pytest.fixture(scope="session")
def mesh_weights() -> list[Path]:
    """The two files of the mesh backend, fetched once."""
    from merprep import weights
    from merprep.errors import WeightsError

    try:
        return [weights.fetch(row.name) for row in weights.table() if row.default]
    except WeightsError as error:
        pytest.skip(f"the weights of the mesh backend cannot be fetched: {error.what}")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def disk_of(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a disk of some size (``1m``), where this user may."""
    folder = tmp_path / "disk"

    def mounted(size: str) -> Path:
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            folder.rmdir()
            pytest.skip("this user may not mount a small disk")
        return folder

    yield mounted
    if folder.is_dir():
        subprocess.run(["umount", "-l", str(folder)], check=True)
