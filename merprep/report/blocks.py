"""What a report is made of: paragraphs, notes, tables, figures. Sections give these, the templates draw them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from markupsafe import Markup

Value = str | int | float | None

# The files themselves hold all rows: manifest.csv, predictions.csv, the HDF5 files.
MOST_ROWS = 2000
# Short tables are read at a glance; a filter would only be in the way.
_FILTERED_FROM = 8


@dataclass(frozen=True)
class Text:
    """A paragraph; plain text, never interpreted."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Notes:
    """A list of sentences that a reader must know."""

    kind: ClassVar[str] = "notes"
    items: tuple[str, ...]
    tone: Literal["note", "warning"] = "note"


@dataclass(frozen=True)
class Missing:
    """What is not there yet, and the command that makes it."""

    kind: ClassVar[str] = "missing"
    text: str
    command: str


@dataclass(frozen=True)
class Tiles:
    """A few numbers at a glance: (label, value, remark)."""

    kind: ClassVar[str] = "tiles"
    items: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Code:
    """Commands or JSON to copy."""

    kind: ClassVar[str] = "code"
    title: str
    text: str


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Parameters
    ----------
    svg : Markup
        Made by `merprep.report.svg`, which escapes every text in it.
    caption : str
    name : str
        What the file is called when it is saved.
    """

    kind: ClassVar[str] = "figure"
    svg: Markup
    caption: str
    name: str
    wide: bool = False


@dataclass(frozen=True)
class Figures:
    """Several drawings side by side, under one heading."""

    kind: ClassVar[str] = "figures"
    title: str
    figures: tuple[Figure, ...]
    text: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell that is drawn in a tone, or sorted by something else than its text."""

    value: Value
    tone: Literal["", "good", "bad", "muted", "strong"] = ""
    sort: float | None = None


@dataclass(frozen=True)
class Table:
    """A table that sorts and, where it is long, filters.

    Parameters
    ----------
    caption : str
    columns : sequence of str
    rows : sequence of sequences
        Of values or `Cell`; a column of numbers is set to the right.

    Examples
    --------
    >>> table = Table("Clips", ("database", "clips"), [("samm", 159), ("smic", 164)])
    >>> table.numeric, table.ident, table.filtered
    ((False, True), 'table-clips', False)
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value | Cell]]
    first_is_head: bool = True
    name: str = ""

    @property
    def ident(self) -> str:
        """What the table is called in the page."""
        return f"table-{slug(self.name or self.caption)}"

    @property
    def filtered(self) -> bool:
        """Whether the table is long enough for a filter."""
        return len(self.rows) >= _FILTERED_FROM

    @cached_property
    def numeric(self) -> tuple[bool, ...]:
        """For each column, whether it holds numbers."""
        return tuple(self._is_numeric(index) for index in range(len(self.columns)))

    @property
    def left_out(self) -> int:
        """How many rows are not shown, since a page with all of them would be slow."""
        return max(len(self.rows) - MOST_ROWS, 0)

    @cached_property
    def cells(self) -> list[list[Cell]]:
        """The rows that are shown, every value as a `Cell`."""
        return [[value if isinstance(value, Cell) else Cell(value) for value in row] for row in self.rows[:MOST_ROWS]]

    def _is_numeric(self, index: int) -> bool:
        cells = [row[index] for row in self.cells]
        numbers = [cell.sort is not None or isinstance(cell.value, int | float) for cell in cells]
        return any(numbers) and all(
            number or cell.value in (None, "", "–") for number, cell in zip(numbers, cells, strict=True)
        )


@dataclass(frozen=True)
class Group:
    """Blocks under a heading of their own."""

    kind: ClassVar[str] = "group"
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away until asked for."""

    kind: ClassVar[str] = "details"
    summary: str
    blocks: tuple[Block, ...]


Block = Text | Notes | Missing | Tiles | Code | Figure | Figures | Table | Group | Details


@dataclass(frozen=True)
class Section:
    """One part of the report."""

    ident: str
    title: str
    blocks: tuple[Block, ...]
    short: str = ""


def slug(text: str) -> str:
    """Turn a title into a name for links and files.

    Examples
    --------
    >>> slug("casme2/sub01: Persons & clips")
    'casme2-sub01-persons-clips'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"


def shown(value: Value) -> str:
    """Write a value as a reader sees it.

    Examples
    --------
    >>> shown(0.86034), shown(None), shown(12)
    ('0.860', '–', '12')
    """
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
