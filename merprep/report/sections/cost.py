"""What each stage took."""

from __future__ import annotations

from merprep.report.blocks import Block, Cell, Figure, Section, Table, Text, Value
from merprep.report.charts import bars
from merprep.report.study import Study

TITLE = "Cost"


def _tenths(seconds: float) -> Cell:
    return Cell(f"{seconds:.1f}", sort=seconds)


def section(study: Study) -> Section:
    """Return the section."""
    rows: list[tuple[Value | Cell, ...]] = []
    totals: dict[str, float] = {}
    for entry in study.journal:
        done = entry.counts.get("done", 0)
        each = entry.seconds / done * 1000 if done else None
        rows.append(
            (
                entry.stage,
                entry.subject,
                entry.ended,
                entry.counts.get("in", 0),
                done,
                _tenths(entry.seconds),
                None if each is None else Cell(f"{each:.0f}", sort=each),
            )
        )
        totals[entry.stage] = totals.get(entry.stage, 0.0) + entry.seconds
    for run in study.runs:
        seconds = float(run.scores.get("seconds", 0.0))
        rows.append(("train", run.name, "", int(run.full["n"]), int(run.full["n"]), _tenths(seconds), None))
        totals["train"] = totals.get("train", 0.0) + seconds
    if not rows:
        return Section("cost", TITLE, (Text("No stage has left an account of its time yet."),))
    told = (
        "Wall-clock seconds, as the stages measured themselves. A stage that continues counts only what it did anew; "
        "the time of flow contains the alignment that it started; the time of train is that of its last call."
    )
    drawn = bars("Seconds by stage", [(name, value, f"{value:.1f} s") for name, value in totals.items()])
    columns = ("stage", "what", "ended (UTC)", "clips in", "done", "seconds", "ms a clip")
    blocks: list[Block] = [
        Text(told),
        Figure(drawn, "Seconds by stage, all runs of it together.", "cost", wide=True),
        Table("Every run of a stage", columns, rows),
    ]
    return Section("cost", TITLE, tuple(blocks))
