"""Builds networks by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, cast

from merprep.errors import ModelError, UnknownNameError
from merprep.models.presets import Preset, names
from merprep.models.presets import preset as read_preset

if TYPE_CHECKING:
    from torch import nn

# Module and class of each network; imported when one is built, so that listing them needs no torch.
_CLASSES = {
    "flow-cnn": ("flow_cnn", "FlowCNN"),
    "hsta": ("hsta", "HSTA"),
    "htnet": ("htnet", "HTNet"),
    "micro-attention": ("micro_attention", "MicroAttention"),
    "off-apexnet": ("off_apexnet", "OFFApexNet"),
    "rcn-a": ("rcn", "RCNA"),
    "ststnet": ("ststnet", "STSTNet"),
}


def build(name: str, preset: str = "published", num_classes: int | None = None, **overrides: Any) -> nn.Module:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    name : str
        ``htnet``, ``ststnet``, ...
    preset : str
        A preset of that network.
    num_classes : int, optional
        None keeps the preset's own number.
    **overrides
        Any argument of the network, by its published name, in place of the preset's.

    Returns
    -------
    torch.nn.Module
        Maps (B, C, H, W) float32 to logits (B, num_classes).

    Raises
    ------
    UnknownNameError
        Where the model, the preset or an argument does not exist.
    ModelError
        Where the numbers do not fit together, or the model is a baseline without a network.

    Examples
    --------
    >>> network = build("htnet", preset="sanity", num_classes=5)
    >>> network.head.out_features
    5
    """
    chosen = read_preset(name, preset)
    if chosen.kind != "network":
        raise ModelError(f"{name} is a baseline, not a network", mend="use it through merprep.training.train")
    arguments = {**chosen.architecture, **overrides}
    if num_classes is not None:
        arguments["num_classes"] = num_classes
    return _construct(name, arguments)


def build_preset(preset: Preset, num_classes: int | None = None) -> nn.Module:
    """Build the network of a preset that need not stand in any table.

    Raises
    ------
    UnknownNameError, ModelError
        As `build` does.

    Examples
    --------
    >>> build_preset(read_preset("ststnet"), num_classes=7).head.out_features
    7
    """
    return _construct(preset.model, preset.architecture | ({} if num_classes is None else {"num_classes": num_classes}))


def _construct(name: str, arguments: dict[str, Any]) -> nn.Module:
    kind = network_class(name)
    known = inspect.signature(kind).parameters
    for argument, value in arguments.items():
        if argument not in known:
            raise UnknownNameError.among(f"setting of {name}", argument, list(known))
        _check_kind(name, argument, value, known[argument].default)
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} cannot be built: {error}", found=str(arguments), expected=", ".join(known)) from error


def _check_kind(name: str, argument: str, value: Any, default: Any) -> None:
    """Raise where a value is not of the kind of the network's own: a whole number, several, a number, a word."""
    if default is None or default is inspect.Parameter.empty:
        return
    if isinstance(default, (str, bool)):
        fits, expected = isinstance(value, type(default)), "a word" if isinstance(default, str) else "true or false"
    elif isinstance(default, float):
        fits, expected = _is_number(value), "a number"
    elif isinstance(default, Sequence):
        several = isinstance(value, Sequence) and not isinstance(value, str)
        fits = all(map(_is_whole, value)) if several else _is_whole(value)
        expected = f"whole numbers, such as {list(default)}"
    else:
        fits, expected = _is_whole(value), "a whole number"
    if not fits:
        raise ModelError(f"{name} cannot be built with {argument}={value!r}", expected=expected)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def network_class(name: str) -> type[nn.Module]:
    """Return the class of a network.

    Examples
    --------
    >>> network_class("ststnet").__name__
    'STSTNet'
    """
    if name not in _CLASSES:
        raise UnknownNameError.among("network", name, names())
    module, kind = _CLASSES[name]
    return cast("type[nn.Module]", getattr(importlib.import_module(f"merprep.models.{module}"), kind))
