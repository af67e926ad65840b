"""CAS(ME)^3 part C as it is released: one long video a person, and a table without an apex."""

from __future__ import annotations

from pathlib import Path

from merprep.databases.cells import frame_number
from merprep.databases.sheet import CodingSheet
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import write_workbook

HEADER = ("sub", "count", "onset", "offset", "au", "emotion")


def invented(cast: Cast) -> list[ClipPlan]:
    """Return invented clips, one after the other in the person's video."""
    plans = []
    for subject, number, emotion in cast.roles("casme3c"):
        onset = 373 + 10 * subject + number * (cast.n_frames + 20)
        plans.append(_plan(subject, emotion, onset, onset + cast.n_frames - 1))
    return plans


def from_sheet(sheet: CodingSheet) -> list[ClipPlan]:
    """Return a clip for every row of a coding sheet."""
    plans = []
    for row in sheet.rows:
        subject, onset, offset = (frame_number(row.cells.get(name)) for name in ("subject", "onset", "offset"))
        if None not in (subject, onset, offset):
            plans.append(_plan(subject or 0, row.text("emotion"), onset or 0, offset or 0))
    return plans


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table: action units by commas, one of them at the end."""
    rows: list[list[object]] = [list(HEADER)]
    counts: dict[str, int] = {}
    for plan in plans:
        counts[plan.subject] = counts.get(plan.subject, 0) + 1
        units = ",".join(plan.action_units) + ("," if len(plan.action_units) > 1 else "")
        rows.append([int(plan.subject), counts[plan.subject], plan.onset, plan.offset, units, plan.emotion])
    path = root / disk("casme3c")["tables"][table]
    write_workbook(path, {"mockCrimeME": rows})
    return [path]


def _plan(subject: int, emotion: str, onset: int, offset: int) -> ClipPlan:
    face, units = disk("casme3c")["people"] + subject, usual_units(emotion)
    return ClipPlan(
        f"{subject:02d}", f"{onset}", emotion, onset, None, offset, onset, offset, "", "", face, units, video="color",
    )  # fmt: skip
