"""How a network is trained, as data: optimiser, schedule, order, loss, augmentation."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

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
        Standard deviation of white noise, in units of the network's input (of pictures: in grey levels).
    flow_noise : float
        Of maps: standard deviation of white noise as a part of each channel's own in that clip; added in squares to
        `noise`.
    rotation : float
        The largest turn, in degrees either way. The flow of a map turns with the face: u and v mix, strain only moves.
    brightness : float
        Of pictures: the largest change of brightness, in grey levels either way.
    blend : float
        Of maps: the largest share of another clip of the batch that is blended into a clip, drawn evenly from 0 to
        this; the loss counts the other's class by the same share (mixup, Zhang et al., arXiv 1710.09412, which draws
        the share from a beta distribution).
    """

    flip: float = Field(default=0.0, ge=0, le=1)
    shift: int = Field(default=0, ge=0)
    noise: float = Field(default=0.0, ge=0)
    flow_noise: float = Field(default=0.0, ge=0)
    rotation: float = Field(default=0.0, ge=0, le=180)
    brightness: float = Field(default=0.0, ge=0)
    blend: float = Field(default=0.0, ge=0, le=0.5)

    @property
    def is_off(self) -> bool:
        """Whether nothing is changed."""
        return not any(self.model_dump().values())


class Recipe(StageConfig):
    """One training recipe.

    Parameters
    ----------
    optimiser : str
        ``adam`` (L2 weight decay), ``adamw`` (decoupled) or ``sgd``.
    learning_rate, weight_decay, momentum : float
    decay_matrices_only : bool
        No weight decay on tensors of one dimension: biases, and the scales of norms.
    layer_decay : float
        The learning rate of each layer as a part of that of the layer above; 1 is the same for all.
    bias_rate : float
        The learning rate of biases as a multiple of that of weights.
    schedule : str
        ``constant``; ``cosine`` to `minimum_learning_rate` over all steps behind the warm-up; ``step``, times
        `step_factor` every `step_iterations` steps, or every `step_epochs` epochs.
    minimum_learning_rate, step_factor, step_iterations, step_epochs : float, float, int, int
    warmup_epochs : float
        Linear rise of the learning rate from 0 at the start.
    epochs, batch_size : int
    iterations : int
        Where not 0: how many batches are trained on, in place of `epochs`; the last epoch ends early.
    order : str
        ``shuffled`` anew every epoch; ``file``, the order of the feature file; ``by-class``, class after class in the
        order of the file, as the released HTNet reads its folders (each of its batches holds nearly one class);
        ``balanced``, as many draws as there are clips, with replacement, every class equally likely; ``equalised``,
        every clip once and clips of the smaller classes again, until all classes are as large as the largest.
    drop_last : bool
        Leave out the last batch of an epoch where it is not full, unless it is the only one.
    label_smoothing : float
    class_weight_power : float
        0 weighs every clip equally, 1 every class; between them, mild.
    precision : str
        ``float32``; ``bfloat16`` for the network's products; or ``auto``, see `merprep.training.precision`.
    members : int
        How many networks are trained on the same batches, with weights and dropout of their own; their probabilities
        are averaged.
    test_mirrored : bool
        Of maps: a clip's probabilities are the mean of its own and those of its mirror image.

    Examples
    --------
    >>> Recipe(epochs=3).order
    'shuffled'
    """

    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    decay_matrices_only: bool = False
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    bias_rate: float = Field(default=1.0, gt=0)
    schedule: Literal["constant", "cosine", "step"] = "constant"
    minimum_learning_rate: float = Field(default=0.0, ge=0)
    step_factor: float = Field(default=0.1, gt=0, le=1)
    step_iterations: int = Field(default=0, ge=0)
    step_epochs: int = Field(default=0, ge=0)
    warmup_epochs: float = Field(default=0.0, ge=0)
    epochs: int = Field(default=60, ge=1)
    iterations: int = Field(default=0, ge=0)
    batch_size: int = Field(default=64, ge=1)
    order: Literal["shuffled", "file", "by-class", "balanced", "equalised"] = "shuffled"
    drop_last: bool = False
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weight_power: float = Field(default=0.0, ge=0, le=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    members: int = Field(default=1, ge=1, le=64)
    test_mirrored: bool = False
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        given = (self.step_iterations > 0) + (self.step_epochs > 0)
        if given != (self.schedule == "step"):
            raise ValueError("the schedule 'step', and no other, needs one of step_iterations and step_epochs")
        return self

    def steps_between(self, batches: int) -> int:
        """Return after how many steps the rate falls by `step_factor`, where an epoch has `batches`.

        Examples
        --------
        >>> Recipe(schedule="step", step_epochs=10).steps_between(7)
        70
        """
        return self.step_iterations or self.step_epochs * batches

    def steps(self, batches: int) -> int:
        """Return how many batches are trained on in all, where an epoch has `batches`.

        Examples
        --------
        >>> Recipe(epochs=3).steps(10), Recipe(iterations=25).steps(10)
        (30, 25)
        """
        return self.iterations or self.epochs * batches

    @classmethod
    def of(cls, preset: Preset, **overrides: Any) -> Recipe:
        """Read the recipe of a preset, with some settings replaced; `epochs` replaces iterations too.

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
        if "epochs" in changed:
            changed.setdefault("iterations", 0)
        where = f"manifests/models/{preset.model}.toml, presets.{preset.name}.recipe"
        return cls.read({**preset.recipe, **changed}, where=where)
