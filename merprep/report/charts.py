"""Small charts as SVG: bars, histograms, two scores on one line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from merprep.report.svg import HONEST, OPTIMISTIC, drawing, line, rect, tag, text

_WIDTH = 640
_LEFT = 190
_ROW = 24
_FAINT = 0.25
# Classes, in their order; apart in lightness too, so that they hold without colour.
CLASS_COLOURS = ("#2574b5", "#d3761a", "#2b9c76", "#8c62b8", "#b8492f", "#7a8288", "#a08a1c")


def stacked_bars(
    title: str, rows: Sequence[tuple[str, Sequence[int]]], classes: Sequence[str], *, unit: str = "clips"
) -> Markup:
    """Draw one bar a row, made of one part a class.

    Parameters
    ----------
    title : str
    rows : sequence of (label, counts)
        As many counts as classes.
    classes : sequence of str
    unit : str
        What is counted.
    """
    most = max((sum(counts) for _, counts in rows), default=0) or 1
    parts = _legend(classes)
    top = 30
    for index, (label, counts) in enumerate(rows):
        y, x = top + index * _ROW, float(_LEFT)
        parts.append(text(_LEFT - 8, y + 14, label, anchor="end"))
        for number, name, colour in zip(counts, classes, _colours(len(classes)), strict=True):
            width = number / most * (_WIDTH - _LEFT - 60)
            if number:
                parts.append(tag("rect", tag("title", f"{label}, {name}: {number}"), x=x, y=y, width=width,
                                 height=_ROW - 6, fill=colour))  # fmt: skip
            x += width
        parts.append(text(x + 6, y + 14, sum(counts)))
    told = "; ".join(
        f"{label}: " + ", ".join(f"{name} {number}" for name, number in zip(classes, counts, strict=True))
        for label, counts in rows
    )
    return drawing(_WIDTH, top + len(rows) * _ROW + 4, title, f"{unit} by class. {told}", *parts)


def bars(title: str, rows: Sequence[tuple[str, float, str]]) -> Markup:
    """Draw one bar a row: (label, length, what is written beside it)."""
    most = max((value for _, value, _ in rows), default=0.0) or 1.0
    parts = []
    for index, (label, value, written) in enumerate(rows):
        y = 6 + index * _ROW
        width = max(value / most * (_WIDTH - _LEFT - 130), 1.0)
        parts.append(text(_LEFT - 8, y + 14, label, anchor="end"))
        parts.append(rect(_LEFT, y, width, _ROW - 6, fill=HONEST))
        parts.append(text(_LEFT + width + 6, y + 14, written))
    told = "; ".join(f"{label}: {written}" for label, _, written in rows)
    return drawing(_WIDTH, 12 + len(rows) * _ROW, title, told, *parts)


def histogram(
    title: str,
    values: Sequence[float],
    unit: str,
    *,
    bins: int = 24,
    span: tuple[float, float] | None = None,
    width: int = _WIDTH,
) -> Markup:
    """Draw how often values occur; the description tells their range and median.

    Parameters
    ----------
    title : str
    values : sequence of float
        What is not finite is left out.
    unit : str
    bins : int
    span : (float, float), optional
        The ends of the axis; None takes those of the values.
    width : int
    """
    height, left, base = 190, 46, 150
    array = np.asarray([value for value in values if np.isfinite(value)], np.float64)
    if not array.size:
        return drawing(width, 40, title, "no values", text(left, 24, "no values"))
    low, high = float(array.min()), float(array.max())
    counts, edges = np.histogram(array, bins=bins, range=span or (low, high if high > low else low + 1e-3))
    most = int(counts.max())
    step = (width - left - 20) / bins
    parts = [line(left, base, width - 20, base), text(left - 6, 24, most, anchor="end")]
    parts.append(text(left - 6, base, 0, anchor="end"))
    for index, number in enumerate(counts.tolist()):
        tall = number / most * (base - 16)
        if number:
            told = f"{edges[index]:.3g} to {edges[index + 1]:.3g} {unit}: {number}"
            parts.append(tag("rect", tag("title", told), x=left + index * step + 1, y=base - tall, width=step - 2,
                             height=tall, fill=HONEST))  # fmt: skip
    for share in (0.0, 0.5, 1.0):
        value = edges[0] + share * (edges[-1] - edges[0])
        anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
        parts.append(text(left + share * bins * step, base + 17, f"{value:.3g}", anchor=anchor))
    parts.append(text(left + bins * step / 2, base + 34, unit, anchor="middle"))
    told = f"{array.size} clips, {low:.3g} to {high:.3g} {unit}, median {np.median(array):.3g}"
    return drawing(width, height, title, told, *parts)


def two_scores(title: str, rows: Sequence[tuple[str, float, float | None]]) -> Markup:
    """Draw (label, honest, optimistic) on an axis from 0 to 1; the line between them is the gap."""
    right = _WIDTH - 70
    top, span = 34, right - _LEFT
    bottom = top + len(rows) * _ROW
    parts = [_dot(_LEFT, 12, HONEST), text(_LEFT + 10, 16, "honest"), _ring(_LEFT + 80, 12),
             text(_LEFT + 90, 16, "optimistic (epoch chosen on the test person)")]  # fmt: skip
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _LEFT + tick * span
        parts.append(line(x, top - 6, x, bottom, stroke_opacity=_FAINT))
        parts.append(text(x, bottom + 16, f"{tick:g}", anchor="middle"))
    for index, (label, honest, optimistic) in enumerate(rows):
        y = top + index * _ROW + 10
        parts.append(text(_LEFT - 12, y + 4, _short(label), anchor="end"))
        if optimistic is not None:
            parts.append(
                line(_LEFT + honest * span, y, _LEFT + optimistic * span, y, stroke=OPTIMISTIC, stroke_width=2)
            )
            parts.append(_ring(_LEFT + optimistic * span, y))
        parts.append(_dot(_LEFT + honest * span, y, HONEST))
        gap = "" if optimistic is None else f"{optimistic - honest:+.3f}"
        parts.append(text(right + 14, y + 4, gap))
    told = "; ".join(
        f"{label}: honest {honest:.3f}" + ("" if optimistic is None else f", optimistic {optimistic:.3f}")
        for label, honest, optimistic in rows
    )
    return drawing(_WIDTH, bottom + 24, title, told, *parts)


def _dot(x: float, y: float, colour: str) -> Markup:
    return tag("circle", cx=x, cy=y, r=4.5, fill=colour)


def _ring(x: float, y: float) -> Markup:
    return tag("circle", cx=x, cy=y, r=5.5, fill="none", stroke=OPTIMISTIC, stroke_width=2)


def _legend(classes: Sequence[str]) -> list[Markup]:
    parts, x = [], float(_LEFT)
    for name, colour in zip(classes, _colours(len(classes)), strict=True):
        parts += [rect(x, 6, 11, 11, fill=colour), text(x + 15, 16, name)]
        x += 15 + 6.6 * len(name) + 16
    return parts


def _colours(count: int) -> list[str]:
    return [CLASS_COLOURS[index % len(CLASS_COLOURS)] for index in range(count)]


def _short(label: str, most: int = 28) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
