"""Finished clips are kept for an interrupted run, and stale or damaged ones do not count."""

import numpy as np
import pytest

from merprep.errors import StoreError
from merprep.store import Parts


@pytest.fixture
def parts(tmp_path):
    kept = Parts(tmp_path / "parts")
    kept.save("casme2/sub01/EP02_01f", "digest", {"flow": np.arange(4.0)})
    return kept


def test_a_kept_part_comes_back(parts):
    np.testing.assert_array_equal(parts.load("casme2/sub01/EP02_01f", "digest")["flow"], np.arange(4.0))


def test_a_part_made_from_other_input_does_not_count(parts):
    assert parts.load("casme2/sub01/EP02_01f", "another digest") is None


@pytest.mark.parametrize("keep", [0, 10, 100])
def test_a_truncated_part_does_not_count(parts, keep):
    (path,) = parts.folder.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:keep])
    assert parts.load("casme2/sub01/EP02_01f", "digest") is None


def test_a_part_that_vanished_while_gathering_says_what_to_run_again(parts):
    np.testing.assert_array_equal(parts.take("casme2/sub01/EP02_01f", "digest", "merprep flow")["flow"], np.arange(4.0))
    parts.clear()
    with pytest.raises(StoreError, match="vanished") as caught:
        parts.take("casme2/sub01/EP02_01f", "digest", "merprep flow")
    assert "merprep flow" in (caught.value.mend or "")


def test_clearing_removes_the_folder(parts):
    parts.clear()
    assert not parts.folder.exists()
