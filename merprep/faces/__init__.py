"""Faces: landmark backends, the one transform of a clip, warping, and the regions of an aligned face."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from merprep.faces.alignment import AlignedClip, AlignedFace, align, align_clip
    from merprep.faces.backends import names as backend_names
    from merprep.faces.config import AlignConfig
    from merprep.faces.regions import region_points
    from merprep.faces.selftest import self_test

# OpenCV and numba are imported when a name is first used.
_HOMES = {
    "AlignConfig": ("merprep.faces.config", "AlignConfig"),
    "AlignedClip": ("merprep.faces.alignment", "AlignedClip"),
    "AlignedFace": ("merprep.faces.alignment", "AlignedFace"),
    "align": ("merprep.faces.alignment", "align"),
    "align_clip": ("merprep.faces.alignment", "align_clip"),
    "backend_names": ("merprep.faces.backends", "names"),
    "region_points": ("merprep.faces.regions", "region_points"),
    "self_test": ("merprep.faces.selftest", "self_test"),
}

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


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'merprep.faces' has no attribute {name!r}")
