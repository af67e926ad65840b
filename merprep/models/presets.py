"""Presets: what a network is built with, what it eats and how it is trained, as data in ``manifests/models``."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from merprep.config import StageConfig
from merprep.errors import ConfigError, UnknownNameError
from merprep.manifest_data import load_table, table_names

Normalisation = Literal[
    "none", "minmax-255", "minmax-symmetric", "peak-symmetric", "fixed-bound", "train-standard",
    "imagenet", "onset-difference",
]  # fmt: skip
_OF_PICTURES = ("none", "imagenet", "onset-difference")
_COLOURS = (("r", "g", "b"), ("gray",))


class InputSpec(StageConfig):
    """What a network is given of a clip.

    Parameters
    ----------
    representation : str
        From a feature file: ``map`` (the whole face) or ``mosaic:<region set>`` (four regions, 0 and 1 above 2 and
        3). From a file of aligned faces: ``apex``, the apex picture; ``frames:N+onset+apex``, N pictures of the clip,
        then its onset and its apex.
    channels : tuple of str
        Names in the order of the network's input channels; of pictures ``r, g, b`` or ``gray``.
    normalisation : str
        How each channel of each clip is scaled. By statistics of the whole map of the same clip, so that nothing is
        fitted and nothing can leak: ``minmax-255`` (smallest value to 0, largest to 255, as the published maps are);
        ``minmax-symmetric`` (smallest to -1, largest to 1); ``peak-symmetric`` (divided by the largest magnitude:
        zero motion stays zero). By none: ``none``; ``fixed-bound`` (divided by `bounds`, cut off at -1 and 1). By
        statistics of the training side of each fold: ``train-standard`` (mean 0, standard deviation 1; see
        `merprep.training.normalising`). Of pictures: ``none`` (0 to 255); ``imagenet`` (0 to 1, then ImageNet's mean
        and deviation of each colour); ``onset-difference`` (less the clip's own onset picture, in tens of grey
        levels).
    bounds : dict of str to float
        For ``fixed-bound``, and only for it: the value of each channel that becomes 1, in the channel's unit (px for
        u and v, px/px for strain).
    size : int
        Side of the pictures in pixels; 0, and only 0, for feature files.
    train_size : int
        Of pictures: 0, or the side to which clips are brought for training, of which a random piece of `size` is
        then taken anew each time.
    sampling, padding, window : str, str, int
        How the N pictures are taken from the frames between onset and offset, of which no more than `window` behind
        the onset count: ``even`` (evenly spread, the same each time) or ``random`` (drawn anew each time, also when
        tested, as published). Where there are fewer, the first is repeated in front and the last behind (``repeat``),
        or the places are black (``zeros``).

    Examples
    --------
    >>> InputSpec(representation="mosaic:anatomical", channels=("u", "v", "strain")).region_set
    'anatomical'
    >>> InputSpec(channels=("u", "v"), normalisation="fixed-bound", bounds={"u": 2, "v": 2}).bounds
    {'u': 2.0, 'v': 2.0}
    """

    representation: str = Field(default="map", pattern=r"^(map|mosaic:[\w.-]+|apex|frames:[1-9]\d*\+onset\+apex)$")
    channels: tuple[str, ...] = ("u", "v", "strain")
    normalisation: Normalisation = "none"
    bounds: dict[str, PositiveFloat] = Field(default_factory=dict)
    size: int = Field(default=0, ge=0)
    train_size: int = Field(default=0, ge=0)
    sampling: Literal["even", "random"] = "even"
    padding: Literal["repeat", "zeros"] = "repeat"
    window: int = Field(default=50, ge=0)

    @model_validator(mode="after")
    def _pictures_fit(self) -> Self:
        if not self.is_picture:
            if self.size or self.train_size or self.normalisation in _OF_PICTURES[1:]:
                raise ValueError("size, train_size, imagenet and onset-difference are for pictures, not for maps")
            return self
        if self.channels not in _COLOURS or self.normalisation not in _OF_PICTURES or not self.size:
            raise ValueError(
                f"pictures need a size, the channels r, g, b or gray, and a normalisation of {', '.join(_OF_PICTURES)}"
            )
        if self.train_size and self.train_size < self.size:
            raise ValueError(f"train_size must not be below size, {self.size}, and is {self.train_size}")
        if self.normalisation == "onset-difference" and not self.frames:
            raise ValueError("onset-difference needs a representation that holds the onset")
        return self

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
        kind, _, name = self.representation.partition(":")
        return name if kind == "mosaic" else None

    @property
    def is_picture(self) -> bool:
        """Whether the network sees pictures, from a file of aligned faces, and not maps from a feature file."""
        return self.representation == "apex" or self.frames > 0

    @property
    def frames(self) -> int:
        """How many pictures are taken of the clip, beside its onset and its apex; 0 where none are."""
        kind, _, rest = self.representation.partition(":")
        return int(rest.partition("+")[0]) if kind == "frames" else 0


class Preset(StageConfig):
    """One named setting of a model: architecture, input and recipe.

    `kind` is ``network``, or ``baseline`` for what is fitted without gradients (`architecture` then holds the
    baseline's own settings, and `recipe` is empty). `pretraining` is the recipe of the first stage where training has
    two (`merprep train --pretrain`); empty is `recipe` again.
    """

    model: str
    name: str
    kind: Literal["network", "baseline"] = "network"
    description: str
    architecture: dict[str, Any] = Field(default_factory=dict)
    input: InputSpec = InputSpec()
    recipe: dict[str, Any] = Field(default_factory=dict)
    pretraining: dict[str, Any] = Field(default_factory=dict)


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
    >>> preset("majority").name, preset("flow-cnn").name
    ('default', 'sanity')
    """
    table = _table(model)
    # What has one preset only, a baseline or a network of our own, has no published recipe and no quicker one: the
    # usual names mean that preset.
    if len(table["presets"]) == 1 and name in ("published", "sanity"):
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
