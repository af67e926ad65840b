"""Sheets with several emotions a clip: a combination in one cell, and a column for each emotion."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from merprep.databases.cells import Cell, cell_text, is_blank

_YES = {"1", "x", "yes", "true"}


def indicator_places(header: Sequence[Cell], indicators: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return, by emotion, the position of its column."""
    names = [_plain(cell_text(cell)) for cell in header]
    wanted = {word: {_plain(spelling) for spelling in spellings} for word, spellings in indicators.items()}
    return {
        word: next(place for place, name in enumerate(names) if name in spellings)
        for word, spellings in wanted.items()
        if spellings & set(names)
    }


def with_emotions(
    cells: dict[str, Cell], row: Sequence[Cell], places: Mapping[str, int]
) -> tuple[dict[str, Cell], tuple[str, ...]]:
    """Return the cells with an emotion, and a note where combination and columns disagree.

    Examples
    --------
    >>> with_emotions({"emotion": None}, [None, 1.0, 0.0, 1.0], {"Positive": 1, "Negative": 2, "Surprise": 3})
    ({'emotion': 'Positive+Surprise'}, ())
    >>> with_emotions({"emotion": "Negative"}, [None, 1.0, 0.0], {"Positive": 1, "Negative": 2})[1]
    ('the emotion is Negative, and the columns of the emotions say Positive: the first counts',)
    """
    if not places:
        return cells, ()
    shown = [word for word, place in places.items() if place < len(row) and cell_text(row[place]).casefold() in _YES]
    if is_blank(cells.get("emotion")):
        return {**cells, "emotion": "+".join(shown) or None}, ()
    said = cell_text(cells["emotion"])
    if {_plain(word) for word in said.split("+")} == {_plain(word) for word in shown}:
        return cells, ()
    columns = "+".join(shown) or "none"
    return cells, (f"the emotion is {said}, and the columns of the emotions say {columns}: the first counts",)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold()).removesuffix("s")
