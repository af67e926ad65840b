"""The settings of alignment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from merprep.config import StageConfig
from merprep.ordinary import sha256_of


class AlignConfig(StageConfig):
    """How faces are found and brought into one geometry.

    Parameters
    ----------
    backend : str
        What finds the landmarks; ``auto`` is ``mesh``.
    size : int
        Side of the square aligned face, px.
    interocular : float
        Distance between the eye centres, as a part of `size`. The default, 0.375 (84 px of 224), lets a face fill
        the square from above the brows to below the chin.
    eye_height : float
        Distance of the eyes' centre line from the upper edge, as a part of `size`.
    margin : float
        Room added around that on each side, as a part of `size`; the face shrinks accordingly.
    interpolation : str
        ``cubic`` (a = -0.5, at exact positions) or ``linear``.
    person : {"largest", "central"} or int
        Which of several faces: the largest, the one nearest to the middle of the image, or by its number from the
        left, from 0.
    reference_frames : int
        How many frames, from the onset on, the landmarks are the median of; more than one lowers their noise.
    refine : {"none", "ecc"}
        ``ecc`` takes the head's own motion out of each frame, by the skin that expressions hardly move
        (`merprep.faces.refinement`).
    landmarks : str
        The file of landmarks that the backend ``precomputed`` reads.
    landmarks_sha256 : str
        Its SHA-256, filled in, so that another content is another configuration.

    Examples
    --------
    >>> AlignConfig().backend, AlignConfig() == AlignConfig(backend="mesh")
    ('mesh', True)
    """

    backend: str = Field(default="auto", validate_default=True)
    size: int = Field(default=224, ge=32, le=2048)
    interocular: float = Field(default=0.375, gt=0.05, lt=0.8)
    eye_height: float = Field(default=0.25, ge=0.0, le=0.8)
    margin: float = Field(default=0.0, ge=0.0, le=1.0)
    interpolation: Literal["cubic", "linear"] = "cubic"
    person: Literal["largest", "central"] | Annotated[int, Field(ge=0)] = "largest"
    reference_frames: int = Field(default=1, ge=1, le=100)
    refine: Literal["none", "ecc"] = "none"
    landmarks: str = ""
    landmarks_sha256: str = ""

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, name: str) -> str:
        # Resolved here, so that ``auto`` and what it stands for have the same id.
        from merprep.faces.backends import resolve

        return resolve(name)

    @model_validator(mode="before")
    @classmethod
    def _landmarks_by_content(cls, values: Any) -> Any:
        # A file that is gone keeps the digest it had: configurations are also read back from finished files.
        path = Path(str(values.get("landmarks") or "")) if isinstance(values, dict) else Path()
        if path.is_file():
            return {**values, "landmarks_sha256": sha256_of(path)}
        return values
