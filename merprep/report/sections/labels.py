"""Clips by class, beside what was published."""

from __future__ import annotations

from merprep.labels import CountTable, count_table, scheme, scheme_names
from merprep.report.blocks import Block, Cell, Details, Figure, Missing, Notes, Section, Table, Text, Value
from merprep.report.charts import stacked_bars
from merprep.report.study import Study


def section(study: Study) -> Section:
    """Return the counts under the scheme of the newest run, then under the others that label these databases."""
    title = "Classes, beside the published counts"
    if not study.manifest.usable:
        return Section(
            "labels", title, (Missing("There is no clip to label.", "merprep ingest casme2 ROOT"),), "Classes"
        )
    main = study.scheme if study.scheme in scheme_names() else "megc2019"
    blocks: list[Block] = list(_of_scheme(study, main))
    others = [name for name in _useful(study) if name != main]
    blocks += [Details(f"Under the scheme {name}", tuple(_of_scheme(study, name))) for name in others]
    return Section("labels", title, tuple(blocks), "Classes")


def _useful(study: Study) -> list[str]:
    """Return the unified schemes, and those whose publication counts one of these databases."""
    present = set(study.databases)
    unified = [name for name in ("megc2019", "unified-5", "unified-7") if name in scheme_names()]
    own = [name for name in scheme_names() if {entry.database for entry in scheme(name).published} & present]
    return [*unified, *(name for name in own if name not in unified)]


def _of_scheme(study: Study, name: str) -> list[Block]:
    counts = count_table(study.manifest.clips, scheme(name))
    rows = [(database, list(found.values())) for database, found in counts.counts.items()]
    svg = stacked_bars(f"Clips by class, {name}", rows, counts.scheme.classes)
    return [
        Text(f"{counts.scheme.title}: {counts.total} clips have a class."),
        Figure(svg, f"Clips by class under {name}.", f"classes-{name}", wide=True),
        _table(counts),
        *_differences(counts),
        *_dropped(counts),
    ]


def _table(counts: CountTable) -> Table:
    apart = counts.differences()
    rows: list[list[Value | Cell]] = []
    for database, found in counts.counts.items():
        stated = counts.published(database)
        row: list[Value | Cell] = [database]
        for name, number in found.items():
            differs = name in apart.get(database, {})
            row.append(Cell(number, "bad" if differs else ""))
        published = " / ".join(str(stated[0].counts.get(name, 0)) for name in found) if stated else "–"
        row += [counts.labelled[database], counts.persons[database], sum(counts.dropped[database].values())]
        row.append(published)
        row.append(
            Cell("differs", "bad")
            if database in apart
            else Cell("as published" if stated else "–", "good" if stated else "")
        )
        rows.append(row)
    columns = ("database", *counts.scheme.classes, "all", "persons", "no class", "published", "comparison")
    return Table(f"Clips by class, {counts.scheme.name}", columns, rows)


def _differences(counts: CountTable) -> list[Block]:
    lines = [
        f"{database} differs from what was published: "
        + ", ".join(f"{name} {found} here, {stated} published" for name, (found, stated) in apart.items())
        for database, apart in counts.differences().items()
    ]
    return [Notes(tuple(lines), "warning")] if lines else []


def _dropped(counts: CountTable) -> list[Block]:
    rows = [(database, number, reason) for database, why in counts.dropped.items() for reason, number in why.items()]
    return [Table(f"Without a class, {counts.scheme.name}", ("database", "clips", "reason"), rows)] if rows else []
