"""CASME II as it is released: selected frames in `sub01/EP02_01f/img46.jpg`, and its coding sheet."""

from __future__ import annotations

from pathlib import Path

from merprep.databases import spec
from merprep.databases.cells import frame_number
from merprep.databases.sheet import CodingSheet
from merprep.labels import ROMAN, objective_class
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import number_or_text, write_workbook

HEADER = (
    "Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units", "Estimated Emotion",
)  # fmt: skip


def invented(cast: Cast) -> list[ClipPlan]:
    """Return the clips of invented subjects."""
    plans = []
    for subject, number, emotion in cast.roles("casme2"):
        onset = 16 + 15 * number + subject
        clip = f"EP{1 + number % 19:02d}_{number:02d}{'f' if number % 2 else ''}"
        plans.append(
            _plan(f"{subject:02d}", clip, emotion, onset, onset + cast.n_frames // 2, onset + cast.n_frames - 1)
        )
    return plans


def from_sheet(sheet: CodingSheet) -> list[ClipPlan]:
    """Return a clip for every row of a coding sheet, with the folders that are known to differ from it."""
    plans = []
    ends = {(entry["subject"], entry["clip"]): entry["last"] for entry in disk("casme2")["truncated"]}
    for row in sheet.rows:
        onset, apex, offset = (frame_number(row.cells.get(name)) for name in ("onset", "apex", "offset"))
        if onset is None or offset is None:
            continue
        subject = f"{int(row.text('subject')):02d}"
        last = ends.get((f"sub{subject}", row.text("clip")))
        plans.append(_plan(subject, row.text("clip"), row.text("emotion"), onset, apex, offset, last=last))
    return plans


def extra_folders() -> list[ClipPlan]:
    """Return the folders that the release has without a row for them."""
    return [
        _plan(e["subject"][3:], e["clip"], e["emotion"], e["first"], None, e["last"], in_sheet=False)
        for e in disk("casme2")["extra"]
    ]


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the coding sheet of 2014, that of 2019 with its column of objective classes, or these in a second file."""
    path = root / disk("casme2")["tables"][table]
    header = [*HEADER, *(["Objective Classes"] if table == "2019" else [])]
    rows: list[list[object]] = [list(header)]
    for plan in plans:
        row: list[object] = [plan.subject, plan.clip, None, plan.onset, "/" if plan.apex is None else plan.apex]
        row += [plan.offset, None, number_or_text("+".join(plan.action_units)), plan.emotion]
        rows.append(row + ([_class_number(plan)] if table == "2019" else []))
    write_workbook(path, {"Sheet1": rows, "Sheet2": [], "Sheet3": []})
    if table != "objective":
        return [path]
    classes: list[list[object]] = [
        ["Subject", "Filename", "Objective Class"],
        *([p.subject, p.clip, _class_number(p)] for p in plans),
    ]
    write_workbook(root / "CASME2-ObjectiveClasses.xlsx", {"Sheet1": classes, "Sheet2": [["I", 25], ["II", 15]]})
    return [path, root / "CASME2-ObjectiveClasses.xlsx"]


def _class_number(plan: ClipPlan) -> int:
    return ROMAN.index(objective_class("+".join(plan.action_units))) + 1


def _plan(
    subject: str,
    clip: str,
    emotion: str,
    onset: int,
    apex: int | None,
    offset: int,
    *,
    last: int | None = None,
    in_sheet: bool = True,
) -> ClipPlan:
    folder = f"{spec('casme2').subject_name(subject)}/{clip}"
    face = disk("casme2")["people"] + int(subject)
    last = offset if last is None else last
    units = usual_units(emotion)
    return ClipPlan(
        subject, clip, emotion, onset, apex, offset, onset, last, folder, "img#.jpg", face, units, in_sheet
    )  # fmt: skip
