"""Objective classes: what the action units alone say, without the emotion."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from merprep.labels.action_units import ActionUnit, parse_action_units, unit_numbers
from merprep.manifest_data import load_table

ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII")


@cache
def _table() -> tuple[dict[frozenset[int], str], str]:
    table = load_table("vocabulary", "objective_classes")
    sets = {frozenset(units): name for name, rows in table["sets"].items() for units in rows}
    return sets, table["otherwise"]


def objective_class(action_units: Sequence[ActionUnit] | str | float) -> str:
    """Return the objective class of a coding, ``I`` to ``VII``.

    Sides, parts, intensities and order do not count, nor do reflexes; of alternatives the first counts.
    Davison, Merghani, Yap, J. Imaging 2018 4(10):119.

    Parameters
    ----------
    action_units : sequence of ActionUnit, or a cell of a sheet

    Examples
    --------
    >>> objective_class(parse_action_units("L12B+6")), objective_class("4+7"), objective_class("4+14")
    ('I', 'III', 'VII')
    """
    units = parse_action_units(action_units) if isinstance(action_units, str | float | int) else action_units
    sets, otherwise = _table()
    return sets.get(unit_numbers(units), otherwise)


def roman_class(cell: str) -> str:
    """Return an objective class as sheets write it (``3``, ``3.0``, ``III``) in Roman numerals, or an empty text.

    Examples
    --------
    >>> roman_class("3"), roman_class("vii"), roman_class("?")
    ('III', 'VII', '')
    """
    text = cell.strip().upper().removesuffix(".0")
    if text in ROMAN:
        return text
    return ROMAN[int(text) - 1] if text.isdecimal() and 1 <= int(text) <= len(ROMAN) else ""
