"""Which GPU trains which fold, and what a GPU is told; no GPU is needed to know."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from torch import nn

from merprep.errors import DeviceError
from merprep.models import preset
from merprep.training import run
from merprep.training.device import devices_of, in_turn, resolve_device, steady, workers
from merprep.training.fit import memory_told
from merprep.training.job import Clips, Plan


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


@pytest.mark.usefixtures("three_gpus")
def test_folds_go_to_the_visible_gpus_in_turn() -> None:
    assert in_turn("cuda", 3, 5) == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]
    assert in_turn("cuda", 2, 3) == ["cuda:0", "cuda:1", "cuda:0"], "no more GPUs than processes"
    assert in_turn("cuda:1", 3, 2) == ["cuda:1", "cuda:1"], "the one that was named"
    assert in_turn("cuda", 1, 2) == ["cuda", "cuda"]
    assert in_turn("cpu", 3, 1) == ["cpu"]
    assert devices_of("cuda") == ["cuda:0", "cuda:1", "cuda:2"]


def test_several_processes_share_the_only_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert in_turn("cuda", 3, 3) == ["cuda:0"] * 3
    assert workers(3, 139_582_982, "cuda", 68)[0] == 3


@pytest.mark.usefixtures("three_gpus")
def test_without_jobs_every_gpu_gets_one_process() -> None:
    assert workers(None, 139_582_982, "cuda", 68)[0] == 3
    assert workers(None, 139_582_982, "cuda:0", 68)[0] == 1
    assert workers(None, 139_582_982, "cuda", 2)[0] == 2, "no more processes than folds"
    assert workers(None, 0, "cuda", 68)[0] == 1, "baselines"


@pytest.mark.usefixtures("three_gpus")
def test_workers_are_given_their_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_in_worker", lambda plan, group, clips: [(plan.device, group)])
    plan = Plan(preset("htnet"), None, ("a", "b"), "last", "cuda", 1, Path())
    clips = Clips(np.zeros(0), np.zeros(0, np.int64), [], [], [])
    groups = [[("fold", number, "")] for number in range(4)]
    with joblib.parallel_config(backend="threading"):
        found = [result for results in run._results(plan, groups, clips, 2) for result in results]  # type: ignore[arg-type]
    assert sorted(found, key=lambda pair: pair[1][0][1]) == [
        (device, group) for device, group in zip(["cuda:0", "cuda:1"] * 2, groups, strict=True)
    ]


@pytest.mark.usefixtures("three_gpus")
def test_a_gpu_that_is_not_there_is_told() -> None:
    assert resolve_device("cuda:2") == "cuda:2"
    with pytest.raises(DeviceError, match="no such GPU") as caught:
        resolve_device("cuda:3")
    assert "cuda:2" in str(caught.value)


def test_memory_that_runs_out_anywhere_is_told_with_what_to_do() -> None:
    with pytest.raises(DeviceError, match="no memory left") as caught, memory_told():
        torch.empty(1 << 60)
    assert "batch_size" in str(caught.value)
    assert "--jobs 1" in str(caught.value)
    with pytest.raises(DeviceError, match="no memory left"), memory_told():
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
    with pytest.raises(RuntimeError, match="mat1 and mat2"), memory_told():
        nn.Linear(2, 2)(torch.zeros(1, 3))


def test_a_gpu_is_held_to_the_same_numbers_and_to_no_tf32_for_as_long_as_it_trains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)

    def settings() -> tuple[object, ...]:
        cudnn = torch.backends.cudnn
        return (
            torch.get_deterministic_debug_mode(), torch.get_float32_matmul_precision(), cudnn.allow_tf32,
            cudnn.deterministic, cudnn.benchmark, torch.utils.deterministic.fill_uninitialized_memory,
        )  # fmt: skip

    torch.set_float32_matmul_precision("high")
    try:
        before = settings()
        with steady("cpu"):
            assert settings() == before
        with steady("cuda:0"):
            assert settings() == (1, "highest", False, True, False, False)
        assert settings() == before
    finally:
        torch.set_float32_matmul_precision("highest")
