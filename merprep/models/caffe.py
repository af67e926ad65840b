"""Carries weights between our Micro-Attention and Caffe's layers, both ways.

Caffe keeps a list of blobs a layer. A batch-norm layer has three: the sums of means and of variances, and the factor by
which both are to be divided; scale and shift stand in a layer of their own behind it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from merprep.errors import ModelError
from merprep.models.micro_attention import KEPT, MicroAttention

Blobs = Mapping[str, Sequence[Any]]
# Of equal weights and never trained: the mean over channels, which ours takes without them.
_FROZEN = "_1x1_one"
_MANY = 1_000_000


def load_caffe(model: MicroAttention, blobs: Blobs) -> MicroAttention:
    """Fill a network with the blobs of a Caffe net, strictly.

    Parameters
    ----------
    model : MicroAttention
        Of the same configuration; changed in place.
    blobs : mapping of str to sequence of arrays
        Layer by layer, as ``{name: [blob.data for blob in blobs] for name, blobs in net.params.items()}`` gives them.
        The averaging layers (``mask_Concat_C_1x1_one``) may be there and are checked to be averages.

    Returns
    -------
    MicroAttention
        `model`.

    Raises
    ------
    ModelError
        Where layers or blobs are missing, unknown or of another shape; nothing is then loaded.

    Examples
    --------
    >>> first, second = MicroAttention(widths=(2, 4)), MicroAttention(widths=(2, 4))
    >>> _ = load_caffe(second, to_caffe(first))
    >>> bool((first.stem.weight == second.stem.weight).all())
    True
    """
    given = {name: [_tensor(blob) for blob in layer] for name, layer in blobs.items()}
    _check_averages(given)
    given = {name: layer for name, layer in given.items() if not name.endswith(_FROZEN)}
    ours = model.state_dict()
    places = {name: model.caffe_layer(name) for name in ours}
    _check(given, ours, places)
    model.load_state_dict({name: _ours(name, given, places[name], tensor) for name, tensor in ours.items()})
    return model


def to_caffe(model: MicroAttention) -> dict[str, list[NDArray[np.float32]]]:
    """Return a network's weights as Caffe's blobs, layer by layer, without the frozen averages."""
    blobs: dict[str, dict[int, NDArray[np.float32]]] = {}
    state = model.state_dict()
    for name, tensor in state.items():
        layer, place = model.caffe_layer(name)
        values = tensor.detach().cpu().float()
        if name.endswith("num_batches_tracked"):
            values = torch.tensor([_factor(int(tensor))])
        elif ".running_" in name:
            batches = int(state[f"{name.rpartition('.')[0]}.num_batches_tracked"])
            # Without a batch there is no sum yet; ours starts at mean 0 and variance 1.
            values = values * _factor(batches)
        blobs.setdefault(layer, {})[place] = values.numpy().astype(np.float32)
    return {layer: [found[place] for place in sorted(found)] for layer, found in blobs.items()}


def _factor(batches: int) -> float:
    """Return the sum of the weights of a moving average; 1 where nothing was averaged yet."""
    return (1 - KEPT**batches) / (1 - KEPT) if batches else 1.0


def _batches(factor: float) -> int:
    """Return how many batches such a factor stands for."""
    rest = 1 - factor * (1 - KEPT)
    return round(math.log(rest) / math.log(KEPT)) if rest > KEPT**_MANY else _MANY


def _ours(name: str, given: Mapping[str, list[Tensor]], place: tuple[str, int], like: Tensor) -> Tensor:
    layer, index = place
    blob = given[layer][index]
    if name.endswith("num_batches_tracked"):
        return torch.tensor(_batches(float(blob)), dtype=like.dtype)
    if ".running_" in name:
        factor = float(given[layer][2])
        blob = blob / factor if factor else torch.zeros_like(blob)
    return blob.reshape(like.shape).to(like.dtype)


def _tensor(blob: Any) -> Tensor:
    return blob.detach().float() if isinstance(blob, Tensor) else torch.from_numpy(np.asarray(blob, np.float32).copy())


def _check_averages(given: Mapping[str, list[Tensor]]) -> None:
    for name, layer in given.items():
        if name.endswith(_FROZEN) and not torch.allclose(layer[0], torch.tensor(1 / layer[0].numel()), rtol=1e-4):
            raise ModelError(
                "An attention map of these weights is no plain mean over channels",
                where=name,
                expected=f"{layer[0].numel()} weights of {1 / layer[0].numel():.6g}",
                found=f"weights from {float(layer[0].min()):.6g} to {float(layer[0].max()):.6g}",
            )


def _check(
    given: Mapping[str, list[Tensor]], ours: Mapping[str, Tensor], places: Mapping[str, tuple[str, int]]
) -> None:
    expected: dict[str, dict[int, int]] = {}
    for name, (layer, index) in places.items():
        expected.setdefault(layer, {})[index] = ours[name].numel()
    wrong = [
        *(f"{layer} is missing" for layer in expected if layer not in given),
        *(f"{layer} is unknown" for layer in given if layer not in expected),
        *(
            f"{layer} holds {[blob.numel() for blob in given[layer]]} numbers, not {[sizes[i] for i in sorted(sizes)]}"
            for layer, sizes in expected.items()
            if layer in given and [blob.numel() for blob in given[layer]] != [sizes[i] for i in sorted(sizes)]
        ),
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ModelError(
            "The blobs do not fit Micro-Attention as configured",
            found="; ".join(wrong[:5]) + more,
            mend="build the network with the widths and classes of these weights",
        )
