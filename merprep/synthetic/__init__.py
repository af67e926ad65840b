"""Rendered clips with a known motion field, and whole fake databases in each real on-disk layout. Public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merprep.lazy import lazy_names

if TYPE_CHECKING:
    from merprep.synthetic.databases import write_database
    from merprep.synthetic.render import RenderedClip, render_clip

__all__ = ["RenderedClip", "render_clip", "write_database"]

# OpenCV, numba and scikit-image are imported when a name is first used.
__getattr__ = lazy_names(__name__, {"RenderedClip": "render", "render_clip": "render", "write_database": "databases"})
