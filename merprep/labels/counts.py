"""Clips by database and class, beside the published numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
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
    by_database: dict[str, list[Clip]] = {}
    for clip in clips:
        by_database.setdefault(clip.database, []).append(clip)
    counts, labelled, persons, dropped, excluded, derived = {}, {}, {}, {}, {}, {}
    for database, members in sorted(by_database.items()):
        usable = [clip for clip in members if clip.status == "ok"]
        labels = [(clip, scheme.labels(clip)) for clip in usable]
        found = Counter(label for _, several in labels for label in several)
        counts[database] = {name: found[index] for index, name in enumerate(scheme.classes)}
        labelled[database] = sum(bool(several) for _, several in labels)
        persons[database] = len({clip.person for clip, several in labels if several})
        reasons = Counter(scheme.reason(clip) for clip, several in labels if not several)
        dropped[database] = dict(reasons.most_common())
        excluded[database] = len(members) - len(usable)
        objective = [clip for clip, several in labels if several and scheme.field == "objective_class"]
        derived[database] = sum(clip.objective_source == "derived" for clip in objective)
    return CountTable(scheme, counts, labelled, persons, dropped, excluded, derived)
