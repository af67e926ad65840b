"""MEVIEW, as far as its files can be guessed: a video file a clip and a table of onsets and offsets."""

from __future__ import annotations

from pathlib import Path

from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import write_table

HEADER = ("Subject", "Filename", "Onset", "Offset", "Emotion", "FACS")


def invented(cast: Cast) -> list[ClipPlan]:
    """Return the clips of invented persons; none has an apex."""
    plans = []
    for subject, number, emotion in cast.roles("meview"):
        onset = 3 + number
        name, face = f"{subject:02d}", disk("meview")["people"] + subject
        offset = onset + cast.n_frames - 1
        plans.append(
            ClipPlan(
                name,
                f"{name}_{number}",
                emotion,
                onset,
                None,
                offset,
                onset,
                offset,
                "",
                "",
                face,
                usual_units(emotion),
            )
        )
    return plans


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table."""
    path = root / disk("meview")["tables"][table]
    rows: list[list[object]] = [list(HEADER)]
    for plan in plans:
        rows.append([plan.subject, plan.clip, plan.onset, plan.offset, plan.emotion, "+".join(plan.action_units)])
    write_table(path, rows)
    return [path]
