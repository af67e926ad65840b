"""Figures, from files already on disk. matplotlib and OpenCV are imported when a figure is drawn."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from merprep.report.clip_figure import ClipPicture, draw_clip
    from merprep.report.confusion_figure import draw_confusion
    from merprep.report.show import clip_picture, show_clip

_HOMES = {
    "ClipPicture": "merprep.report.clip_figure",
    "clip_picture": "merprep.report.show",
    "draw_clip": "merprep.report.clip_figure",
    "draw_confusion": "merprep.report.confusion_figure",
    "show_clip": "merprep.report.show",
}

__all__ = ["ClipPicture", "clip_picture", "draw_clip", "draw_confusion", "show_clip"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'merprep.report' has no attribute {name!r}")
