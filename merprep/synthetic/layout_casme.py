"""CASME as it is released: `sub01/EP01_5/EP01_5-113.jpg`, padded or not by class, and its sheet with two apexes."""

from __future__ import annotations

from pathlib import Path

from merprep.databases.cells import frame_number
from merprep.databases.sheet import CodingSheet
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import number_or_text, write_workbook

HEADER = (
    "Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion",
)  # fmt: skip


def invented(cast: Cast) -> list[ClipPlan]:
    """Return the clips of invented subjects."""
    plans = []
    for subject, number, emotion in cast.roles("casme"):
        onset = 16 + 15 * number + subject
        clip = f"EP{1 + number % 16:02d}_{number}"
        apex, offset = onset + cast.n_frames // 2, onset + cast.n_frames - 1
        plans.append(_plan(subject, clip, emotion, onset, apex, offset))
    return plans


def from_sheet(sheet: CodingSheet) -> list[ClipPlan]:
    """Return a clip for every row of a coding sheet."""
    plans = []
    for row in sheet.rows:
        onset, apex, offset = (frame_number(row.cells.get(name)) for name in ("onset", "apex", "offset"))
        if onset is not None and offset is not None:
            subject = int(row.text("subject"))
            plans.append(_plan(subject, row.text("clip"), row.text("emotion"), onset, apex, offset))
    return plans


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the coding sheet: two unnamed columns, and a last frame of the apex beside its first."""
    rows: list[list[object]] = [list(HEADER)]
    for plan in plans:
        row: list[object] = [int(plan.subject), plan.clip, None, plan.onset, plan.apex, plan.apex, plan.offset, None]
        rows.append([*row, number_or_text("+".join(plan.action_units)), plan.emotion])
    path = root / disk("casme")["tables"][table]
    write_workbook(path, {"Sheet1": rows})
    return [path]


def _plan(subject: int, clip: str, emotion: str, onset: int, apex: int | None, offset: int) -> ClipPlan:
    face, units = disk("casme")["people"] + subject, usual_units(emotion)
    return ClipPlan(f"{subject}", clip, emotion, onset, apex, offset, onset, offset, "", "", face, units)
