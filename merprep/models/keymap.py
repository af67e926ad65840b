"""Carries weights between our networks and the published implementations' state dicts, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar, cast, runtime_checkable

from merprep.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Network = TypeVar("Network", bound=nn.Module)


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
        Theirs, as saved; a ``module.`` before every name (data-parallel training) is taken off.

    Returns
    -------
    nn.Module
        `model`.

    Raises
    ------
    ModelError
        Where tensors are missing, unknown or of another shape; nothing is then loaded.

    Examples
    --------
    >>> from merprep.models import build
    >>> first, second = build("ststnet"), build("ststnet")
    >>> _ = load_published(second, to_published(first))
    >>> bool((first.head.weight == second.head.weight).all())
    True
    """
    theirs = _without_prefix(state_dict)
    ours = model.state_dict()
    shapes = published_shapes(model)
    _check(shapes, {name: tuple(tensor.shape) for name, tensor in theirs.items()}, type(model).__name__)
    mapping = _mapped(model)
    model.load_state_dict(
        {name: theirs[mapping.published_name(name)].reshape(ours[name].shape).to(ours[name].dtype) for name in ours}
    )
    return model


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
        raise ModelError(f"{type(model).__name__} has no key map to a published implementation")
    return cast("Published", model)


def _without_prefix(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if state_dict and all(name.startswith("module.") for name in state_dict):
        return {name.removeprefix("module."): tensor for name, tensor in state_dict.items()}
    return dict(state_dict)


def _check(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], network: str) -> None:
    wrong = [
        *(f"{name} is missing" for name in expected if name not in found),
        *(f"{name} is unknown" for name in found if name not in expected),
        *(
            f"{name} is {found[name]}, not {shape}"
            for name, shape in expected.items()
            if name in found and found[name] != shape
        ),
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ModelError(
            f"The weights do not fit {network} as configured",
            found="; ".join(wrong[:5]) + more,
            mend="build the network with the configuration (widths, depths, classes) of these weights",
        )
