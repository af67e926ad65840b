"""Which devices flow can be computed on here, and why not on a GPU."""

from __future__ import annotations

import importlib.util
import logging
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from merprep.errors import DeviceError, MissingDependencyError

_log = logging.getLogger("merprep.flow")
_INSTALL_TRITON = "pip install triton"
_BY_TRITON = ("tvl1",)


def cuda_is_ready(method: str) -> bool:
    """Return whether a method's GPU engine can run here, and say in the log which device is taken.

    Examples
    --------
    >>> cuda_is_ready("tvl1") in (True, False)
    True
    """
    if _missing_cuda():
        return False
    if method in _BY_TRITON and not _has_triton():
        _log.warning("%s runs on the CPU: there is a GPU, but Triton is not installed (%s)", method, _INSTALL_TRITON)
        return False
    _log.info("%s runs on the GPU: %s", method, device_name("cuda"))
    return True


def require_cuda() -> None:
    """Raise why there is no CUDA device, if there is none.

    Raises
    ------
    DeviceError
    """
    if missing := _missing_cuda():
        raise DeviceError(
            "There is no CUDA device to compute flow on",
            expected="an NVIDIA GPU, its driver and a CUDA build of torch",
            found=missing,
            mend="use --device cpu (device='cpu'), or install the torch build for your GPU: https://pytorch.org",
        )


def require_triton() -> None:
    """Raise where Triton is not installed.

    Raises
    ------
    MissingDependencyError
    """
    if not _has_triton():
        raise MissingDependencyError.of("triton", "Flow on the GPU", _INSTALL_TRITON)


def device_name(device: str) -> str:
    """Return a device as files record it: the GPU by its own name.

    Examples
    --------
    >>> device_name("cpu")
    'cpu'
    """
    if device != "cuda":
        return device
    import torch

    return f"cuda ({torch.cuda.get_device_name()})"


def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


@lru_cache(maxsize=1)
def _missing_cuda() -> str | None:
    """Return why there is no CUDA, without the seconds that importing torch takes where its name says it already."""
    try:
        build = version("torch")
    except PackageNotFoundError:
        return "torch is not installed"
    if build.endswith("+cpu"):
        return f"torch {build}, a build without CUDA"
    import torch

    return None if torch.cuda.is_available() else f"torch {build}, which sees no GPU"
