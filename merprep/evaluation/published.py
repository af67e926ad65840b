"""Published results, with their sources and how the epoch was chosen where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from merprep.config import StageConfig
from merprep.manifest_data import load_table, table_names

Selection = Literal["last", "test-oracle", "unknown"]
Provenance = Literal["paper", "plot", "log", "recomputed", "notebook", "readme", "rerun", "second-hand"]


class PublishedScore(StageConfig):
    """Scores as printed, those that are; `f1` where a source does not say which mean its F1 is."""

    uf1: float | None = None
    uar: float | None = None
    accuracy: float | None = None
    f1: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("a published score needs at least one number")
        return self


class PublishedResult(StageConfig):
    """One method of a published table.

    Parameters
    ----------
    selection : str
        How the epoch that counts was chosen: ``last``; ``test-oracle`` (on the test subject, so the number is
        optimistic); ``unknown``.
    provenance : str
        Where the number was read: ``paper`` (a table of it), ``plot`` (off a figure, to half a point), ``log`` or
        ``readme`` or ``notebook`` (of the code's repository), ``recomputed`` (from predictions that the code's
        repository holds), ``rerun`` (a user of the code, in its issues), ``second-hand`` (quoted by others).
    """

    method: str
    model: str = ""
    selection: Selection = "unknown"
    provenance: Provenance = "paper"
    source: str
    note: str = ""
    full: PublishedScore
    databases: dict[str, PublishedScore] = Field(default_factory=dict)


class PublishedTable(StageConfig):
    """A published table: one protocol, one set of classes, one list of clips, many methods.

    Parameters
    ----------
    databases : tuple of str
    clips, persons : int
        0 where the source does not say.
    compare : bool
        Whether runs are shown beside it: not where its clips or its scores are others than merprep's.
    """

    title: str
    protocol: str
    scheme: str
    source: str
    databases: tuple[str, ...] = ()
    clips: int = 0
    persons: int = 0
    compare: bool = True
    note: str = ""
    results: tuple[PublishedResult, ...]

    def of_model(self, model: str) -> tuple[PublishedResult, ...]:
        """Return the rows of one of our models."""
        return tuple(result for result in self.results if result.model == model)


def published_tables() -> list[str]:
    """Return the names of the tables of published results.

    Examples
    --------
    >>> "megc2019-composite" in published_tables()
    True
    """
    return table_names("results")


def published_table(name: str = "megc2019-composite") -> PublishedTable:
    """Read a table of published results.

    Raises
    ------
    UnknownNameError
        Where there is none of that name.
    ConfigError
        Where the table is not valid.

    Examples
    --------
    >>> [row] = [row for row in published_table().results if row.method == "HTNet"]
    >>> row.full.uf1, row.selection
    (0.8603, 'test-oracle')
    """
    return PublishedTable.read(load_table("results", name), where=f"manifests/results/{name}.toml")


def tables_beside(
    protocol: str, scheme: str, databases: Sequence[str], *, clips: int, persons: int
) -> tuple[dict[str, PublishedTable], list[str]]:
    """Find the published tables that a run may stand beside.

    Returns
    -------
    tables : dict of str to PublishedTable
        Of the same protocol, classes, databases and numbers of clips and persons.
    notes : list of str
        Why a table of the same protocol, classes and databases was left out.

    Examples
    --------
    >>> composite = ("smic", "casme2", "samm")
    >>> tables, _ = tables_beside("loso", "megc2019", composite, clips=442, persons=68)
    >>> "megc2019-composite" in tables
    True
    >>> tables_beside("loso", "megc2019", composite, clips=24, persons=6)
    ({}, ['not compared with megc2019-composite, which is on 442 clips of 68 persons: here are 24 of 6'])
    """
    found, notes = {}, []
    for name in published_tables():
        table = published_table(name)
        kind = (table.protocol, table.scheme, sorted(table.databases))
        if not table.compare or kind != (protocol, scheme, sorted(databases)):
            continue
        if (table.clips, table.persons) == (clips, persons):
            found[name] = table
        else:
            size = f"{table.clips} clips of {table.persons} persons"
            notes.append(f"not compared with {name}, which is on {size}: here are {clips} of {persons}")
    return found, notes
