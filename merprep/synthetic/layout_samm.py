"""SAMM as it is released: grey frames in `006/006_1_2/006_05562.jpg`, and its sheet of FACS codes."""

from __future__ import annotations

from pathlib import Path

from merprep.databases.cells import frame_number
from merprep.databases.sheet import CodingSheet
from merprep.labels import ROMAN, objective_class
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import number_or_text, write_workbook

HEADER = (
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
    "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
)  # fmt: skip
_HEADER_ROW = 14


def invented(cast: Cast) -> list[ClipPlan]:
    """Return the clips of invented subjects; numbering starts at 6, as SAMM's does."""
    plans = []
    for subject, number, emotion in cast.roles("samm"):
        name = f"{subject + 5:03d}"
        onset = 900 * number + 37 * subject
        apex, offset = onset + cast.n_frames // 2, onset + cast.n_frames - 1
        plans.append(_plan(name, f"{name}_{1 + number % 7}_{number}", emotion, onset, apex, offset))
    return plans


def from_sheet(sheet: CodingSheet) -> list[ClipPlan]:
    """Return a clip for every row of a coding sheet."""
    plans = []
    for row in sheet.rows:
        onset, apex, offset = (frame_number(row.cells.get(name)) for name in ("onset", "apex", "offset"))
        if onset is not None and offset is not None:
            subject = f"{int(row.text('subject')):03d}"
            plans.append(_plan(subject, row.text("clip"), row.text("emotion"), onset, apex, offset))
    return plans


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the coding sheet, in the one version that is known."""
    path = root / disk("samm")["tables"][table]
    write_sheet(path, plans)
    return [path]


def write_sheet(path: Path, plans: list[ClipPlan]) -> None:
    """Write the sheet: notes above the header on row 14, text subjects, durations as formulas."""
    notes = [
        "Fake SAMM sheet: no person of the real database is in it",
        None,
        "Symbol key:",
        '"/" = or',
        '"?" = unclear',
    ]
    rows: list[list[object]] = [[note] for note in notes]
    rows += [[None] for _ in range(_HEADER_ROW - 1 - len(rows))]
    rows.append(list(HEADER))
    for plan in plans:
        line, units = len(rows) + 1, "+".join(plan.action_units)
        row: list[object] = [plan.subject, plan.clip, int(plan.clip.split("_")[1]), plan.onset]
        row += [-1 if plan.apex is None else plan.apex, plan.offset, f"=SUM(F{line}-D{line})+1", "Micro - 1/2"]
        rows.append([*row, number_or_text(units), plan.emotion, ROMAN.index(objective_class(units)) + 1, None])
    write_workbook(path, {"MICRO_ONLY": rows})


def _plan(subject: str, clip: str, emotion: str, onset: int, apex: int | None, offset: int) -> ClipPlan:
    long = clip.rpartition("_")[0] in disk("samm")["five_digits"]
    folder, file = f"{subject}/{clip}", f"{subject}_{'#' * (5 if long else 4)}.jpg"
    face = disk("samm")["people"] + int(subject)
    return ClipPlan(
        subject, clip, emotion, onset, apex, offset, onset, offset, folder, file, face, usual_units(emotion)
    )  # fmt: skip
