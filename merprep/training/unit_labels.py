"""One action unit as a label scheme of two classes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from merprep.labels import parse_action_units, unit_numbers
from merprep.records import Clip

SHOWN = "present"


@dataclass(frozen=True)
class UnitLabelling:
    """Whether a clip shows one action unit; clips whose units nobody coded have no label.

    Examples
    --------
    >>> labelling = UnitLabelling(12)
    >>> labelling.label(Clip("samm", "006", "a", person="samm:6", action_units="R12+15B")), labelling.name
    (1, 'au-12')
    """

    unit: int
    classes: tuple[str, ...] = ("absent", SHOWN)

    @property
    def name(self) -> str:
        """``au-N``."""
        return f"au-{self.unit}"

    @classmethod
    def of(cls, name: str) -> UnitLabelling | None:
        """Return the labelling of ``au-N``, or None where the name is another's."""
        found = re.fullmatch(r"au-(\d{1,2})", name.strip().lower())
        return cls(int(found[1])) if found else None

    def label(self, clip: Clip) -> int | None:
        """Return 1 where the clip shows the unit, 0 where it does not, None where nobody coded its units."""
        if self.reason(clip):
            return None
        return int(self.unit in unit_numbers(parse_action_units(clip.action_units)))

    def reason(self, clip: Clip) -> str:
        """Return why the clip has no label, or an empty text."""
        if clip.variant == "macro":
            return "this is a macro-expression"
        return "" if list(parse_action_units(clip.action_units)) else "no action unit is annotated"
