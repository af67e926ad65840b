"""Reads action units as coders write them, and writes them back.

The grammar is that of the released sheets: units joined by ``+`` or commas (also the full-width one); a side ``L``,
``R`` or ``A`` (asymmetric); a part ``T`` or ``B`` (top, bottom); an intensity ``A`` to ``E`` or two of them
(``10A/B``); ``ref(7B)`` for a reflex; ``or`` or ``/`` between alternatives; ``?`` for doubt; ``(k)`` for a unit that
is kept over the whole clip. What is none of these is kept as a remark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

_SIDES = "LRA"
# A side may be two ("A/L12": asymmetric or left), and so may the intensity ("10A/B").
_UNIT = re.compile(
    r"""(?P<kind>AU|AD|M)?\s*
        (?P<side>[LRA](?:/[LRA])?)?(?P<part>[TB])?(?P<kind_inside>AU|AD|M)?
        (?P<number>\d{1,3})
        (?P<intensity>[A-E](?:/[A-E])?)?
        (?P<kept>\s*\(K\))?
        (?P<uncertain>\s*\?)?
        (?:\s*\((?P<remark>[^()]*[^()\s][^()]*)\))?$""",
    re.VERBOSE | re.IGNORECASE,
)
_REFLEX = re.compile(r"ref\s*\((?P<inside>.*)\)$", re.IGNORECASE)
_OR = re.compile(r"\s*\bor\b\s*|(?<=\d)or(?=[LRATB]{0,2}\d)|(?:(?<=\d)|(?<=\d[A-E]))/(?=[LRATB]{0,2}\d)", re.IGNORECASE)
_NOTHING = {"", "null", "none", "nan", "/", "-", "n/a"}


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """One action unit of a coding.

    Attributes
    ----------
    number : int
    side : str
        ``L``, ``R`` (the subject's left and right, as coders write it), ``A`` asymmetric, two with ``/``, or empty.
    part : str
        ``T`` top, ``B`` bottom, or empty.
    intensity : str
        ``A`` to ``E``, two with ``/``, or empty.
    kind : str
        ``AD`` or ``M`` for action descriptors and movements; empty for an action unit.
    reflex, uncertain, kept : bool
        ``ref(..)``, ``?`` and ``(k)``.
    choice : int
        Units of one coding with the same number above 0 are alternatives of each other.
    remark : str
        What stands in brackets behind the unit.

    Examples
    --------
    >>> str(ActionUnit(7, intensity="B", reflex=True))
    'ref(7B)'
    """

    number: int
    side: str = ""
    part: str = ""
    intensity: str = ""
    kind: str = ""
    reflex: bool = False
    uncertain: bool = False
    kept: bool = False
    choice: int = 0
    remark: str = ""

    def __str__(self) -> str:
        text = f"{self.kind}{self.side}{self.part}{self.number}{self.intensity}"
        text += ("(k)" if self.kept else "") + ("?" if self.uncertain else "")
        text += f" ({self.remark})" if self.remark else ""
        return f"ref({text})" if self.reflex else text


class ActionUnits(list[ActionUnit]):
    """The action units of one coding, with the free text that stood between them.

    Examples
    --------
    >>> units = parse_action_units("R14+17+soft focus")
    >>> [unit.number for unit in units], units.remarks, str(units)
    ([14, 17], ('soft focus',), 'R14+17+soft focus')
    """

    def __init__(self, units: Iterable[ActionUnit] = (), remarks: tuple[str, ...] = ()) -> None:
        super().__init__(units)
        self.remarks = remarks

    def __eq__(self, other: object) -> bool:
        same_remarks = self.remarks == getattr(other, "remarks", ())
        return same_remarks and list.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __str__(self) -> str:
        return "+".join([*self._groups(), *self.remarks])

    def _groups(self) -> list[str]:
        groups: dict[tuple[int, int], list[str]] = {}
        for index, unit in enumerate(self):
            groups.setdefault((unit.choice, 0) if unit.choice else (0, index), []).append(str(unit))
        alone = len(groups) + len(self.remarks) == 1
        return [
            " or ".join(group) if alone or len(group) == 1 else f"({' or '.join(group)})" for group in groups.values()
        ]


def parse_action_units(text: str | float | None) -> ActionUnits:
    """Read a cell of action units.

    Parameters
    ----------
    text : str or number
        The cell as written; a number is a single unit.

    Returns
    -------
    list of ActionUnit
        In the order written, with `remarks` for free text; ``str()`` of it reads back to the same.

    Examples
    --------
    >>> [str(unit) for unit in parse_action_units("(R6 or R12)+15B")]
    ['R6', 'R12', '15B']
    >>> parse_action_units("ref(7B)+43")[0].reflex
    True
    >>> [unit.number for unit in parse_action_units("14,L24,")]
    [14, 24]
    """
    units: list[ActionUnit] = []
    remarks: list[str] = []
    for piece in _pieces(_as_text(text)):
        found = _alternatives(piece, 1 + max((unit.choice for unit in units), default=0))
        if found:
            units.extend(found)
        else:
            remarks.append(piece)
    return ActionUnits(units, tuple(remarks))


def unit_numbers(units: Iterable[ActionUnit]) -> frozenset[int]:
    """Return the set of numbers that a coding stands for, the first of each alternative.

    Reflexes do not count, nor units that are kept over the whole clip: they are no part of the expression.

    Examples
    --------
    >>> sorted(unit_numbers(parse_action_units("(R6 or R12)+R15+ref(43)")))
    [6, 15]
    """
    taken: set[int] = set()
    numbers: set[int] = set()
    for unit in units:
        if unit.reflex or unit.kept or (unit.choice and unit.choice in taken):
            continue
        taken.add(unit.choice)
        numbers.add(unit.number)
    return frozenset(numbers)


def _as_text(value: str | float | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    text = re.sub(r"\.0$", "", " ".join(text.split()))
    return "" if text.casefold() in _NOTHING else text


def _pieces(text: str) -> list[str]:
    """Split at joins outside brackets; unbalanced brackets do not count as brackets."""
    flat = text.count("(") != text.count(")")
    pieces, depth, piece = [], 0, ""
    for letter in text:
        depth += 0 if flat else (letter == "(") - (letter == ")")
        if depth <= 0 and letter in "+,，、;；＋":
            pieces.append(piece)
            piece = ""
        else:
            piece += letter
    return [part for part in (part.strip() for part in [*pieces, piece]) if part and part.casefold() not in _NOTHING]


def _alternatives(piece: str, choice: int) -> list[ActionUnit]:
    """Read one piece: a unit, a reflex, or several with ``or``; empty where it is none of these."""
    reflex = _REFLEX.match(piece)
    if reflex:
        inside = [_unit(part) for part in _pieces(reflex["inside"])]
        return [] if None in inside else [replace(unit, reflex=True) for unit in inside if unit]
    inner = _unwrapped(piece)
    joined = _pieces(inner)
    if len(joined) > 1:
        together = [_unit(part) for part in joined]
        return [] if None in together else [unit for unit in together if unit]
    units = [_unit(part) for part in _OR.split(inner)]
    if not units or None in units:
        return []
    several = len(units) > 1
    return [replace(unit, choice=choice) if several else unit for unit in units if unit]


def _unwrapped(piece: str) -> str:
    """Return what stands in brackets that enclose the whole piece, else the piece."""
    depth = 0
    for index, letter in enumerate(piece):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return piece[1:-1] if index and index + 1 == len(piece) and piece[0] == "(" else piece
    return piece


def _unit(text: str) -> ActionUnit | None:
    found = _UNIT.match(text.strip())
    if not found:
        return None
    kind = (found["kind"] or found["kind_inside"] or "").upper()
    return ActionUnit(
        number=int(found["number"]),
        side=(found["side"] or "").upper(),
        part=(found["part"] or "").upper(),
        intensity=(found["intensity"] or "").upper(),
        kind="" if kind == "AU" else kind,
        uncertain=bool(found["uncertain"]),
        kept=bool(found["kept"]),
        remark=(found["remark"] or "").strip(),
    )
