"""The accounts that stages leave in the workspace: what became of every clip, and what it took."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from merprep.ordinary import open_text
from merprep.records import StageReport, State
from merprep.store.whole import append_line
from merprep.store.workspace import Workspace, safe_name, written_whole

_LONGEST_LINE = 1 << 20
_LONGEST_RUN = 1e10  # s, three centuries


@dataclass(frozen=True)
class Entry:
    """One run of a stage, in the journal of a workspace.

    Parameters
    ----------
    stage : str
    subject : str
        What it was about, such as the database that was ingested.
    ended : str
        When, in UTC (ISO 8601).
    seconds : float
        Wall clock.
    counts : dict of int
        ``in``, ``done``, ``skipped``, ``failed``.
    outputs : tuple of str
    """

    stage: str
    subject: str = ""
    ended: str = ""
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()


def keep_account(workspace: Workspace, report: StageReport, *, subject: str = "") -> StageReport:
    """Add a stage's run to the journal, and write what became of every clip to ``reports/account-<stage>.json``.

    Parameters
    ----------
    workspace : Workspace
    report : StageReport
    subject : str
        What the stage was about; part of the file's name.

    Returns
    -------
    StageReport
        `report`.
    """
    entry = Entry(
        report.stage,
        subject,
        datetime.now(UTC).isoformat(timespec="seconds"),
        round(report.seconds, 3),
        report.counts(),
        report.outputs,
    )
    name = safe_name("-".join(part for part in ("account", report.stage, subject) if part)) + ".json"
    with written_whole(workspace.reports / name) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.writelines(_account(entry, report))
    append_line(workspace.reports / "journal.jsonl", json.dumps(asdict(entry), ensure_ascii=False))
    return report


def _account(entry: Entry, report: StageReport) -> Iterator[str]:
    """Yield the text of an account piece by piece: reasons may be as many as there are clips."""
    yield json.dumps(asdict(entry), indent=2, ensure_ascii=False).removesuffix("\n}")
    states: tuple[State, ...] = ("skipped", "failed")
    for state in states:
        outcomes = report.of_state(state)
        yield f',\n  "{state}": {{'
        for place, outcome in enumerate(outcomes):
            clip_id, reason = (json.dumps(text, ensure_ascii=False) for text in (outcome.clip_id, outcome.reason))
            yield f"{',' if place else ''}\n    {clip_id}: {reason}"
        yield "\n  }" if outcomes else "}"
    yield "\n}\n"


def read_journal(workspace: Workspace) -> tuple[Entry, ...]:
    """Return what `keep_account` added, in order; a line that was cut off is left out.

    Examples
    --------
    >>> read_journal(Workspace("a-folder-that-is-not-there"))
    ()
    """
    path = workspace.reports / "journal.jsonl"
    if not path.is_file():
        return ()
    entries = []
    with open_text(path, errors="replace") as stream:
        while line := stream.readline(_LONGEST_LINE):
            try:
                entries.append(_entry(json.loads(line)))
            except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
                continue  # written by a process that was killed, or by a newer merprep
    return tuple(entries)


def _entry(values: dict[str, Any]) -> Entry:
    """Return an entry, or raise what tells that these are not the values of one."""
    outputs = tuple(str(output) for output in values["outputs"])
    counts = {str(name): int(count) for name, count in dict(values["counts"]).items()}
    seconds = float(values["seconds"])
    if not 0 <= seconds < _LONGEST_RUN:
        raise ValueError("an impossible time")
    texts = {name: str(values[name]) for name in ("stage", "subject", "ended")}
    return Entry(**texts, seconds=seconds, counts=counts, outputs=outputs)
