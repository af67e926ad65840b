"""The known-motion suite says what it promises, and the bench measures all methods in one run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from merprep.bench.flow import METHODS, flow
from merprep.bench.flow_processes import flow_processes
from merprep.bench.known_motion import bump_field, face_photo, motion_pair, relative_epe, warp_bicubic
from merprep.errors import UsageError


def test_a_pair_without_noise_obeys_onset_of_x_is_apex_of_x_plus_flow() -> None:
    pair = motion_pair(64, 1.5, seed=2, noise=0.0)
    warped = warp_bicubic(face_photo(64), pair.flow.astype(np.float64))
    assert np.abs(np.clip(warped, 0, 255) - pair.onset).max() <= 0.51


def test_the_same_seed_gives_the_same_pair_and_another_seed_another() -> None:
    first, again, other = motion_pair(32, 1.0, seed=5), motion_pair(32, 1.0, seed=5), motion_pair(32, 1.0, seed=6)
    np.testing.assert_array_equal(first.onset, again.onset)
    assert (first.flow != other.flow).any()


def test_the_amplitude_scales_the_field_and_nothing_else() -> None:
    small = bump_field(48, 0.5, np.random.default_rng(1))
    large = bump_field(48, 2.0, np.random.default_rng(1))
    np.testing.assert_allclose(large, 4 * small)


def test_the_true_field_has_no_error_and_the_zero_field_an_error_of_one() -> None:
    truth = motion_pair(32, 1.0).flow
    assert relative_epe(truth, truth) == 0
    assert relative_epe(np.zeros_like(truth), truth) == pytest.approx(1)


def test_the_bench_measures_every_method_and_writes_both_tables(tmp_path: Path) -> None:
    bench = flow(sizes=(64,), amplitudes=(0.5, 1.0), cost_sizes=(64,), pairs=1, repeats=1)
    assert [(row.size, row.amplitude) for row in bench.accuracy] == [(64, 0.5), (64, 1.0)]
    assert {row.method for row in bench.cost} == set(METHODS)
    assert all(row.ms > 0 for row in bench.cost)
    accuracy, cost = bench.write_csv(tmp_path)  # processes were not asked for
    assert len(accuracy.read_text(encoding="utf-8").splitlines()) == 3
    assert len(cost.read_text(encoding="utf-8").splitlines()) == 5
    lines = bench.markdown().splitlines()
    assert sum(line.startswith("|") for line in lines) == (2 + 2) + (2 + 4)


def test_cells_of_noise_and_faces_and_a_figure(tmp_path: Path) -> None:
    bench = flow(sizes=(48, 64), amplitudes=(0.5, 1.0), noise=(0.0, 4.0), faces=2, cost_sizes=(), pairs=2)
    assert [(row.size, row.amplitude, row.noise) for row in bench.accuracy[:3]] == [
        (48, 0.5, 0.0), (48, 0.5, 4.0), (48, 1.0, 0.0),
    ]  # fmt: skip
    assert all(noisy.tvl1 > clean.tvl1 for clean, noisy in zip(bench.accuracy[::2], bench.accuracy[1::2], strict=True))
    assert bench.write_figure(tmp_path / "flow.png").stat().st_size > 5000


def test_faces_differ_and_pairs_of_any_face_obey_their_field() -> None:
    photograph, other = motion_pair(64, 1.0, seed=2, noise=0.0), motion_pair(64, 1.0, seed=2, noise=0.0, face=3)
    assert (photograph.apex != other.apex).any()
    np.testing.assert_array_equal(photograph.flow, other.flow)
    warped = warp_bicubic(other.apex.astype(np.float64), other.flow.astype(np.float64))
    assert np.abs(warped - other.onset).max() < 4


@pytest.mark.slow
def test_processes_do_not_hinder_each_other_and_memory_does_not_grow_with_the_pairs() -> None:
    few, many = (flow_processes(size=64, processes=(1, 2), pairs=pairs, turns=2) for pairs in (1, 60))
    assert [row.processes for row in many] == [1, 2]
    assert many[1].cpu_ms < 1.5 * many[0].cpu_ms
    assert many[0].all_pairs == 60 * few[0].all_pairs
    for rows in (few, many):
        assert np.isnan(rows[0].peak_mb) or rows[0].peak_mb < 300
    assert np.isnan(many[0].peak_mb) or many[0].peak_mb < few[0].peak_mb + 10


def test_processes_that_would_measure_nothing_are_refused() -> None:
    with pytest.raises(UsageError):
        flow_processes(processes=(0,))


@pytest.mark.parametrize("call", [{"pairs": 0}, {"repeats": 0}, {"sizes": (8,)}])
def test_a_measurement_of_nothing_is_refused(call: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        flow(**{"sizes": (32,), "amplitudes": (1.0,), "cost_sizes": (), **call})  # type: ignore[arg-type]


@pytest.mark.slow
def test_one_thread_is_at_least_twenty_times_as_fast_as_opencv_at_224() -> None:
    cost = {row.method: row for row in flow(sizes=(), cost_sizes=(224,), repeats=7).cost}
    assert cost["tvl1"].times_as_fast >= 20
