"""The runs beside the published results on the same clips; what was published on other clips stands apart."""

from __future__ import annotations

from merprep.evaluation.published import (
    PublishedScore,
    PublishedTable,
    published_table,
    published_tables,
    tables_beside,
)
from merprep.report.blocks import Block, Cell, Details, Missing, Notes, Section, Table, Text, Value
from merprep.report.runs import Run
from merprep.report.study import Study

TITLE = "Beside the published results"
_EPOCH = {
    "last": "last epoch",
    "inner": "by inner validation persons",
    "test-oracle": "on the test person: optimistic",
    "unknown": "not stated",
}
Row = list[Value | Cell]


def section(study: Study) -> Section:
    """Return the section."""
    if not study.runs:
        missing = Missing("There is no run to compare.", "merprep train --preset sanity")
        return Section("published", TITLE, (missing,), "Published")
    blocks: list[Block] = []
    shown: set[str] = set()
    notes: dict[str, None] = {}
    for runs in _alike(study.runs):
        tables, why_not = _beside(runs[0])
        notes.update(dict.fromkeys(why_not))
        shown |= tables.keys()
        blocks += [_table(table, runs) for table in tables.values()]
    if not blocks:
        blocks.append(
            Text("No published table is on the clips, classes and protocol of these runs, so none stands beside them.")
        )
    if notes:
        blocks.append(Notes(tuple(f"{note[:1].upper()}{note[1:]}." for note in notes), "warning"))
    others = [published_table(name) for name in published_tables() if name not in shown]
    if others:
        told = Text(
            "Not to be compared with the runs here: other clips, classes or protocols, or scores of another kind."
        )
        blocks.append(Details("What was published otherwise", (told, *(_table(table, []) for table in others))))
    return Section("published", TITLE, tuple(blocks), "Published")


def _alike(runs: tuple[Run, ...]) -> list[list[Run]]:
    """Return the runs grouped by what decides which tables they may stand beside."""
    groups: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault((*_kind(run), run.full.get("n"), run.persons), []).append(run)
    return list(groups.values())


def _kind(run: Run) -> tuple[str, str, tuple[str, ...]]:
    return str(run.scores.get("protocol")), str(run.scores.get("scheme")), tuple(sorted(run.databases))


def _beside(run: Run) -> tuple[dict[str, PublishedTable], list[str]]:
    protocol, scheme, databases = _kind(run)
    return tables_beside(protocol, scheme, databases, clips=int(run.full.get("n", 0)), persons=run.persons)


def _table(table: PublishedTable, runs: list[Run]) -> Table:
    databases = list(dict.fromkeys(name for result in table.results for name in result.databases))
    scores = _scores(table)
    rows: list[Row] = []
    for result in table.results:
        row: Row = [result.method, _EPOCH.get(result.selection, result.selection)]
        row += [getattr(result.full, score) for score in scores]
        row += [_uf1(result.databases.get(name)) for name in databases]
        rows.append([*row, " ".join(part for part in (f"{result.source} ({result.provenance}).", result.note) if part)])
    rows.sort(key=lambda row: -_number(row[2]))
    rows = [row for run in runs for row in _ours(run, scores, databases)] + rows
    columns = (
        "method",
        "epoch chosen",
        *(_NAMES[score] for score in scores),
        *(f"UF1 {name}" for name in databases),
        "source",
    )
    return Table(table.title, columns, rows, name=f"published-{table.title}")


_NAMES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy", "f1": "F1, mean not stated"}


def _scores(table: PublishedTable) -> list[str]:
    """Return the scores that a table prints, UF1 first."""
    printed = [score for score in _NAMES if any(getattr(result.full, score) is not None for result in table.results)]
    return printed or ["uf1"]


def _ours(run: Run, scores: list[str], databases: list[str]) -> list[Row]:
    rows: list[Row] = []
    for kind, full in (("honest", run.full), ("optimistic", run.optimistic())):
        if full:
            parts = [run.databases.get(name, {}) if kind == "honest" else run.optimistic(name) for name in databases]
            epoch = str(run.scores.get("selection", "last")) if kind == "honest" else "test-oracle"
            row: Row = [
                Cell(f"{run.title}, here", "strong"),
                _EPOCH["last" if epoch == "test-oracle" and kind == "honest" else epoch],
            ]
            row += [Cell(full.get(score), "strong") for score in scores]
            rows.append([*row, *(values.get("uf1") for values in parts), run.name])
    return rows


def _uf1(score: PublishedScore | None) -> float | None:
    return None if score is None else score.uf1


def _number(value: Value | Cell) -> float:
    found = value.value if isinstance(value, Cell) else value
    return float(found) if isinstance(found, int | float) else -1.0
