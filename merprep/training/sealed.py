"""Weights on disk: tensors and what they are, in one safetensors file, under one seal.

The seal is a digest of both, so that a flipped bit anywhere is told and not computed with. It is there for damage, not
for forgery: whoever can write the file can seal it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merprep.config import canonical_json
from merprep.store.workspace import written_whole

if TYPE_CHECKING:
    from torch import Tensor

# In one entry of the metadata, as several have no fixed order in the file.
_ENTRY, _SEAL = "merprep", "seal"


def write_sealed(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and what they are, whole or not at all.

    Parameters
    ----------
    path : Path
    tensors : mapping of str to Tensor
        On the CPU.
    about : mapping
        Plain JSON values.

    Examples
    --------
    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> write_sealed(path, {"bias": torch.ones(2)}, {"model": "mine"})
    >>> about, tensors = read_sealed(path)
    >>> about, tensors["bias"].tolist()
    ({'model': 'mine'}, [1.0, 1.0])
    """
    from safetensors.torch import save_file

    told = json.loads(json.dumps(about))
    with written_whole(path) as temporary:
        # As any new file may be read by others: safetensors makes its files private.
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(dict(tensors), temporary, metadata={_ENTRY: json.dumps({**told, _SEAL: _seal(told, tensors)})})
        temporary.chmod(mode)


def read_sealed(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `write_sealed` wrote; nothing in it is ever executed.

    Returns
    -------
    about, tensors

    Raises
    ------
    ValueError
        Where it cannot be read, or is no longer what was written.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stored:
            about = json.loads(stored.metadata()[_ENTRY])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        seal = about.pop(_SEAL, None)
    except (SafetensorError, OSError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    # Files of earlier versions have none.
    if seal is not None and seal != _seal(about, tensors):
        raise ValueError("it is not what was written: its seal is broken")
    return about, tensors


def _seal(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    import torch

    found = hashlib.sha256(canonical_json(about).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(canonical_json([name, str(tensor.dtype), list(tensor.shape)]).encode())
        found.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
