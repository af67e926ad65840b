"""Cells of a sheet as what they mean: text that stays text, frame numbers, nothing."""

from __future__ import annotations

import datetime
import math
import re

Cell = int | float | str | bool | datetime.time | datetime.date | datetime.datetime | datetime.timedelta | None
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
# What coders write where a frame is not annotated; SAMM's tables say -1.
_NOT_ANNOTATED = {"", "/", "-", "?", "na", "n/a", "nan", "none", "null", "-1"}


def cell_text(cell: Cell) -> str:
    """Return a cell as text, numbers without a fraction as integers; controls and runs of blanks become one blank.

    Examples
    --------
    >>> cell_text("01"), cell_text(12.0), cell_text(None), cell_text(" a  b ")
    ('01', '12', '', 'a b')
    """
    if isinstance(cell, str):  # most cells, which rarely hold what cannot be printed
        return " ".join((cell if cell.isprintable() else _CONTROLS.sub(" ", cell)).split())
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(_CONTROLS.sub(" ", str(cell)).split())


def is_blank(cell: Cell) -> bool:
    """Whether a cell holds nothing.

    Examples
    --------
    >>> is_blank("  "), is_blank(0)
    (True, False)
    """
    return cell_text(cell) == ""


def frame_number(cell: Cell) -> int | None:
    """Return a frame number, or None where none is annotated or the cell is no whole number of 0 or more.

    Examples
    --------
    >>> frame_number(46.0), frame_number("355"), frame_number("/"), frame_number(-1)
    (46, 355, None, None)
    """
    text = cell_text(cell).removesuffix(".0")
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def is_not_annotated(cell: Cell) -> bool:
    """Whether a cell says that there is no number, rather than something unreadable.

    Examples
    --------
    >>> is_not_annotated("/"), is_not_annotated("MISSING <-426679")
    (True, False)
    """
    return cell_text(cell).lower() in _NOT_ANNOTATED


def plain_note(text: str) -> str:
    """Return a text that may stand in a list of notes, whose separator is ``;``.

    Examples
    --------
    >>> plain_note("a;  b")
    'a, b'
    """
    return " ".join(text.replace(";", ",").split())
