"""The bench of the GPU engine: what it counts, and that it runs where there is no GPU to measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from merprep.bench.flow_gpu import bytes_moved, flow_gpu
from merprep.errors import DeviceError, UsageError
from merprep.flow.tvl1 import TvL1Parameters


def test_bytes_grow_with_pixels_and_with_launches_and_shrink_with_iterations_on_chip() -> None:
    settings = TvL1Parameters(scales=1)
    assert bytes_moved(64, 64, settings, 4) == 4 * bytes_moved(32, 32, settings, 4)
    assert bytes_moved(64, 64, settings, 1) > bytes_moved(64, 64, settings, 4) > bytes_moved(64, 64, settings, 20)
    # 15 planes of float32 for each launch of `iterate` that is saved
    assert bytes_moved(64, 64, settings, 4) - bytes_moved(64, 64, settings, 5) == 3 * 15 * 4 * 64 * 64


def test_without_a_gpu_the_bench_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError, match="no CUDA device"):
        flow_gpu(pairs=1, size=16)


def test_a_measurement_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        flow_gpu(pairs=0)


@pytest.mark.slow
def test_the_whole_bench_runs_in_the_interpreter() -> None:
    pytest.importorskip("triton")
    program = (
        "import json; from merprep.bench.flow_gpu import flow_gpu\n"
        "result = flow_gpu(2, 20, repeats=1, torch_device='cpu', warps=1, iterations=5, scales=2)\n"
        "print(json.dumps(result.as_json()))"
    )
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    ours, cpu = result["batches"]
    assert ours["distance"] < 1e-4
    assert cpu["times_as_fast"] == 1
    assert all(tile["ms"] > 0 and tile["fraction_of_floor"] > 0 for tile in result["tiles"])


@pytest.mark.gpu
@pytest.mark.slow
def test_a_databases_pairs_take_under_a_tenth_of_a_second_on_a_large_gpu() -> None:
    if not torch.cuda.is_available() or "H200" not in torch.cuda.get_device_name():
        pytest.skip("the time is promised for an NVIDIA H200")
    result = flow_gpu()
    assert result.batches[0].ms < 100
    assert result.batches[0].times_as_fast > 20
    assert result.batches[0].distance < 1e-2
