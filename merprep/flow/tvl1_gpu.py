"""TV-L1 on the GPU: batches go there whole, by as many pairs as its memory holds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from merprep.errors import DeviceError
from merprep.flow.base import Estimator, Fields
from merprep.flow.devices import require_cuda, require_triton
from merprep.flow.tvl1 import TvL1Parameters

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger("merprep.flow")

# Float planes of full size that a pair needs at the most: both images, what is made of them where they are noisy and
# their 8-bit copies (5), flow and duals before and after (12), data term (3), warped apex and a coarser level in
# passing (4); the allocator rounds up.
PLANES = 26
_SHARE_OF_FREE_MEMORY = 0.85
# Results up to here are copied to page-locked memory, which is several times as fast; more would starve the system.
_LARGEST_PINNED = 1 << 30


class TvL1Gpu(Estimator[TvL1Parameters]):
    """TV-L1 by Triton kernels: the whole batch in the GPU's memory, or as much of it as fits at once.

    Parameters
    ----------
    torch_device : str
        "cpu" runs the kernels in Triton's interpreter, where ``TRITON_INTERPRET=1`` was set before its import.
    **parameters
        See `TvL1Parameters`.

    Raises
    ------
    DeviceError
        Where there is no CUDA device.
    MissingDependencyError
        Where Triton is not installed.
    """

    name = "tvl1"
    devices = ("cuda",)
    takes_bytes: ClassVar[bool] = True

    model = TvL1Parameters

    def __init__(self, torch_device: str = "cuda", **parameters: Any) -> None:
        super().__init__(**parameters)
        if torch_device == "cuda":
            require_cuda()
        require_triton()
        self.torch_device = torch_device

    def for_small_motion(self) -> Estimator[TvL1Parameters]:
        """Return the engine without a pyramid; see `Estimator.for_small_motion`."""
        return TvL1Gpu(self.torch_device, **{**self.parameters.model_dump(), "scales": 1})

    def prepare(self) -> None:
        """Compile the kernels and hold them to plain torch, once in a process; see `tvl1_check.check_kernels`."""
        from merprep.flow.tvl1_check import check_kernels

        check_kernels(self.torch_device)

    def fields(
        self, onset: NDArray[Any], apex: NDArray[Any], *, threads: int | None = None, at_once: int | None = None
    ) -> Fields:
        """Compute the flow of each pair; see `Estimator.fields`. `threads` does not matter here.

        Parameters
        ----------
        onset, apex : (N, H, W) float32 or uint8
        at_once : int, optional
            How many pairs lie on the device together; None takes as many as its free memory holds. Where that turns
            out to be too many, smaller batches are tried, and the log says so.

        Raises
        ------
        DeviceError
            Where the memory does not hold a single pair, or the kernels do not work on this device.
        """
        import torch

        count, height, width = onset.shape
        on_gpu = self.torch_device == "cuda"
        if on_gpu:  # the interpreter would be slow, and tests compare it anyway
            self.prepare()
        pinned = on_gpu and count * 2 * height * width * 4 <= _LARGEST_PINNED
        flows = torch.empty((count, 2, height, width), dtype=torch.float32, pin_memory=pinned)

        def work(pairs: slice) -> None:
            flows[pairs].copy_(self.solve(self._sent(onset[pairs]), self._sent(apex[pairs])), non_blocking=pinned)

        in_batches(work, count, at_once or self.pairs_at_once(height, width, count))
        if on_gpu:
            torch.cuda.synchronize()
        return flows.numpy()

    def solve(self, onset: Tensor, apex: Tensor) -> Tensor:
        """Compute the flow of a batch that is on the device already, and leave it there.

        Parameters
        ----------
        onset, apex : (N, H, W) float32 tensors
            Grey, 0 to 255, contiguous.

        Returns
        -------
        (N, 2, H, W) float32 tensor
        """
        from merprep.flow.tvl1_batch import solve
        from merprep.flow.tvl1_launch import TritonSteps

        return solve(onset, apex, self.parameters, TritonSteps())

    def pairs_at_once(self, height: int, width: int, count: int) -> int:
        """Return how many of `count` pairs the free memory holds at once, at least one."""
        if self.torch_device != "cuda":
            return count
        import torch

        free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return max(1, min(count, int(_SHARE_OF_FREE_MEMORY * free) // (PLANES * 4 * height * width)))

    def _sent(self, images: NDArray[Any]) -> Tensor:
        import torch

        # torch warns of memory that it might not write to; it never does, but the copy then is cheap beside the flow.
        return torch.from_numpy(np.require(images, requirements=["C", "W"])).to(self.torch_device).float()


def in_batches(work: Callable[[slice], None], count: int, size: int) -> None:
    """Do the work on `count` pairs, `size` at a time; where memory does not hold them, half as many from there on.

    Parameters
    ----------
    work : callable
        Takes the pairs as a slice; may raise ``torch.OutOfMemoryError``, and is then called again with fewer.

    Raises
    ------
    DeviceError
        Where it runs out of memory with a single pair.

    Examples
    --------
    >>> in_batches(print, 5, 2)
    slice(0, 2, None)
    slice(2, 4, None)
    slice(4, 5, None)
    """
    import torch

    first = 0
    while first < count:
        pairs = slice(first, min(first + size, count))
        try:
            work(pairs)
        except torch.OutOfMemoryError as error:
            size = (pairs.stop - first) // 2
            if size == 0:
                raise _too_small(error) from error
        else:
            first = pairs.stop
            continue
        # Out here, where the error no longer holds the tensors of what was tried.
        torch.cuda.empty_cache()
        _log.warning("the GPU's memory does not hold %d pairs at once: going on with %d", pairs.stop - first, size)


def _too_small(error: Exception) -> DeviceError:
    return DeviceError(
        "The GPU's memory does not hold a single pair of images",
        found=str(error).splitlines()[0],
        mend="end what else uses the GPU, compute smaller images, or use --device cpu",
    )
