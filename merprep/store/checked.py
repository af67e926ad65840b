"""What JSON files of a workspace must hold before anybody works with them; they may come from elsewhere.

Only kinds are looked at, and only of what is there: older files lack some, newer ones may have more.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class Loose(BaseModel):
    """Fields of the kinds given, and any others."""

    model_config = ConfigDict(extra="allow", strict=True)


Kind = TypeVar("Kind", bound=Loose)


def checked(values: Any, kind: type[Kind]) -> dict[str, Any]:
    """Return the values of a JSON document as they are, once they are known to be of some kind.

    Raises
    ------
    ValueError
        Where they are not; it names the first field.

    Examples
    --------
    >>> checked({"path": "CASME2.xlsx", "more": 1}, Sheet)
    {'path': 'CASME2.xlsx', 'more': 1}
    >>> checked({"path": 7}, Sheet)
    Traceback (most recent call last):
    ...
    ValueError: path: input should be a valid string
    """
    try:
        kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place, text = ".".join(map(str, first["loc"]))[:200], first["msg"]
        raise ValueError(f"{place}: {text[:1].lower()}{text[1:]}" if place else text) from None
    found: dict[str, Any] = values
    return found


class Sheet(Loose):
    """A coding sheet, in the sidecar of a manifest."""

    path: str = ""
    sha256: str = ""


class Source(Loose):
    """Where the clips of a database came from, in the sidecar of a manifest."""

    root: str = ""
    layout: str = ""
    sheet: Sheet | None = None
    sheets: list[Sheet] | None = None
    hashes: dict[str, str] | None = None


class Sidecar(Loose):
    """What stands beside a manifest."""

    digest: str = ""
    sources: dict[str, Source] = {}


class Ingested(Loose):
    """What a report of an ingest says that is shown again."""

    errata: dict[str, list[Any]] = {}
    notes: list[Any] = []
    ignored: list[Any] = []


class Averages(Loose):
    """Scores over all clips, or over those of a database."""

    uf1: Number
    uar: Number
    accuracy: Number
    n: Count
    persons: Count | None = None
    sd: dict[str, Number] = {}
    confusion: list[list[Number]] | None = None
    recall: dict[str, Number | None] | None = None
    precision: dict[str, Number | None] | None = None
    f1: dict[str, Number | None] | None = None
    interval: dict[str, Any] | None = None

    def is_square(self, size: int) -> bool:
        """Whether the confusion matrix is one of so many classes, where there is one."""
        rows = self.confusion
        return rows is None or (len(rows) == size and all(len(row) == size for row in rows))


class Chosen(Loose):
    """The optimistic scores."""

    full: Averages
    databases: dict[str, Averages] = {}


class RunScores(Loose):
    """``scores.json`` of a run."""

    model: str = ""
    preset: str = ""
    scheme: str = ""
    protocol: str = ""
    selection: str = ""
    classes: list[str] = Field(default=[], max_length=1000)
    seeds: Count = 1
    folds: Count = 0
    seconds: Annotated[float, Field(ge=0, lt=1e10)] = 0.0
    full: Averages
    databases: dict[str, Averages] = {}
    optimistic: Chosen | None = None
    notes: list[str] = []

    @model_validator(mode="after")
    def _classes_are_those_of_the_scores(self) -> RunScores:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("a class is there twice")
        found = [self.full, *self.databases.values()]
        if self.optimistic is not None:
            found += [self.optimistic.full, *self.optimistic.databases.values()]
        if self.classes and not all(scores.is_square(len(self.classes)) for scores in found):
            raise ValueError("a confusion matrix is not one of these classes")
        return self


class UnitAverages(Loose):
    """Binary scores of action units."""

    mean_f1: Number
    units: dict[str, dict[str, Any]] = {}


class ChosenUnits(Loose):
    """The optimistic scores of action units."""

    full: UnitAverages


class UnitScores(Loose):
    """``units.json`` of a run over action units."""

    model: str = ""
    preset: str = ""
    full: UnitAverages
    optimistic: ChosenUnits | None = None
    notes: list[str] = []


class RunAbout(Loose):
    """``run.json`` of a run."""

    config: dict[str, Any] = {}
    created_with: dict[str, str] = {}
    max_folds: Count | None = None
