"""Published results, with their sources and how the epoch was chosen where that is known."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from merprep.config import StageConfig
from merprep.manifest_data import load_table, table_names

Selection = Literal["last", "test-oracle", "unknown"]


class PublishedScore(StageConfig):
    """UF1 and UAR as printed."""

    uf1: float
    uar: float


class PublishedResult(StageConfig):
    """One method of a published table.

    `selection` says how the epoch that counts was chosen: ``last``; ``test-oracle`` (on the test subject, so the number
    is optimistic); ``unknown``.
    """

    method: str
    model: str = ""
    selection: Selection = "unknown"
    source: str
    note: str = ""
    full: PublishedScore
    databases: dict[str, PublishedScore] = Field(default_factory=dict)


class PublishedTable(StageConfig):
    """A published table: one protocol, one set of classes, many methods."""

    title: str
    protocol: str
    scheme: str
    source: str
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
