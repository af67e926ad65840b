"""The batched engine: its kernels in Triton's interpreter, its plain steps, and, where there is one, a real GPU."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from merprep.bench.head_motion import moved_pair
from merprep.bench.known_motion import motion_pair
from merprep.errors import DeviceError
from merprep.flow import estimate, estimate_pairs, estimator
from merprep.flow.checks import checked_pair
from merprep.flow.steady import steady_fields
from merprep.flow.tvl1 import TvL1Parameters
from merprep.flow.tvl1_batch import PlainSteps, solve
from merprep.flow.tvl1_check import check_kernels, judge
from merprep.flow.tvl1_gpu import PLANES, TvL1Gpu, in_batches
from merprep.flow.tvl1_reference import reference_flow

# Everything in small: two levels, more than one launch (the second with fewer iterations), and tiles at every border.
_SMALL: dict[str, Any] = {"scales": 2, "warps": 2, "iterations": 6}


def _pairs(height: int, width: int, count: int = 2) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    made = [motion_pair(max(height, width), 1.0, seed=seed) for seed in range(count)]
    return (
        np.stack([pair.onset[:height, :width] for pair in made]),
        np.stack([pair.apex[:height, :width] for pair in made]),
    )


def _mean_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    return float(np.hypot(*np.moveaxis(first - second, -3, 0)).mean())


def _interpreted(folder: Path, onset: NDArray[np.uint8], apex: NDArray[np.uint8], code: str) -> NDArray[np.float32]:
    """Run the kernels on the CPU, in a process of its own: the interpreter is chosen when the kernels are imported."""
    pytest.importorskip("triton")
    np.savez(folder / "pairs.npz", onset=onset, apex=apex)
    program = (
        "import numpy as np; from merprep.flow.tvl1_gpu import TvL1Gpu; pairs = np.load('pairs.npz')\n"
        "onset, apex = pairs['onset'], pairs['apex']\n" + code + "\nnp.save('flow.npy', flow)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return np.asarray(np.load(folder / "flow.npy"))


@pytest.mark.parametrize(("height", "width"), [(32, 40), (45, 23)])
def test_the_kernels_agree_with_the_cpu_engine_without_a_gpu(tmp_path: Path, height: int, width: int) -> None:
    onset, apex = _pairs(height, width)
    found = _interpreted(tmp_path, onset, apex, f"flow = TvL1Gpu('cpu', **{_SMALL}).fields(onset, apex)")
    expected = estimate(onset, apex, **_SMALL)
    assert np.abs(expected).max() > 0.2
    assert _mean_distance(found, expected) < 1e-4


@pytest.mark.slow
def test_the_kernels_agree_with_the_cpu_engine_on_noisy_pairs(tmp_path: Path) -> None:
    made = [motion_pair(40, 1.0, seed=seed, noise=noise) for seed, noise in ((0, 1.0), (1, 4.0))]
    onset, apex = (np.stack([getattr(pair, name) for pair in made]) for name in ("onset", "apex"))
    found = _interpreted(tmp_path, onset, apex, f"flow = TvL1Gpu('cpu', **{_SMALL}).fields(onset, apex)")
    assert _mean_distance(found, estimate(onset, apex, **_SMALL)) < 1e-2


@pytest.mark.slow
def test_the_head_is_removed_by_the_kernels_as_by_the_cpu_engine(tmp_path: Path) -> None:
    pair, _ = moved_pair(24, 0.5, shift=1.0, angle=1.0, seed=4)
    onset, apex = pair.onset[None], pair.apex[None]
    images = [batch.astype(np.float32) for batch in (onset, apex)]
    code = (
        "from merprep.flow.steady import steady_fields\n"
        f"engine = TvL1Gpu('cpu', **{_SMALL})\n"
        "flow = steady_fields(engine, onset.astype('float32'), apex.astype('float32'))[0]"
    )
    expected, _ = steady_fields(estimator("tvl1", **_SMALL), *images)
    assert _mean_distance(_interpreted(tmp_path, onset, apex, code), expected) < 1e-2


@pytest.mark.slow
def test_the_kernels_agree_with_reference_and_cpu_over_several_tiles_at_the_defaults(tmp_path: Path) -> None:
    onset, apex = _pairs(61, 70)
    found = _interpreted(tmp_path, onset, apex, "flow = TvL1Gpu('cpu').fields(onset, apex)")
    assert _mean_distance(found, estimate(onset, apex)) < 1e-4
    assert _mean_distance(found, np.stack([reference_flow(*pair) for pair in zip(onset, apex, strict=True)])) < 1e-3


@pytest.mark.slow
def test_how_images_are_divided_into_tiles_and_batches_does_not_change_the_flow(tmp_path: Path) -> None:
    code = f"""
import torch
from merprep.flow.tvl1 import TvL1Parameters
from merprep.flow.tvl1_batch import solve
from merprep.flow.tvl1_launch import TILES, Tile, TritonSteps
engine = TvL1Gpu('cpu', **{_SMALL})
flow = [engine.fields(onset, apex, at_once=1)]
tensors = [torch.from_numpy(images).float() for images in (onset, apex)]
for tile in (*TILES, Tile(16, 32, 3, 4)):
    flow.append(solve(*tensors, engine.parameters, TritonSteps(tile)).numpy())
flow = np.stack(flow)
"""
    onset, apex = _pairs(40, 66)
    found = _interpreted(tmp_path, onset, apex, code)
    assert _mean_distance(found, estimate(onset, apex, **_SMALL)[None]) < 1e-4
    np.testing.assert_allclose(found, np.broadcast_to(found[:1], found.shape), atol=1e-3)


@pytest.mark.slow
def test_the_check_before_the_first_use_passes_on_kernels_that_are_right(tmp_path: Path) -> None:
    onset, apex = _pairs(20, 20, count=1)
    _interpreted(tmp_path, onset, apex, "TvL1Gpu('cpu').prepare(); flow = np.zeros(2)")


def test_kernels_that_compute_something_else_or_cannot_run_are_an_error_and_not_a_flow() -> None:
    for distance in (0.5, float("nan")):
        with pytest.raises(DeviceError, match="something else"):
            judge(distance, "cuda")
    # Compiled for GPUs, as they are here, the kernels cannot run on the CPU.
    pytest.importorskip("triton")
    with pytest.raises(DeviceError, match="cannot be built or run") as caught:
        check_kernels("cpu")
    assert "gcc" in str(caught.value.mend)


_COMPILE = """
import inspect, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from merprep.flow import tvl1_triton as kernels
from merprep.flow.tvl1_launch import TILES

NUMBERS = {"bound": "fp32", "theta": "fp32", "ratio": "fp32", "rows": "*i32", "columns": "*i32"}
IMAGES = "source target row_weights column_weights apex onset flow warped data duals new_flow new_duals".split()

def compiled(kernel, capability, constants, warps=4):
    kind = lambda name: "constexpr" if name in constants else NUMBERS.get(name, "*fp32" if name in IMAGES else "i32")
    source = ASTSource(kernel, signature={name: kind(name) for name in kernel.arg_names}, constexprs=constants)
    options = {"num_warps": warps, "enable_fp_fusion": True}
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)

for capability in (80, 90):
    compiled(kernels.resample, capability, {"BLOCK": 256})
    compiled(kernels.warp, capability, {"A": -0.625, "BLOCK": 256})
    compiled(kernels.linearise, capability, {"BLOCK": 256})
    compiled(kernels.median, capability, {"BLOCK": 256})
    for tile in TILES:
        constants = {"HALO": tile.halo, "ROWS": tile.rows, "COLUMNS": tile.columns}
        made = compiled(kernels.iterate, capability, constants, tile.warps)
        assert made.metadata.shared <= 48 * 1024 and made.asm["cubin"]
"""


@pytest.mark.slow
def test_every_kernel_compiles_for_real_gpus_without_one(tmp_path: Path) -> None:
    pytest.importorskip("triton")
    environment = {name: text for name, text in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path / "cache")
    (tmp_path / "compile_all.py").write_text(_COMPILE, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "compile_all.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("parameters", [{}, {"median": False, "scale_step": 0.5, "tightness": 0.3, "iterations": 3}])
def test_the_plain_steps_agree_with_the_cpu_engine(parameters: dict[str, Any]) -> None:
    onset, apex = _pairs(40, 57)
    tensors = [torch.from_numpy(images).float() for images in (onset, apex)]
    found = solve(*tensors, TvL1Parameters(**parameters), PlainSteps())
    assert _mean_distance(found.numpy(), estimate(onset, apex, **parameters)) < 1e-4


def test_work_that_does_not_fit_is_retried_with_fewer_pairs_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def work(pairs: slice) -> None:
        numbers = range(10)[pairs]
        if len(numbers) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        done.extend(numbers)

    with caplog.at_level(logging.WARNING, "merprep.flow"):
        in_batches(work, 10, 10)
    assert done == list(range(10))
    assert [record.getMessage().split("hold ")[1] for record in caplog.records] == [
        "10 pairs at once: going on with 5",
        "5 pairs at once: going on with 2",
    ]


def test_a_single_pair_that_does_not_fit_is_an_error_that_says_how_to_mend_it() -> None:
    def work(pairs: slice) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB\nmore")

    with pytest.raises(DeviceError, match="single pair") as caught:
        in_batches(work, 4, 4)
    assert caught.value.found == "CUDA out of memory. Tried to allocate 9 GiB"
    assert "--device cpu" in str(caught.value.mend)


def test_pairs_of_several_sizes_give_what_each_gives_alone_in_their_order() -> None:
    shapes = [(32, 40), (24, 24), (32, 40), (40, 32)]
    pairs = [tuple(images[0] for images in _pairs(*shape, count=1)) for shape in shapes]
    pairs[2] = (pairs[2][0][::-1].copy(), pairs[2][1].astype(np.float32)[::-1])
    together = estimate_pairs(pairs)
    for pair, flow in zip(pairs, together, strict=True):
        np.testing.assert_array_equal(flow, estimate(*pair))


def test_bytes_are_kept_for_engines_that_take_them_and_floats_are_not_touched() -> None:
    grey = np.zeros((20, 20), np.uint8)
    assert [images.dtype for images in checked_pair(grey, grey.astype(float), keep_bytes=True)] == [
        np.uint8,
        np.float32,
    ]


def test_a_gpu_that_is_not_there_is_named_with_its_reason() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError) as caught:
        estimator("tvl1").on("cuda")
    assert "torch" in str(caught.value.found)
    assert "cpu" in str(caught.value.mend)


@pytest.fixture
def gpu() -> None:
    """Skip where there is no CUDA device."""
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")


@pytest.mark.gpu
@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(("height", "width"), [(224, 224), (112, 112), (97, 131), (16, 400)])
def test_on_a_gpu_the_flow_is_that_of_the_cpu(height: int, width: int) -> None:
    onset, apex = _pairs(height, width, count=8)
    assert _mean_distance(estimate(onset, apex, device="cuda"), estimate(onset, apex)) < 1e-2
    assert (
        _mean_distance(estimate(onset, apex, device="auto", iterations=7), estimate(onset, apex, iterations=7)) < 1e-2
    )


@pytest.mark.gpu
@pytest.mark.usefixtures("gpu")
def test_on_a_gpu_a_batch_that_memory_does_not_hold_is_split(caplog: pytest.LogCaptureFixture) -> None:
    onset, apex = _pairs(64, 64, count=16)
    engine = TvL1Gpu()
    expected = engine.fields(onset, apex)
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(PLANES * 4 * 64 * 64 * 200 / whole)
    try:
        with caplog.at_level(logging.WARNING, "merprep.flow"):
            found = engine.fields(np.tile(onset, (64, 1, 1)), np.tile(apex, (64, 1, 1)), at_once=1024)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "going on with" in caplog.text
    np.testing.assert_allclose(found, np.tile(expected, (64, 1, 1, 1)), atol=1e-4)
