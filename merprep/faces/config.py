"""The settings of alignment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from merprep.config import StageConfig


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

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, name: str) -> str:
        # Resolved here, so that ``auto`` and what it stands for have the same id.
        from merprep.faces.backends import resolve

        return resolve(name)
