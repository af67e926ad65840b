from __future__ import annotations

import pytest

from merprep.bench.align import align_cost, align_jitter
from merprep.errors import UsageError

pytestmark = pytest.mark.usefixtures("mesh_weights")


def test_cost_of_alignment_is_measured_for_each_frame_size() -> None:
    rows = align_cost([(224, 224), (320, 240)], repeats=2)
    assert [(row.width, row.height) for row in rows] == [(224, 224), (320, 240)]
    for row in rows:
        assert min(row.find_ms, row.mark_ms, row.warp_ms) > 0
        assert row.clips_per_s == pytest.approx(1000 / (row.find_ms + row.mark_ms + 3 * row.warp_ms))
    with pytest.raises(UsageError):
        align_cost(repeats=0)


def test_frames_aligned_one_by_one_jitter_by_less_than_a_fifth_of_a_pixel() -> None:
    rows = align_jitter((0.25, 1.0), faces=2)
    assert [row.shift for row in rows] == [0.25, 1.0]
    assert max(row.rms for row in rows) < 0.2
