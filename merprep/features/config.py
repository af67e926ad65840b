"""The settings of the flow stage."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from merprep.config import StageConfig
from merprep.faces.config import AlignConfig
from merprep.features.channels import unit_of
from merprep.features.region_sets import Edges, RegionTable, anatomical_table, read_tables
from merprep.features.regions import ANATOMICAL, PUBLISHED
from merprep.flow import estimator
from merprep.temporal.steps import TemporalConfig, TemporalSteps


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
    flow_size : int, optional
        The aligned face is shrunk to this size before flow is computed; None keeps `align.size`. Below it, motion is
        smaller than what any method sees well.
    size : int
        Height and width of the stored maps, px; a multiple of 4 (regions have half of it).
    channels : tuple of str
        In order; see `merprep.features.channel_names`.
    pair : {"onset-apex", "apex-offset"}
        Which frames flow is computed between.
    average : int
        How many frames on each side of both are averaged with them, against noise; needs every frame aligned.
    head_motion : {"none", "similarity", "affine"}
        The motion of the head that is fitted to the face without eyes and mouth, and removed. Turning, nearing and
        shifting; or any linear map, which also follows small turns out of the plane.
    mask_eyes : bool
        Whether flow is set to zero on the eyes and their lids, where it shows blinks and gaze.
    temporal : TemporalSteps, optional
        What is done to the frames in time before; None leaves them as the camera took them.
    regions : dict of str to RegionTable
        Region sets beside the two that every file has; given by their names (`region_tables`), they are filled in,
        so that they stand in the file and count for its id.
    region_edges : {"exact", "snapped"}
        Whether windows of regions are cut at parts of a pixel, or at whole working pixels.

    Examples
    --------
    >>> FlowConfig().parameters["warps"], FlowConfig().config_id() == FlowConfig(parameters={"warps": 3}).config_id()
    (3, True)
    """

    align: AlignConfig = Field(default_factory=AlignConfig)
    method: str = "tvl1"
    parameters: dict[str, Any] = Field(default_factory=dict, validate_default=True)
    flow_size: int | None = Field(default=None, ge=16, le=2048)
    size: int = Field(default=28, ge=8, le=2048, multiple_of=4)
    channels: tuple[str, ...] = Field(default=("u", "v", "strain"), min_length=1)
    pair: Literal["onset-apex", "apex-offset"] = "onset-apex"
    average: int = Field(default=0, ge=0, le=20)
    head_motion: Literal["none", "similarity", "affine"] = "similarity"
    mask_eyes: bool = False
    temporal: TemporalSteps | None = None
    regions: dict[str, RegionTable] = Field(default_factory=dict)
    region_edges: Edges = "exact"

    @property
    def working_size(self) -> int:
        """The size at which flow and strain are computed, px."""
        return self.flow_size or self.align.size

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

    @field_validator("regions", mode="before")
    @classmethod
    def _tables_of_names(cls, given: Any) -> Any:
        return read_tables(given)

    @field_validator("regions")
    @classmethod
    def _beside_the_others(cls, tables: dict[str, RegionTable]) -> dict[str, RegionTable]:
        if PUBLISHED in tables or tables.get(ANATOMICAL, anatomical_table()) != anatomical_table():
            raise ValueError(f"{ANATOMICAL} and {PUBLISHED} are the same in every file: give the set another name")
        return {name: table for name, table in tables.items() if name != ANATOMICAL}

    @field_validator("temporal")
    @classmethod
    def _without_alignment(cls, steps: TemporalSteps | None) -> TemporalSteps | None:
        if isinstance(steps, TemporalConfig):
            raise ValueError("how faces are aligned is said by 'align' alone: give the steps(), not the whole")
        return steps

    @model_validator(mode="after")
    def _size_fits(self) -> Self:
        if self.working_size > self.align.size:
            raise ValueError(f"flow_size is larger than the aligned face ({self.align.size} px)")
        if self.size > self.working_size:
            raise ValueError(
                f"the stored size is larger than the size at which flow is computed ({self.working_size} px)"
            )
        return self
