"""The confusion matrix as a drawing for the page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from merprep.report.svg import HONEST, INK, drawing, rect, text

_CELL = 74
_LEFT, _TOP = 118, 44


def confusion_drawing(matrix: Sequence[Sequence[int]], classes: Sequence[str], title: str) -> Markup:
    """Draw rows of truth by columns of prediction, each cell with its count and its share of the row.

    Examples
    --------
    >>> str(confusion_drawing([[3, 1], [0, 4]], ("negative", "positive"), "HTNet")).count("75 %")
    2
    """
    size = len(classes)
    parts = [text(_LEFT + size * _CELL / 2, 14, "predicted", anchor="middle", fill_opacity=0.75),
             text(4, _TOP - 8, "true", fill_opacity=0.75)]  # fmt: skip
    told = []
    for index, name in enumerate(classes):
        parts.append(text(_LEFT + (index + 0.5) * _CELL, _TOP - 8, _short(name), anchor="middle"))
        parts.append(text(_LEFT - 8, _TOP + (index + 0.5) * _CELL + 4, _short(name, 16), anchor="end"))
    for row, counts in enumerate(matrix):
        total = sum(counts)
        for column, count in enumerate(counts):
            share = count / total if total else 0.0
            parts += _cell(row, column, int(count), share)
            told.append(f"{classes[row]} predicted {classes[column]}: {int(count)} ({share:.0%})".replace("%", " %"))
    return drawing(_LEFT + size * _CELL + 6, _TOP + size * _CELL + 6, title, "; ".join(told), *parts)


def _cell(row: int, column: int, count: int, share: float) -> list[Markup]:
    x, y = _LEFT + column * _CELL, _TOP + row * _CELL
    # From half on the fill is dark enough for white in both themes; below it the page's own ink is read on its paper.
    ink = "#ffffff" if share > 0.5 else INK
    depth = 0.78 + 0.22 * share if share > 0.5 else 0.5 * share
    edge = 0.5 if row == column else 0.2
    return [
        rect(x + 1, y + 1, _CELL - 2, _CELL - 2, fill=HONEST, fill_opacity=depth, stroke=INK, stroke_opacity=edge),
        text(x + _CELL / 2, y + _CELL / 2 - 1, count, size=16, anchor="middle", fill=ink),
        text(x + _CELL / 2, y + _CELL / 2 + 17, f"{share * 100:.0f} %", size=11, anchor="middle", fill=ink),
    ]


def _short(name: str, most: int = 11) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
