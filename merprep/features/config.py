"""The settings of the flow stage."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from merprep.config import StageConfig
from merprep.faces.config import AlignConfig
from merprep.features.channels import unit_of
from merprep.flow import estimator


class FlowConfig(StageConfig):
    """How aligned faces become features.

    Parameters
    ----------
    align : AlignConfig
        How the faces were aligned; `align.size` is the working size, at which flow and strain are computed.
    method : str
        The flow method.
    parameters : dict
        Its parameters. Defaults are filled in, so that they stand in the file and count for its id.
    size : int
        Height and width of the stored maps, px; a multiple of 4 (regions have half of it).
    channels : tuple of str
        In order.

    Examples
    --------
    >>> FlowConfig().parameters["warps"], FlowConfig().config_id() == FlowConfig(parameters={"warps": 3}).config_id()
    (3, True)
    """

    align: AlignConfig = Field(default_factory=AlignConfig)
    method: str = "tvl1"
    parameters: dict[str, Any] = Field(default_factory=dict, validate_default=True)
    size: int = Field(default=28, ge=8, le=2048, multiple_of=4)
    channels: tuple[str, ...] = Field(default=("u", "v", "strain"), min_length=1)

    @field_validator("parameters")
    @classmethod
    def _with_defaults(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        settings: StageConfig = estimator(str(info.data["method"]), **given).parameters
        return settings.model_dump(mode="json")

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            unit_of(name)
        if len(set(names)) < len(names):
            raise ValueError("a channel is named twice")
        return names

    @model_validator(mode="after")
    def _size_fits(self) -> Self:
        if self.size > self.align.size:
            raise ValueError(f"the stored size is larger than the aligned face ({self.align.size} px)")
        return self
