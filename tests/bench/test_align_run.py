from __future__ import annotations

import numpy as np
import pytest

from merprep.bench.align_run import align_run
from merprep.errors import UsageError


@pytest.mark.slow
@pytest.mark.usefixtures("mesh_weights")
def test_a_stopped_run_keeps_what_was_done_and_its_cost_is_told() -> None:
    run = align_run(12, jobs=1)
    assert run.clips == 12
    assert (run.stopped_at, run.kept) == (6, 6)
    assert run.clips_per_s > 0
    assert np.isnan(run.cpu_ms) or run.cpu_ms > 1
    assert np.isnan(run.last_mb) or run.last_mb > 50


def test_a_run_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="10 clips"):
        align_run(3)
