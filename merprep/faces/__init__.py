"""Faces: landmark backends, the one transform of a clip, warping, and the regions of an aligned face."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merprep.faces.backends import names as backend_names
from merprep.lazy import lazy_names

if TYPE_CHECKING:
    from merprep.faces.alignment import AlignedClip, AlignedFace, align, align_clip
    from merprep.faces.config import AlignConfig
    from merprep.faces.regions import region_points
    from merprep.faces.selftest import self_test

__all__ = [
    "AlignConfig",
    "AlignedClip",
    "AlignedFace",
    "align",
    "align_clip",
    "backend_names",
    "region_points",
    "self_test",
]

# OpenCV and numba are imported when a name is first used.
__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(("AlignedClip", "AlignedFace", "align", "align_clip"), "alignment"),
        "AlignConfig": "config",
        "region_points": "regions",
        "self_test": "selftest",
    },
)
