"""CAS(ME)^3 part A as it is released: whole videos in colour and depth, or clips cut out, and its tables."""

from __future__ import annotations

from pathlib import Path

from merprep.databases.cells import frame_number
from merprep.databases.sheet import CodingSheet
from merprep.labels import objective_class
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import write_workbook

HEADER = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion")
_KINDS = {"micro-and-macro": ("micro", "macro"), "macro": ("macro",)}
# Frames of a clip whose table has no offset; more than any of those has.
_UNKNOWN = 100


def invented(cast: Cast) -> list[ClipPlan]:
    """Return invented clips: every class has a video, whose clips follow each other."""
    plans = []
    for kind in _KINDS.get(cast.table, ("",)):
        for subject, number, emotion in cast.roles("casme3a"):
            video, nth = divmod(number - 1, cast.clips_per_class)
            onset = 20 + subject + (2 * nth + (kind == "macro")) * (cast.n_frames + 12)
            frames = (onset, onset + cast.n_frames // 2, onset + cast.n_frames - 1)
            plans.append(_plan(f"spNO.{subject}", "abcdefghijklm"[video], emotion, frames, kind))
    return plans


def from_sheet(sheet: CodingSheet) -> list[ClipPlan]:
    """Return a clip for every row of a coding sheet."""
    plans = []
    for row in sheet.rows:
        onset, apex, offset = (frame_number(row.cells.get(name)) for name in ("onset", "apex", "offset"))
        if onset is None or offset is None:
            continue
        last = offset if offset >= onset else onset + _UNKNOWN
        plans.append(
            _plan(
                row.text("subject"),
                row.text("video"),
                row.text("emotion"),
                (onset, apex, last),
                row.text("kind")[:5].lower(),
            )
        )
    return plans


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write one of the tables; every cell is text."""
    path = root / disk("casme3a")["tables"][table]
    if table == "micro-and-macro":
        header = [*HEADER[:6], "Expression type", "Objective class"]
        blinks: list[list[object]] = [["Subject", "Filename", "Onset", "Offset"], [plans[0].subject, "a", "9", "12"]]
        rows = [[*_cells(plan)[:6], f"{plan.kind.capitalize()}-expression", _cells(plan)[6]] for plan in plans]
        write_workbook(path, {"AU+Emotion": [header, *rows], "eye blink": blinks})
    elif table == "macro":
        rows = [[*_cells(plan)[:5], _cells(plan)[7]] for plan in plans]
        write_workbook(path, {"Sheet1": [["sub", "seq", "onset", "apex", "offset", "emotion"], *rows]})
    else:
        rows = [_cells(plan) for plan in plans]
        write_workbook(path, {"label": [list(HEADER), *rows], "Sheet1": [], "Sheet3": []})
    return [path]


def _cells(plan: ClipPlan) -> list[object]:
    units = "+".join(plan.action_units)
    video = plan.clip.partition("_")[0]
    numbers = [str(plan.onset), str(plan.apex), str(plan.offset)]
    return [plan.subject, video, *numbers, units, objective_class(units), plan.emotion]


def _plan(subject: str, video: str, emotion: str, frames: tuple[int, int | None, int], kind: str) -> ClipPlan:
    onset, apex, offset = frames
    facts = disk("casme3a")
    face, lost = facts["people"] + int(subject.rpartition(".")[2]), facts["first"]
    return ClipPlan(
        subject, f"{video}_{onset}", emotion, onset, apex, offset, onset, offset, "", "", face, usual_units(emotion),
        kind=kind, video=video, gaps=tuple(range(min(lost, offset))),
    )  # fmt: skip
