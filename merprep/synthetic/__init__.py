"""Rendered clips with a known motion field, and whole fake databases in each real on-disk layout. Public API."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from merprep.synthetic.databases import write_database
    from merprep.synthetic.render import RenderedClip, render_clip

# OpenCV, numba and scikit-image are imported when a name is first used.
_HOMES = {
    "RenderedClip": "merprep.synthetic.render",
    "render_clip": "merprep.synthetic.render",
    "write_database": "merprep.synthetic.databases",
}

__all__ = ["RenderedClip", "render_clip", "write_database"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'merprep.synthetic' has no attribute {name!r}")
