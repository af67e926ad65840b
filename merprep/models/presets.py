"""Presets: what a network is built with, what it eats and how it is trained, as data in ``manifests/models``."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from merprep.config import StageConfig
from merprep.errors import ConfigError, UnknownNameError
from merprep.manifest_data import load_table, table_names

Normalisation = Literal["none", "minmax-255", "minmax-symmetric", "peak-symmetric", "fixed-bound", "train-standard"]


class InputSpec(StageConfig):
    """What a network is given of a clip.

    Parameters
    ----------
    representation : str
        ``map`` (the whole face) or ``mosaic:<region set>`` (four regions, 0 and 1 above 2 and 3).
    channels : tuple of str
        Names in the order of the network's input channels.
    normalisation : str
        How each channel of each clip is scaled. By statistics of the whole map of the same clip, so that nothing is
        fitted and nothing can leak: ``minmax-255`` (smallest value to 0, largest to 255, as the published maps are);
        ``minmax-symmetric`` (smallest to -1, largest to 1); ``peak-symmetric`` (divided by the largest magnitude:
        zero motion stays zero). By none: ``none``; ``fixed-bound`` (divided by `bounds`, cut off at -1 and 1). By
        statistics of the training side of each fold: ``train-standard`` (mean 0, standard deviation 1; see
        `merprep.training.normalising`).
    bounds : dict of str to float
        For ``fixed-bound``, and only for it: the value of each channel that becomes 1, in the channel's unit (px for
        u and v, px/px for strain).

    Examples
    --------
    >>> InputSpec(representation="mosaic:anatomical", channels=("u", "v", "strain")).region_set
    'anatomical'
    >>> InputSpec(channels=("u", "v"), normalisation="fixed-bound", bounds={"u": 2, "v": 2}).bounds
    {'u': 2.0, 'v': 2.0}
    """

    representation: str = Field(default="map", pattern=r"^(map|mosaic:[\w.-]+)$")
    channels: tuple[str, ...] = ("u", "v", "strain")
    normalisation: Normalisation = "none"
    bounds: dict[str, PositiveFloat] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        wanted = set(self.channels) if self.normalisation == "fixed-bound" else set()
        if set(self.bounds) != wanted:
            raise ValueError(
                "bounds must name each channel once with fixed-bound, and nothing otherwise: "
                f"{', '.join(sorted(wanted)) or 'nothing'} here, not {', '.join(sorted(self.bounds)) or 'nothing'}"
            )
        return self

    @property
    def region_set(self) -> str | None:
        """The region set that a mosaic is composed from, or None for whole maps."""
        return self.representation.partition(":")[2] or None


class Preset(StageConfig):
    """One named setting of a model: architecture, input and recipe.

    `kind` is ``network``, or ``baseline`` for what is fitted without gradients (`architecture` then holds the
    baseline's own settings, and `recipe` is empty).
    """

    model: str
    name: str
    kind: Literal["network", "baseline"] = "network"
    description: str
    architecture: dict[str, Any] = Field(default_factory=dict)
    input: InputSpec = InputSpec()
    recipe: dict[str, Any] = Field(default_factory=dict)


def names() -> list[str]:
    """Return the names of all models, networks and baselines.

    Examples
    --------
    >>> {"htnet", "ststnet", "majority"} <= set(names())
    True
    """
    return table_names("models")


def presets(model: str) -> list[str]:
    """Return the names of a model's presets, ``published`` first where there is one.

    Examples
    --------
    >>> presets("htnet")
    ['published', 'live-attention', 'sanity']
    """
    return list(_table(model)["presets"])


def preset(model: str, name: str = "published") -> Preset:
    """Read one preset.

    Raises
    ------
    UnknownNameError
        Where the model or the preset does not exist.
    ConfigError
        Where its table is not valid.

    Examples
    --------
    >>> preset("htnet").architecture["dim"]
    256
    >>> preset("ststnet").input.channels
    ('strain', 'v', 'u')
    >>> preset("majority").name
    'default'
    """
    table = _table(model)
    # A baseline has no published recipe and no quicker one: the usual names mean its only preset.
    if table.get("kind") == "baseline" and name in ("published", "sanity"):
        name = next(iter(table["presets"]))
    if name not in table["presets"]:
        raise UnknownNameError.among(f"preset of {model}", name, list(table["presets"]))
    values = {"model": model, "name": name, "kind": table.get("kind", "network"), **table["presets"][name]}
    return Preset.read(values, where=f"manifests/models/{model}.toml, presets.{name}")


@cache
def _table(model: str) -> dict[str, Any]:
    if model not in table_names("models"):
        raise UnknownNameError.among("model", model, table_names("models"))
    table = load_table("models", model)
    if not isinstance(table.get("presets"), dict) or not table["presets"]:
        raise ConfigError("The table of a model names no presets", where=f"manifests/models/{model}.toml")
    return table
