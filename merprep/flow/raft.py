"""RAFT through torchvision: a network trained on large motions of rendered scenes, for comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from merprep.config import StageConfig
from merprep.errors import DeviceError, FlowError, MissingDependencyError, WeightsError
from merprep.flow.base import Estimator, Fields, Images

_SMALLEST = 128  # the network shrinks by 8, and looks for matches on four levels of what is left
_AT_ONCE = 8  # pairs; the correlation of all pixels with all takes most of the memory


class RaftParameters(StageConfig):
    """How RAFT is run.

    Parameters
    ----------
    size : {"large", "small"}
    weights : str, optional
        A file with torchvision's state dictionary; None takes the one that torch keeps in its cache, which torch
        fetches where it is missing.
    updates : int
        Refinements of the field.
    """

    size: Literal["large", "small"] = "large"
    weights: str | None = None
    updates: int = Field(default=12, ge=1, le=100)


class Raft(Estimator[RaftParameters]):
    """RAFT, on the CPU or a GPU.

    References
    ----------
    Z. Teed, J. Deng, "RAFT: Recurrent all-pairs field transforms for optical flow", ECCV 2020.

    Examples
    --------
    >>> Raft(size="small").parameters.updates
    12
    """

    name = "raft"
    devices = ("cpu", "cuda")

    model = RaftParameters
    _torch_device = "cpu"

    def on(self, device: str) -> Estimator[RaftParameters]:
        """Return the method for a device; see `Estimator.on`."""
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise DeviceError("There is no CUDA device here", expected="cuda", found="cpu", mend="use --device cpu")
        chosen = Raft(**self.parameters.model_dump())
        chosen._torch_device = device
        return chosen

    def fields(self, onset: Images, apex: Images, *, threads: int | None = None) -> Fields:
        """Compute the flow of each pair; see `Estimator.fields`. Threads are torch's own."""
        import torch

        if min(onset.shape[1:]) < _SMALLEST:
            raise FlowError("RAFT needs larger images", expected=f"at least {_SMALLEST} by {_SMALLEST} pixels",
                            found=f"{onset.shape[1]} by {onset.shape[2]}", mend="use the method 'tvl1'")  # fmt: skip
        network = self._network()
        flows = []
        with torch.inference_mode():
            for first in range(0, len(onset), _AT_ONCE):
                pair = (self._prepared(images[first : first + _AT_ONCE]) for images in (onset, apex))
                found = network(*pair, num_flow_updates=self.parameters.updates)[-1]
                flows.append(found[:, :, : onset.shape[1], : onset.shape[2]].cpu().numpy())
        return np.concatenate(flows).astype(np.float32, copy=False)

    def _prepared(self, images: NDArray[np.float32]) -> Any:
        """Return (n, 3, H, W) from -1 to 1, with borders up to a multiple of 8."""
        import torch

        height, width = (-images.shape[1] % 8, -images.shape[2] % 8)
        padded = np.pad(images, ((0, 0), (0, height), (0, width)), mode="edge")
        batch = torch.from_numpy(padded).to(self._torch_device)[:, None].expand(-1, 3, -1, -1)
        return batch / 127.5 - 1

    def _network(self) -> Any:
        models = _torchvision()
        build, known = {
            "large": (models.raft_large, models.Raft_Large_Weights.DEFAULT),
            "small": (models.raft_small, models.Raft_Small_Weights.DEFAULT),
        }[self.parameters.size]
        network = build(weights=None)
        network.load_state_dict(_state(self.parameters.weights, known))
        return network.eval().to(self._torch_device)


def _torchvision() -> Any:
    try:
        from torchvision.models import optical_flow
    except ImportError as error:
        raise MissingDependencyError(
            "The flow method 'raft' needs torchvision, which is not installed or does not fit torch",
            found=str(error),
            mend="pip install torchvision   (from the index that torch came from)",
        ) from error
    return optical_flow


def _state(path: str | None, known: Any) -> dict[str, Any]:
    import torch

    if path is None:
        try:
            found: dict[str, Any] = known.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"RAFT's weights are not in torch's cache and cannot be fetched: {error}",
                               expected=known.url, mend="fetch the file elsewhere and give it as the parameter "
                               "'weights', or put it into torch's cache under its own name")  from error  # fmt: skip
        return found
    if not Path(path).is_file():
        raise WeightsError("The file of RAFT's weights does not exist", where=path)
    loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return loaded


ESTIMATOR = Raft
