"""RAFT says what it lacks, and finds a motion where it has all."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from merprep.bench.known_motion import motion_pair
from merprep.errors import FlowError, MerprepError, MissingDependencyError, WeightsError
from merprep.flow import estimate

_IMAGES = np.zeros((2, 128, 136), np.uint8)
_HAS_TORCHVISION = importlib.util.find_spec("torchvision") is not None


@pytest.mark.skipif(_HAS_TORCHVISION, reason="torchvision is installed")
def test_raft_without_torchvision_names_the_install_line() -> None:
    with pytest.raises(MissingDependencyError, match="torchvision") as error:
        estimate(_IMAGES, _IMAGES, "raft")
    assert "pip install torchvision" in str(error.value.details())


def test_raft_refuses_small_images() -> None:
    with pytest.raises(FlowError, match="larger images"):
        estimate(_IMAGES[:, :64, :64], _IMAGES[:, :64, :64], "raft")


@pytest.mark.skipif(not _HAS_TORCHVISION, reason="torchvision is not installed")
def test_raft_with_a_wrong_file_of_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        estimate(_IMAGES, _IMAGES, "raft", weights=str(tmp_path / "none.pth"))


@pytest.mark.slow
@pytest.mark.skipif(not _HAS_TORCHVISION, reason="torchvision is not installed")
def test_raft_finds_a_motion_of_two_pixels() -> None:
    pair = motion_pair(136, 2.0, seed=1)
    try:
        flow = estimate(pair.onset, pair.apex, "raft")
    except MerprepError as error:
        pytest.skip(error.what)
    assert flow.shape == (2, 136, 136)
    assert float((flow * pair.flow).sum()) > 0
