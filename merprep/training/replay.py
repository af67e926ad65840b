"""Work that is done over and over on tensors that stay where they are, so that a GPU can do it without Python.

On a CUDA device the work's kernels are recorded as a CUDA graph, after a few ordinary runs, and from then on started as
one. What Python decides while they are recorded is decided for good: whatever changes (the learning rate, counts of
batches) must stand in tensors, nothing may be read from the device or put there, and random draws come from the
device's own generator or from generators that the graph was told of. Elsewhere the same work runs on the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from merprep.errors import DeviceError

Work = Callable[..., None]

# Ordinary runs before work is recorded: libraries choose their algorithms, and optimisers make their state.
WARM_UP = 3


class Recorder:
    """Makes of work what does it again; this one, for devices without graphs, returns the work itself.

    Attributes
    ----------
    trouble : str
        Why nothing more is recorded; empty while all goes well.
    """

    def __init__(self) -> None:
        self.trouble = ""

    def lane(self) -> AbstractContextManager[None]:
        """Within it, work runs, is recorded and is done again."""
        return nullcontext()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return what does the work again; the work itself is not done."""
        return work


class CudaGraphs(Recorder):
    """Records the kernels that work starts on one device.

    Parameters
    ----------
    device : str
    generators : sequence of torch.Generator
        All that work draws from, but for the device's own.
    """

    def __init__(self, device: str, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.device, self.generators = torch.device(device), generators
        self.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        # One for all graphs: none of them needs what another left, and they never run at once.
        with torch.cuda.device(self.device):
            self.pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def lane(self) -> Iterator[None]:
        """Work on a stream of its own: the device's usual one cannot be recorded."""
        before = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(before)
        try:
            with torch.cuda.stream(self.stream):
                yield
        finally:
            before.wait_stream(self.stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return what starts the work's kernels again."""
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
            work()
        return graph.replay


def recorder_of(device: str, capture: bool, generators: Sequence[torch.Generator]) -> Recorder | None:
    """Return what records steps on a device; None where they are not to be recorded.

    Examples
    --------
    >>> recorder_of("cpu", False, []) is None, type(recorder_of("cpu", True, [])).__name__
    (True, 'Recorder')
    """
    if not capture:
        return None
    return CudaGraphs(device, generators) if device.startswith("cuda") else Recorder()


@dataclass
class _Shape:
    """Inputs of one shape: where they are put, how often they came, and what does the work on them again."""

    held: list[Tensor]
    runs: int = 0
    again: Callable[[], None] | None = None


class Replayed:
    """Work on tensors, recorded once for each shape of them.

    Where recording fails, the work is done as it would have been without, and `Recorder.trouble` says why.

    Parameters
    ----------
    work : callable
        Takes tensors, leaves what it finds in tensors of its own, and returns nothing.
    recorder : Recorder

    Examples
    --------
    >>> found = torch.zeros(2)
    >>> double = Replayed(lambda x: found.copy_(2 * x), Recorder())
    >>> for number in range(6):
    ...     double(torch.tensor([1.0, number]))
    >>> found.tolist(), double.recorded
    ([2.0, 10.0], 1)
    """

    def __init__(self, work: Work, recorder: Recorder) -> None:
        self.work, self.recorder = work, recorder
        self._shapes: dict[tuple[Any, ...], _Shape] = {}

    @property
    def recorded(self) -> int:
        """For how many shapes of its inputs the work was recorded."""
        return sum(shape.again is not None for shape in self._shapes.values())

    def __call__(self, *inputs: Tensor) -> None:
        """Do the work on tensors of these values."""
        shape = self._shape(inputs)
        for own, given in zip(shape.held, inputs, strict=True):
            own.copy_(given)
        if shape.again is None and shape.runs >= WARM_UP and not self.recorder.trouble:
            shape.again = self._recorded(shape)
        shape.runs += 1
        if shape.again is None:
            self.work(*shape.held)
        else:
            shape.again()

    def _shape(self, inputs: Sequence[Tensor]) -> _Shape:
        key = tuple(tuple(given.shape) for given in inputs)
        if key not in self._shapes:
            self._shapes[key] = _Shape([given.clone() for given in inputs])
        return self._shapes[key]

    def _recorded(self, shape: _Shape) -> Callable[[], None] | None:
        try:
            return self.recorder.record(partial(self.work, *shape.held))
        except RuntimeError as error:
            # Too little memory for the graph's own, too: without it there may be enough.
            self.recorder.trouble = _first_line(error)
            return None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def replayed(work: Work, recorder: Recorder | None) -> Work:
    """Return work that is recorded and done again, or the work itself where nothing is to be recorded."""
    return work if recorder is None else Replayed(work, recorder)


def capture_notes(recorder: Recorder | None) -> list[str]:
    """Say where steps could not be recorded.

    Examples
    --------
    >>> recorder = Recorder()
    >>> recorder.trouble = "no room"
    >>> capture_notes(recorder), capture_notes(None)
    (['steps could not be captured (no room): slower, with the same numbers'], [])
    """
    if recorder is None or not recorder.trouble:
        return []
    return [f"steps could not be captured ({recorder.trouble}): slower, with the same numbers"]


@contextmanager
def failed_capture_told(recorder: Recorder | None) -> Iterator[None]:
    """Say what to do where a device does not get over steps that it could not record."""
    try:
        yield
    except RuntimeError as error:
        if recorder is None or not recorder.trouble:
            raise
        raise DeviceError(
            "Steps could not be captured, and the device cannot go on without",
            found=f"{recorder.trouble}; then {_first_line(error)}",
            mend="run again with --no-capture; finished folds are kept",
        ) from error
