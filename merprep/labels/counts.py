"""Clips by database and class, beside the published numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from merprep.labels.scheme import LabelScheme, PublishedCount
from merprep.records import Clip


@dataclass(frozen=True)
class CountTable:
    """How many clips of each class a scheme gives, by database.

    Attributes
    ----------
    counts : dict of dict of int
        By database, then class; a clip of several classes counts in each.
    labelled : dict of int
        Clips with a class, by database.
    persons : dict of int
        Persons with at least one labelled clip, by database.
    dropped : dict of dict of int
        By database, then the scheme's reason.
    excluded : dict of int
        Clips that cannot be read at all, by database.
    derived : dict of int
        Clips whose objective class is not published but derived from action units, by database.
    """

    scheme: LabelScheme
    counts: dict[str, dict[str, int]]
    labelled: dict[str, int]
    persons: dict[str, int]
    dropped: dict[str, dict[str, int]]
    excluded: dict[str, int]
    derived: dict[str, int]

    @property
    def total(self) -> int:
        """The number of labelled clips."""
        return sum(self.labelled.values())

    def columns(self) -> tuple[str, ...]:
        """Return the heads of the printed table."""
        return ("database", *self.scheme.classes, "all", "persons", "no class", "published")

    def rows(self) -> list[tuple[str | int, ...]]:
        """Return the rows of the printed table, one a database and one for all of them."""
        rows = [self._row(database) for database in self.counts]
        if len(rows) > 1:
            totals: list[int] = [sum(row[name] for row in self.counts.values()) for name in self.scheme.classes]
            dropped = sum(sum(reasons.values()) for reasons in self.dropped.values())
            rows.append(("all", *totals, self.total, sum(self.persons.values()), dropped, ""))
        return rows

    def published(self, database: str) -> list[PublishedCount]:
        """Return the published counts of one database, nearest to what was found first."""
        found = self.counts.get(database, {})
        stated = [entry for entry in self.scheme.published if entry.database == database]
        return sorted(
            stated, key=lambda entry: sum(abs(entry.counts[name] - found.get(name, 0)) for name in entry.counts)
        )

    def differences(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Return, by database and class, (found, published) wherever the two differ."""
        result = {}
        for database, found in self.counts.items():
            for entry in self.published(database)[:1]:
                stated = {**entry.counts, **({} if entry.persons is None else {"persons": entry.persons})}
                seen = {**found, "persons": self.persons[database]}
                apart = {name: (seen[name], n) for name, n in stated.items() if seen[name] != n}
                if apart:
                    result[database] = apart
        return result

    def remarks(self) -> list[str]:
        """Return sentences: what was dropped and why, and each difference from the published counts."""
        lines = []
        for database, reasons in self.dropped.items():
            lines += [f"{database}: {count} without a class: {reason}" for reason, count in reasons.items()]
        lines += [f"{database}: {count} excluded at ingest" for database, count in self.excluded.items() if count]
        lines += [
            f"{database}: {count} objective classes are derived from action units, not published"
            for database, count in self.derived.items()
            if count
        ]
        for database, apart in self.differences().items():
            lines += [f"{database}: {name} {found}, published {stated}" for name, (found, stated) in apart.items()]
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return the JSON document of ``merprep labels``."""
        return {
            "scheme": self.scheme.name,
            "classes": list(self.scheme.classes),
            "counts": self.counts,
            "persons": self.persons,
            "total": self.total,
            "dropped": self.dropped,
            "excluded": self.excluded,
            "derived": self.derived,
            "published": {
                database: {"table": entry.table, "counts": entry.counts}
                for database in self.counts
                for entry in self.published(database)[:1]
            },
            "differences": {
                database: {name: list(pair) for name, pair in apart.items()}
                for database, apart in self.differences().items()
            },
        }

    def _row(self, database: str) -> tuple[str | int, ...]:
        counts = self.counts[database]
        stated = self.published(database)
        text = " / ".join(str(stated[0].counts[name]) for name in self.scheme.classes) if stated else "–"
        dropped = sum(self.dropped[database].values())
        return (database, *counts.values(), self.labelled[database], self.persons[database], dropped, text)


def count_table(clips: Iterable[Clip], scheme: LabelScheme) -> CountTable:
    """Count clips by database and class.

    Parameters
    ----------
    clips : iterable of Clip
        Rows of a manifest; excluded ones are counted apart.
    scheme : LabelScheme

    Examples
    --------
    >>> from merprep.labels.scheme import scheme
    >>> clips = [Clip("samm", "006", "006_1_2", person="samm:6", emotion="Anger")]
    >>> count_table(clips, scheme(3)).counts
    {'samm': {'negative': 1, 'positive': 0, 'surprise': 0}}
    """
    counting = Counting(scheme)
    for clip in clips:
        counting.add(clip)
    return counting.table()


class Counting:
    """Counts clips as they come.

    Parameters
    ----------
    scheme : LabelScheme

    Examples
    --------
    >>> from merprep.labels.scheme import scheme
    >>> counting = Counting(scheme(3))
    >>> counting.add(Clip("samm", "006", "006_1_2", person="samm:6", emotion="Anger"))
    >>> counting.table().labelled
    {'samm': 1}
    """

    def __init__(self, scheme: LabelScheme) -> None:
        self._scheme = scheme
        self._databases: dict[str, _Tally] = {}

    def add(self, clip: Clip) -> None:
        """Take a clip into account."""
        self._databases.setdefault(clip.database, _Tally()).add(clip, self._scheme)

    def table(self) -> CountTable:
        """Return what was counted so far."""
        found = dict(sorted(self._databases.items()))
        return CountTable(
            self._scheme,
            counts={
                database: {name: tally.labels[index] for index, name in enumerate(self._scheme.classes)}
                for database, tally in found.items()
            },
            labelled={database: tally.labelled for database, tally in found.items()},
            persons={database: len(tally.persons) for database, tally in found.items()},
            dropped={database: dict(tally.dropped.most_common()) for database, tally in found.items()},
            excluded={database: tally.excluded for database, tally in found.items()},
            derived={database: tally.derived for database, tally in found.items()},
        )


@dataclass
class _Tally:
    """What is counted of one database."""

    labels: Counter[int] = field(default_factory=Counter)
    labelled: int = 0
    persons: set[str] = field(default_factory=set)
    dropped: Counter[str] = field(default_factory=Counter)
    excluded: int = 0
    derived: int = 0

    def add(self, clip: Clip, scheme: LabelScheme) -> None:
        if clip.status != "ok":
            self.excluded += 1
            return
        labels = scheme.labels(clip)
        if not labels:
            self.dropped[scheme.reason(clip)] += 1
            return
        self.labels.update(labels)
        self.labelled += 1
        self.persons.add(clip.person)
        self.derived += scheme.field == "objective_class" and clip.objective_source == "derived"
