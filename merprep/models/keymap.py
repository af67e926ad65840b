"""Carries weights between our networks and the published implementations' state dicts, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable

from merprep.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Network = TypeVar("Network", bound=nn.Module)

# Under which names checkpoints hold their weights.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")


@runtime_checkable
class Published(Protocol):
    """What a network with a published implementation offers: the other side's names and shapes."""

    @staticmethod
    def published_name(name: str) -> str:
        """Return their name of our tensor."""

    @staticmethod
    def published_shape(name: str, shape: torch.Size) -> tuple[int, ...]:
        """Return their shape of our tensor."""


def load_published(model: Network, state_dict: Mapping[str, Tensor]) -> Network:
    """Fill a network with the weights of the published implementation, strictly.

    Parameters
    ----------
    model : nn.Module
        One of ours, of the same configuration; changed in place.
    state_dict : mapping of str to Tensor
        Theirs, as saved, in any floating type. A ``module.`` before every name (data-parallel training) is taken off;
        of a whole checkpoint (a dictionary with the weights under ``state_dict``, ``model``, ``model_state_dict`` or
        ``net``) these are taken.

    Returns
    -------
    nn.Module
        `model`.

    Raises
    ------
    ModelError
        Where tensors are missing, unknown, of another shape or hold what is no number; nothing is then loaded.

    Examples
    --------
    >>> from merprep.models import build
    >>> first, second = build("ststnet"), build("ststnet")
    >>> _ = load_published(second, to_published(first))
    >>> bool((first.head.weight == second.head.weight).all())
    True
    """
    mapping = _mapped(model)
    theirs = _without_prefix(weights_in(state_dict))
    ours = model.state_dict()
    _check_own(theirs, ours, model)
    shapes = published_shapes(model)
    _check(shapes, {name: tuple(tensor.shape) for name, tensor in theirs.items()}, type(model).__name__)
    _check_numbers(theirs)
    model.load_state_dict(
        {name: theirs[mapping.published_name(name)].reshape(ours[name].shape).to(ours[name].dtype) for name in ours}
    )
    return model


def weights_in(checkpoint: Any) -> dict[str, Tensor]:
    """Return the weights of a checkpoint: itself, or what it holds beside an optimiser, an epoch and the like.

    Raises
    ------
    ModelError
        Where it is no dictionary from names to tensors.

    Examples
    --------
    >>> import torch
    >>> list(weights_in({"epoch": 3, "state_dict": {"fc.bias": torch.zeros(3)}}))
    ['fc.bias']
    """
    import torch

    found = checkpoint
    while isinstance(found, Mapping) and any(isinstance(found.get(name), Mapping) for name in _WRAPPERS):
        found = next(found[name] for name in _WRAPPERS if isinstance(found.get(name), Mapping))
    values = found.items() if isinstance(found, Mapping) else [("", found)]
    wrong = [f"{type(value).__name__} {name}".strip() for name, value in values if not isinstance(value, torch.Tensor)]
    if wrong or not isinstance(found, Mapping):
        raise ModelError(
            "This is no state dict",
            expected="names and tensors, as `network.state_dict()` of the published code gives them",
            found=", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""),
        )
    return {str(name): tensor for name, tensor in found.items()}


def to_published(model: nn.Module) -> dict[str, Tensor]:
    """Return a network's weights under the names and shapes of the published implementation.

    Raises
    ------
    ModelError
        Where the network has no published counterpart.
    """
    mapping = _mapped(model)
    return {
        mapping.published_name(name): tensor.detach().reshape(mapping.published_shape(name, tensor.shape)).clone()
        for name, tensor in model.state_dict().items()
    }


def published_shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes that `load_published` expects.

    Examples
    --------
    >>> from merprep.models import build
    >>> published_shapes(build("ststnet"))["fc.weight"]
    (3, 400)
    """
    mapping = _mapped(model)
    return {
        mapping.published_name(name): mapping.published_shape(name, tensor.shape)
        for name, tensor in model.state_dict().items()
    }


def _mapped(model: nn.Module) -> Published:
    if not isinstance(model, Published):
        raise ModelError(
            f"{type(model).__name__} has no key map to a published implementation",
            expected="a network of merprep: HTNet, HSTA or STSTNet; Micro-Attention through merprep.models.caffe",
        )
    return cast("Published", model)


def _without_prefix(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if state_dict and all(name.startswith("module.") for name in state_dict):
        return {name.removeprefix("module."): tensor for name, tensor in state_dict.items()}
    return dict(state_dict)


def _check_own(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], model: nn.Module) -> None:
    if set(theirs) == set(ours) and set(ours) != set(published_shapes(model)):
        raise ModelError(
            "These weights are named as merprep names them, not as the published code does",
            mend="give them to network.load_state_dict",
        )


def _check_numbers(theirs: Mapping[str, Tensor]) -> None:
    wrong = [name for name, tensor in theirs.items() if tensor.is_complex() or not tensor.isfinite().all()]
    if wrong:
        raise ModelError(
            "The weights hold values that are no numbers",
            found=", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""),
            mend="the file is damaged, or its training diverged: take another",
        )


def _check(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], network: str) -> None:
    kinds = (
        [f"{name} is missing" for name in expected if name not in found],
        [f"{name} is unknown" for name in found if name not in expected],
        [
            f"{name} is {found[name]}, not {shape}"
            for name, shape in expected.items()
            if name in found and found[name] != shape
        ],
    )
    # Some of each kind: a name that is missing here is often one that is unknown there.
    told, count = [text for kind in kinds for text in kind[:3]], sum(map(len, kinds))
    if count:
        more = f" and {count - len(told)} more" if count > len(told) else ""
        raise ModelError(
            f"The weights do not fit {network} as configured",
            found="; ".join(told) + more,
            mend="build the network with the configuration (widths, depths, classes) of these weights",
        )
