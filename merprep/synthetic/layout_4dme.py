"""4DME: grey clips in `gray_micro/S13/S13_1st_001_01_2`, and its table with several emotions a clip."""

from __future__ import annotations

from pathlib import Path

from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import write_workbook

_HEADER = ("sub_ID", "fold", "fold_name", "Onset", "Apex", "Offset", "AUs", "eye blink", "Emotion")
_EARLY = ("sub_ID'", "fold'", "fold_name'", "Onset", "Apex", "Offset", "Length", "AUs", "eye blink", "Emotion'")
_CLASSES = ("Positive", "Negative", "Surprise", "Repression", "Others")
_UNITS = (1, 4, 7, 12, 15)


def invented(cast: Cast) -> list[ClipPlan]:
    """Return the clips of invented subjects, some of them of two emotions."""
    return [_plan(subject, number, emotion, cast.n_frames) for subject, number, emotion in cast.roles("4dme")]


def extra_folders() -> list[ClipPlan]:
    """Return the folder that the release has without a row."""
    return [_plan(13, 1, "Others", 12, clip="S13_1st_001_01_1", in_sheet=False)]


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table: numbers as floats, a column a class and a unit, a total at the end."""
    path = root / disk("4dme")["tables"][table]
    early = table == "pre-release"
    header = [*(_EARLY if early else _HEADER), *_CLASSES, "Total", *(f"AU{unit}" for unit in _UNITS)]
    rows: list[list[object]] = [header]
    rows += [_row(plan, early=early) for plan in plans]
    shown = [sum(word in plan.emotion.split("+") for plan in plans) for word in _CLASSES]
    rows.append(["Total", None, None, *([None] * (len(_EARLY if early else _HEADER) - 3)), *shown, sum(shown)])
    write_workbook(path, {"Sheet1": rows})
    return [path]


def _plan(subject: int, number: int, emotion: str, n_frames: int, *, clip: str = "", in_sheet: bool = True) -> ClipPlan:
    name, face = f"S{subject:02d}", disk("4dme")["people"] + subject
    video = f"{name}_1st_{number:03d}_01"
    onset = 1800 + 40 * number
    apex, offset = onset + n_frames // 2, onset + n_frames - 1
    units = tuple(f"AU{unit}" for unit in usual_units(emotion.partition("+")[0]))
    return ClipPlan(
        name, clip or f"{video}_2", emotion, onset, apex, offset, onset, offset, "", "", face, units, in_sheet,
        video=video,
    )  # fmt: skip


def _row(plan: ClipPlan, *, early: bool) -> list[object]:
    words = plan.emotion.split("+")
    numbers: list[object] = [float(number) for number in (plan.onset, plan.apex or plan.onset, plan.offset)]
    length: list[object] = [float(plan.offset - plan.onset + 1)] if early else []
    # One unit is kept over the clip, so it is no part of the expression.
    units = "+".join([f"{plan.action_units[0]}(k)", *plan.action_units[1:]])
    row: list[object] = [plan.subject, "1st", plan.clip, *numbers, *length, units, None, plan.emotion]
    row += [float(word in words) for word in _CLASSES]
    return [*row, float(len(words)), *(float(f"AU{unit}" in plan.action_units) for unit in _UNITS)]
