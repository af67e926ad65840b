"""The pipeline's benchmark runs the real stages and accounts for every step."""

from __future__ import annotations

from pathlib import Path

import pytest

from merprep.bench.pipeline import pipeline
from merprep.errors import UsageError


@pytest.mark.usefixtures("mesh_weights")
def test_every_stage_and_step_takes_time(tmp_path: Path) -> None:
    bench = pipeline(3, jobs=1, folder=tmp_path)
    assert [row.stage for row in bench.stages] == ["ingest", "align", "flow", "total"]
    assert bench.stages[-1].seconds == pytest.approx(sum(row.seconds for row in bench.stages[:-1]))
    assert {row.clips for row in bench.stages} == {3}
    assert {"decode three frames", "landmarks", "warp three frames", "flow", "write", "sum"} <= {
        row.step for row in bench.steps
    }
    assert list((tmp_path / "study" / "features").glob("flow-*.h5"))


def test_nothing_is_not_measured() -> None:
    with pytest.raises(UsageError):
        pipeline(0)
