"""What was ingested: databases, persons, clips; what was excluded or corrected, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from merprep.databases.errata import load_errata
from merprep.errors import MerprepError
from merprep.records import Clip
from merprep.report.blocks import Block, Cell, Details, Missing, Notes, Section, Table, Text, Value
from merprep.report.study import Study


def section(study: Study) -> Section:
    """Return the section."""
    if not study.manifest.clips:
        blocks: list[Block] = [Missing("No database was ingested yet.", "merprep ingest casme2 ROOT")]
        return Section("data", "What was ingested", tuple(blocks), "Data")
    told = "Every clip that a coding sheet or a folder names is a row of the manifest, usable or excluded."
    blocks = [
        Text("Nothing was ingested: these are the clips of the imported features." if study.imported else told),
        _databases(study),
        *_exclusions(study.manifest.clips),
        *_errata(study),
        *_notes(study),
        persons(study.manifest.usable),
        *_clips(study.manifest.clips),
    ]
    return Section("data", "What was ingested", tuple(blocks), "Data")


def _databases(study: Study) -> Table:
    rows: list[list[Value | Cell]] = []
    for name in study.databases:
        clips = study.manifest.of_database(name)
        usable = [clip for clip in clips if clip.status == "ok"]
        apex = Counter(clip.apex_source for clip in usable)
        corrected = sum(bool(clip.errata) for clip in usable)
        source = study.manifest.sources.get(name, {})
        sheet = _file_name(str(_mapping(source.get("sheet")).get("path", "")))
        rows.append([
            name, len(clips), len(usable), Cell(len(clips) - len(usable), "bad" if len(clips) > len(usable) else ""),
            len({clip.person for clip in usable}), sum(len(clip.frames) for clip in usable),
            ", ".join(f"{source} {count}" for source, count in apex.most_common()), corrected,
            str(source.get("layout", "")) or None, sheet or ("folders" if source else None),
        ])  # fmt: skip
    columns = ("database", "clips", "usable", "excluded", "persons", "frames", "apex", "corrected", "layout", "sheet")
    return Table("Databases", columns, rows)


def _exclusions(clips: Sequence[Clip]) -> list[Block]:
    rows = [(clip.id, clip.database, clip.reason) for clip in clips if clip.status != "ok"]
    if not rows:
        return [Text("No clip is excluded.")]
    return [Table("Excluded clips and why", ("clip", "database", "reason"), rows)]


def _errata(study: Study) -> list[Block]:
    rows: list[list[Value | Cell]] = []
    for database, report in study.ingests.items():
        reasons = _reasons(database)
        for state, lines in _mapping(report.get("errata")).items():
            rows += [_erratum(database, state, str(line), reasons) for line in lines]
    if not rows:
        return [Text("No documented correction concerns these databases.")]
    applied = sum(cell.value == "applied" for cell in (row[1] for row in rows) if isinstance(cell, Cell))
    columns = ("database", "state", "correction", "reason", "source")
    table = Table("Documented corrections and what became of them", columns, rows, first_is_head=False)
    if applied:
        return [table]
    told = f"None of {len(rows)} documented corrections was applied; each says why in its state."
    return [Details(told, (table,))]


def _erratum(database: str, state: str, line: str, reasons: Mapping[str, tuple[str, str]]) -> list[Value | Cell]:
    reason, source = reasons.get(line.partition(":")[0], ("", ""))
    tone = {"applied": "good", "not matching": "bad"}.get(state, "muted")
    return [database, Cell(state, tone), line, reason, source]  # type: ignore[arg-type]


def _reasons(database: str) -> dict[str, tuple[str, str]]:
    try:
        return {erratum.id: (erratum.reason, erratum.source) for erratum in load_errata(database)}
    except MerprepError:
        return {}  # the table was taken away since; the lines of the ingest remain


def _notes(study: Study) -> list[Block]:
    lines = [f"{name}: {note}" for name, report in study.ingests.items() for note in report.get("notes", ())]
    lines += [
        f"{name}: ignored: {text}" for name, report in study.ingests.items() for text in report.get("ignored", ())
    ]
    return [Notes(tuple(lines))] if lines else []


def persons(clips: Sequence[Clip]) -> Table:
    """Return one row a person; a person may be in several databases."""
    by_person: dict[str, list[Clip]] = {}
    for clip in clips:
        by_person.setdefault(clip.person, []).append(clip)
    rows = [
        (
            person,
            ", ".join(sorted({clip.database for clip in own})),
            len(own),
            ", ".join(f"{name} {count}" for name, count in Counter(c.emotion or "none" for c in own).most_common()),
        )
        for person, own in by_person.items()
    ]
    return Table("Persons", ("person", "databases", "clips", "annotated emotions"), rows)


def _clips(clips: Sequence[Clip]) -> list[Block]:
    rows = [
        (clip.id, clip.person, clip.emotion, clip.action_units, clip.onset, clip.apex, clip.offset, clip.apex_source,
         clip.status, "; ".join([*clip.errata, *clip.notes, *([clip.reason] if clip.reason else [])]))
        for clip in clips
    ]  # fmt: skip
    columns = ("clip", "person", "emotion", "AU", "onset", "apex", "offset", "apex source", "status", "notes")
    return [Details(f"All {len(clips)} clips, one by one", (Table("Clips", columns, rows),))]


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
