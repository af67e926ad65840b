"""How a network is trained, as data: optimiser, schedule, order, loss, augmentation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merprep.config import StageConfig
from merprep.models.presets import Preset


class Augmentation(StageConfig):
    """Changes drawn anew for every clip in every epoch, that respect what flow means.

    Parameters
    ----------
    flip : float
        Probability of mirroring the face, which also negates horizontal flow (the channel ``u``).
    shift : int
        Largest shift in pixels of the map, along both axes; the border is repeated.
    noise : float
        Standard deviation of white noise, in units of the network's input.
    """

    flip: float = Field(default=0.0, ge=0, le=1)
    shift: int = Field(default=0, ge=0)
    noise: float = Field(default=0.0, ge=0)

    @property
    def is_off(self) -> bool:
        """Whether nothing is changed."""
        return not (self.flip or self.shift or self.noise)


class Recipe(StageConfig):
    """One training recipe.

    Parameters
    ----------
    optimiser : str
        ``adam`` (L2 weight decay), ``adamw`` (decoupled) or ``sgd``.
    learning_rate, weight_decay, momentum : float
    schedule : str
        ``constant``, or ``cosine`` to zero over all steps.
    warmup_epochs : float
        Linear rise of the learning rate at the start.
    epochs, batch_size : int
    order : str
        ``shuffled`` anew every epoch; ``file``, the order of the feature file; ``by-class``, class after class in the
        order of the file, as the released HTNet reads its folders (each of its batches holds nearly one class).
    label_smoothing : float
    class_weight_power : float
        0 weighs every clip equally, 1 every class; between them, mild.

    Examples
    --------
    >>> Recipe(epochs=3).order
    'shuffled'
    """

    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0)
    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=64, ge=1)
    order: Literal["shuffled", "file", "by-class"] = "shuffled"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weight_power: float = Field(default=0.0, ge=0, le=1)
    augmentation: Augmentation = Augmentation()

    @classmethod
    def of(cls, preset: Preset, **overrides: Any) -> Recipe:
        """Read the recipe of a preset, with some settings replaced.

        Raises
        ------
        ConfigError
            Where a setting is unknown or out of range.

        Examples
        --------
        >>> from merprep.models import preset
        >>> recipe = Recipe.of(preset("htnet"), epochs=1)
        >>> recipe.learning_rate, recipe.epochs
        (5e-05, 1)
        """
        changed = {name: value for name, value in overrides.items() if value is not None}
        where = f"manifests/models/{preset.model}.toml, presets.{preset.name}.recipe"
        return cls.read({**preset.recipe, **changed}, where=where)
