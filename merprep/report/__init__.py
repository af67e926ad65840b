"""Figures and the report, from files already on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merprep.lazy import lazy_names

if TYPE_CHECKING:
    from merprep.report.clip_figure import ClipPicture, draw_clip
    from merprep.report.confusion_figure import draw_confusion
    from merprep.report.page import write_report
    from merprep.report.show import animate_clip, clip_picture, compare_methods, show_clip

__all__ = [
    "ClipPicture",
    "animate_clip",
    "clip_picture",
    "compare_methods",
    "draw_clip",
    "draw_confusion",
    "show_clip",
    "write_report",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ClipPicture": "clip_figure",
        "animate_clip": "show",
        "clip_picture": "show",
        "compare_methods": "show",
        "draw_clip": "clip_figure",
        "draw_confusion": "confusion_figure",
        "show_clip": "show",
        "write_report": "page",
    },
)
