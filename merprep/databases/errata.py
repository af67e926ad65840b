"""Documented corrections, keyed by clip, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from merprep.config import StageConfig
from merprep.databases.cells import Cell, cell_text, is_not_annotated
from merprep.databases.keys import Key, name_key, subject_key
from merprep.errors import UsageError
from merprep.manifest_data import load_table, table_names

ErrataPolicy = Literal["default", "all", "none"]
POLICIES = ("default", "all", "none")
_NUMBERS = ("onset", "apex", "offset")

State = Literal["applied", "already right", "not matching", "not needed", "no such clip", "off"]


class Erratum(StageConfig):
    """One correction.

    Attributes
    ----------
    old : tuple of str
        The values that it replaces; what is none of them is left alone.
    new : str
        The corrected value; empty means "not annotated".
    contested : bool
        Whether people disagree; such a correction is listed and applied only where asked for.
    unless_on_disk : bool
        Whether it is not needed where the frame that the sheet names exists.
    if_on_disk : bool
        Whether it is for those only who have the corrected frame.
    follows : str
        The id of a correction that it belongs to: it is made where that one was.
    also : tuple of str
        Other names of the clip, where the name is made of what is corrected.
    """

    id: str
    subject: str
    clip: str
    field: Literal["onset", "apex", "offset", "emotion", "action_units", "objective_class"]
    old: tuple[str, ...] = Field(min_length=1)
    new: str
    reason: str
    source: str
    contested: bool = False
    unless_on_disk: bool = False
    if_on_disk: bool = False
    follows: str = ""
    also: tuple[str, ...] = ()

    @field_validator("old", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(str(item) for item in values)

    @field_validator("new", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value)

    @property
    def keys(self) -> tuple[tuple[Key, Key], ...]:
        """The clip under each of its names, whatever their spelling."""
        return tuple((subject_key(self.subject), name_key(name)) for name in (self.clip, *self.also))

    @property
    def label(self) -> str:
        """What a manifest's row says of it."""
        return f"{self.id}: {self.field} {self.old[0] or 'blank'} -> {self.new or 'none'}"


class RowCorrection(StageConfig):
    """A published correction of which only a row's number is known: listed, never applied."""

    table: str
    row: int
    says: str
    source: str

    def line(self) -> str:
        """Write it as a sentence."""
        return f"row {self.row} of {self.table}: {self.says} ({self.source})"


@dataclass(frozen=True)
class ErratumOutcome:
    """What became of one correction; `found` is what the sheet said."""

    erratum: Erratum
    state: State
    found: str = ""

    def line(self) -> str:
        """Write the outcome as a sentence."""
        erratum = self.erratum
        said = f", found {self.found!r}" if self.state == "not matching" else ""
        return f"{self.state}: {erratum.id}, {erratum.subject}/{erratum.clip} {erratum.field} -> {erratum.new}{said}"


class ErrataBook:
    """The corrections of one database, and a record of what became of them.

    Parameters
    ----------
    errata : sequence of Erratum
    policy : {"default", "all", "none"}
        All but the contested ones, all, or none.

    Examples
    --------
    >>> book = ErrataBook(load_errata("casme2"), "default")
    >>> row, applied = book.apply(((16,), name_key("EP01_08")), {"offset": 110.0}, on_disk=())
    >>> row["offset"], applied[0].label
    ('96', 'casme2-offset-1: offset 110 -> 96')
    """

    def __init__(self, errata: Sequence[Erratum], policy: ErrataPolicy = "default") -> None:
        if policy not in POLICIES:
            raise UsageError(f"There is no errata policy {policy!r}", expected=" or ".join(POLICIES))
        self.policy = policy
        self._all = tuple(errata)
        self._outcomes: dict[str, ErratumOutcome] = {}
        self._by_clip: dict[tuple[Key, Key], list[Erratum]] = {}
        for erratum in self._all:
            for key in dict.fromkeys(erratum.keys):
                self._by_clip.setdefault(key, []).append(erratum)

    def apply(
        self, key: tuple[Key, Key], cells: dict[str, Cell], *, on_disk: Container[int]
    ) -> tuple[dict[str, Cell], list[Erratum]]:
        """Correct the cells of one clip.

        Returns
        -------
        cells : dict
            A corrected copy.
        applied : list of Erratum
        """
        cells = dict(cells)
        applied: list[Erratum] = []
        for erratum in self._by_clip.get(key, ()):
            state = self._state(erratum, cells.get(erratum.field), on_disk)
            if state == "applied" and not _belongs(erratum, applied):
                state = "not needed"
            outcome = ErratumOutcome(erratum, state, cell_text(cells.get(erratum.field)))
            # Two rows of one name (a micro- and a macro-expression): the one that was corrected counts.
            known = self._outcomes.get(erratum.id)
            if known is None or known.state != "applied":
                self._outcomes[erratum.id] = outcome
            if state == "applied":
                cells[erratum.field] = erratum.new
                applied.append(erratum)
        return cells, applied

    def other_name(self, key: tuple[Key, Key]) -> str:
        """Return the name that repaired copies give a clip; empty where it has one name only."""
        found = (erratum for erratum in self._by_clip.get(key, ()) if erratum.also)
        return next((name for e in found for name in (*e.also, e.clip) if name_key(name) != key[1]), "")

    def outcomes(self) -> tuple[ErratumOutcome, ...]:
        """Return what became of every correction, those of clips that never came included."""
        return tuple(self._outcomes.get(e.id, ErratumOutcome(e, "no such clip")) for e in self._all)

    def counts(self) -> dict[str, int]:
        """Return how many corrections ended in each state."""
        return dict(Counter(outcome.state for outcome in self.outcomes()))

    def _state(self, erratum: Erratum, found: Cell, on_disk: Container[int]) -> State:
        if _same(erratum.field, found, erratum.new):
            return "already right"
        if self.policy == "none" or (erratum.contested and self.policy != "all"):
            return "off"
        if not any(_same(erratum.field, found, old) for old in erratum.old):
            return "not matching"
        text = cell_text(found)
        if erratum.unless_on_disk and text.isdecimal() and int(text) in on_disk:
            return "not needed"
        if erratum.if_on_disk and int(erratum.new) not in on_disk:
            return "not needed"
        return "applied"


def load_errata(database: str) -> tuple[Erratum, ...]:
    """Read the corrections of one database; there may be none.

    Examples
    --------
    >>> [erratum.clip for erratum in load_errata("smic")]
    ['s18_sur_03']
    """
    if database not in table_names("errata"):
        return ()
    where = f"manifests/errata/{database}.toml"
    return tuple(Erratum.read(entry, where=where) for entry in load_table("errata", database).get("errata", []))


def load_row_corrections(database: str) -> tuple[RowCorrection, ...]:
    """Read the corrections of one database that only row numbers are known of; there may be none."""
    if database not in table_names("errata"):
        return ()
    where = f"manifests/errata/{database}.toml"
    return tuple(RowCorrection.read(entry, where=where) for entry in load_table("errata", database).get("rows", []))


def _belongs(erratum: Erratum, applied: Sequence[Erratum]) -> bool:
    """Whether what an erratum follows was applied, and nothing else corrected its field before it."""
    followed = not erratum.follows or erratum.follows in {other.id for other in applied}
    return followed and erratum.field not in {other.field for other in applied}


def _same(field: str, cell: Cell, value: str) -> bool:
    """Whether a cell says `value`; every way of writing "not annotated" is the same, but SAMM's -1 is also itself."""
    text = cell_text(cell)
    if field in _NUMBERS and is_not_annotated(cell) and is_not_annotated(value):
        return True
    return text.casefold() == value.strip().casefold()
