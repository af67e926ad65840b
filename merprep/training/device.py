"""Where a network runs, and how many folds run at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from merprep.errors import DeviceError

# Below this many parameters one core trains a fold best, and folds share the cores between them.
SMALL = 10_000_000
# Numbers of two settings of glibc's allocator (malloc.h).
_TRIM_THRESHOLD, _MAP_THRESHOLD = -1, -3


def resolve_device(device: str = "auto") -> str:
    """Return the torch device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    DeviceError
        Where the device is not there.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(
            "There is no CUDA device", found=device, expected="a GPU that torch can use", mend="use --device cpu"
        )
    if device != "cpu" and not device.startswith("cuda"):
        raise DeviceError("There is no such device", found=device, expected="auto, cpu, cuda or cuda:N")
    if device not in ("cpu", "cuda", *_visible()):
        raise DeviceError("There is no such GPU", found=device, expected=", ".join(("cuda", *_visible())))
    return device


def _visible() -> list[str]:
    import torch

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]


def devices_of(device: str) -> list[str]:
    """Return what folds are spread over: all visible GPUs for ``cuda``, otherwise the device that is named.

    Examples
    --------
    >>> devices_of("cpu"), devices_of("cuda:1")
    (['cpu'], ['cuda:1'])
    """
    return (_visible() if device == "cuda" else []) or [device]


def in_turn(device: str, jobs: int, lots: int) -> list[str]:
    """Return the device of each of `lots` of folds that `jobs` processes train: the visible GPUs in turn.

    Examples
    --------
    >>> in_turn("cpu", 2, 3)
    ['cpu', 'cpu', 'cpu']
    """
    devices = devices_of(device)[:jobs] if jobs > 1 else [device]
    return [devices[number % len(devices)] for number in range(lots)]


@contextmanager
def steady(device: str) -> Iterator[None]:
    """Let a GPU find the same numbers each time, and none of them in TF32, as far as it has kernels that can.

    What cannot be done the same way each time is still done; torch then warns. A CPU needs none of this.
    """
    if not device.startswith("cuda"):
        yield
        return
    import torch

    # Read when the library of matrix products starts: without it, its results may depend on what ran at the same time.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn, settings = torch.backends.cudnn, cast("Any", torch.utils.deterministic)
    filling = settings.fill_uninitialized_memory
    before = torch.get_deterministic_debug_mode(), torch.get_float32_matmul_precision()
    torch.set_deterministic_debug_mode("warn")
    torch.set_float32_matmul_precision("highest")
    settings.fill_uninitialized_memory = False
    try:
        with cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        torch.set_float32_matmul_precision(before[1])
        settings.fill_uninitialized_memory = filling


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, up to a gigabyte, where the C library can be told so (glibc).

    Training frees and takes the same megabytes in every step, and giving them back to the system each time can cost
    more than the arithmetic between. For worker processes, which end with their work.
    """
    import ctypes
    import sys

    if not sys.platform.startswith("linux"):
        return
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        for option in (_TRIM_THRESHOLD, _MAP_THRESHOLD):
            tell(option, 1 << 30)


def workers(jobs: int | None, parameters: int, device: str, tasks: int) -> tuple[int, int]:
    """Return how many folds run at once and how many threads each has.

    Small networks always get one thread a fold, so that their results do not depend on the number of workers.

    Parameters
    ----------
    jobs : int, optional
        As asked for; None fills the machine with small networks and gives large ones all of it. Baselines are done
        sooner than workers would have started. With several GPUs, None is one process for each.
    parameters : int
        Of the network; 0 for a baseline.
    tasks : int
        Folds that are left to run.

    Examples
    --------
    >>> workers(2, 1683, "cpu", 68)
    (2, 1)
    """
    cores = os.cpu_count() or 1
    small = parameters < SMALL
    if jobs is None and parameters:
        jobs = cores if small and device == "cpu" else len(devices_of(device))
    jobs = max(1, min(jobs or 1, tasks))
    return jobs, 1 if small else max(1, cores // jobs)
