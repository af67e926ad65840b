"""Reads published checkpoints from files, as tensors alone: nothing in them is ever executed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from merprep.errors import ModelError
from merprep.models.keymap import weights_in

if TYPE_CHECKING:
    from torch import Tensor

# What files of weights are called.
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint, for `load_published`.

    Parameters
    ----------
    path : path-like
        A safetensors file, or what `torch.save` wrote (read with ``weights_only=True``).

    Raises
    ------
    ModelError
        Where it does not exist, is damaged, or holds anything but tensors and plain values.

    Examples
    --------
    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "sub01.pth"
    >>> torch.save({"fc.bias": torch.zeros(3)}, path)
    >>> read_checkpoint(path)["fc.bias"].tolist()
    [0.0, 0.0, 0.0]
    """
    place = Path(path)
    if not place.is_file():
        raise ModelError("The checkpoint does not exist", where=str(place))
    try:
        stored = _stored(place)
    except Exception as error:  # torch raises whatever a damaged or forbidden file makes it stumble on
        raise ModelError(
            "The checkpoint cannot be read as tensors alone",
            where=str(place),
            expected="a state dict that torch.save or safetensors wrote",
            found=(str(error).splitlines() or [type(error).__name__])[0][:200],
            mend="where it holds a whole network, open it in the code that made it and save its state_dict()",
        ) from error
    try:
        return weights_in(stored)
    except ModelError as error:
        error.where = str(place)
        raise


def _stored(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)
