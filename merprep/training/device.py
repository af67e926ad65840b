"""Where a network runs, and how many folds run at once."""

from __future__ import annotations

import os

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
    return device


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
        sooner than workers would have started.
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
    if jobs is None:
        jobs = cores if 0 < parameters < SMALL and device == "cpu" else 1
    jobs = max(1, min(jobs, tasks))
    return jobs, 1 if small else max(1, cores // jobs)
