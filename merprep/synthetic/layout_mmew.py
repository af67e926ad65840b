"""MMEW: face crops by emotion or by subject, and its table; macro-expressions as single images."""

from __future__ import annotations

from pathlib import Path

from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import number_or_text, write_workbook

HEADER = (
    "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion", "remarks",
)  # fmt: skip
_EMOTIONS = ("happiness", "surprise", "anger", "disgust", "fear", "sadness", "others")
# Where the recording begins for those whose table counts it.
_AHEAD = 1000


def invented(cast: Cast) -> list[ClipPlan]:
    """Return micro-expressions counted from 1, and one of "others" a person."""
    plans = [_micro(subject, number, emotion, cast.n_frames) for subject, number, emotion in cast.roles("mmew")]
    return plans + [_micro(subject, 90, "others", cast.n_frames) for subject in range(1, cast.subjects + 1)]


def invented_macro(cast: Cast) -> list[ClipPlan]:
    """Return one image a macro-expression."""
    plans = []
    for subject, number, emotion in cast.roles("mmew-macro"):
        name = f"S{subject:02d}"
        clip = f"{name}-{_EMOTIONS.index(emotion) + 1:02d}-{number:03d}"
        face = disk("mmew-macro")["people"] + subject
        plans.append(
            ClipPlan(name, clip, emotion, number, None, number, number, number, "", "", face, usual_units(emotion))
        )
    return plans


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table; the one called absolute counts the frames of the recordings."""
    path = root / disk("mmew")["tables"][table]
    ahead = _AHEAD if table == "absolute" else 0
    rows: list[list[object]] = [list(HEADER)]
    for plan in plans:
        numbers = [None if n is None else n + ahead for n in (plan.onset, plan.apex, plan.offset)]
        units = number_or_text("+".join(plan.action_units))
        rows.append([plan.subject, plan.clip, *numbers, units, plan.emotion, None])
    write_workbook(path, {"Sheet1": rows})
    return [path]


def _micro(subject: int, number: int, emotion: str, n_frames: int) -> ClipPlan:
    name, face = f"S{subject:02d}", disk("mmew")["people"] + subject
    clip = f"{name}-{_EMOTIONS.index(emotion) + 1:02d}-{number:03d}"
    units = usual_units(emotion)
    return ClipPlan(name, clip, emotion, 1, 1 + n_frames // 2, n_frames, 1, n_frames, "", "", face, units)
