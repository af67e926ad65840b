"""SAMM-LV: whole recordings, `006_1/006_1_0001.jpg`, its table of micro- and macro-expressions, and SAMM's table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from merprep.synthetic import layout_samm
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import number_or_text, write_table, write_workbook

HEADER = (
    "Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units", "Notes",
)  # fmt: skip
_HEADER_ROW = 10
# How far SAMM's numbers of the same clips are ahead, as in the recordings that were cut.
_AHEAD = 2000


def invented(cast: Cast) -> list[ClipPlan]:
    """Return micro-expressions, and for each person macro-expressions with what the real table has of oddities."""
    plans = []
    for subject, number, emotion in cast.roles("samm-lv"):
        plans.append(_micro(f"{subject + 5:03d}", number, emotion, cast.n_frames))
    for subject in range(1, cast.subjects + 1):
        plans += _macros(f"{subject + 5:03d}", cast.n_frames, plans)
    return plans


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table with its header on row 10, and SAMM's table, which has the emotions."""
    path = root / disk("samm-lv")["tables"][table]
    rows: list[list[object]] = [["Fake SAMM-LV table: no person of the real database is in it"], ["-1 = not annotated"]]
    rows += [[None] for _ in range(_HEADER_ROW - 1 - len(rows))]
    rows.append(list(HEADER))
    rows += [_row(plan) for plan in plans]
    if path.suffix == ".csv":
        write_table(path, rows)
    else:
        write_workbook(path, {"Sheet1": rows})
    other = root / disk("samm")["tables"]["v2"]
    layout_samm.write_sheet(other, [_as_in_samm(plan) for plan in plans if plan.kind == "micro"])
    return [path, other]


def _micro(subject: str, number: int, emotion: str, n_frames: int) -> ClipPlan:
    video = f"{subject}_{1 + number % 3}"
    onset = 100 * number
    apex = None if number == 2 else onset + n_frames // 2
    return _plan(subject, f"{video}_{number}", emotion, (onset, apex, onset + n_frames - 1), "micro", video)


def _macros(subject: str, n_frames: int, micros: list[ClipPlan]) -> list[ClipPlan]:
    """Return one from the first frame of its recording, one of the name of a micro-expression, one without an apex."""
    first = next(plan for plan in micros if plan.subject == subject)
    video = f"{subject}_5"
    onset, end = first.onset, first.offset + 2
    return [
        _plan(subject, f"{video}_1", "", (0, n_frames // 2, n_frames), "macro", video, ("Chewing",)),
        _plan(subject, first.clip, "", (onset, onset + 1, end), "macro", first.video, ("7D", "all of the above")),
        _plan(subject, f"{video}_2", "", (500, None, 500 + n_frames), "macro", video, ("80 (big swallow)",)),
    ]


def _plan(
    subject: str,
    clip: str,
    emotion: str,
    frames: tuple[int, int | None, int],
    kind: str,
    video: str,
    units: tuple[str, ...] = (),
) -> ClipPlan:
    onset, apex, offset = frames
    face = disk("samm-lv")["people"] + int(subject)
    units = units or usual_units(emotion)
    return ClipPlan(
        subject, clip, emotion, onset, apex, offset, onset, offset, "", "", face, units, kind=kind, video=video
    )  # fmt: skip


def _row(plan: ClipPlan) -> list[object]:
    # The durations of some macro-expressions are one too long in the release.
    length = plan.offset - plan.onset + (2 if plan.onset == 0 else 1)
    kind = "Micro - 1/2" if plan.kind == "micro" else "Macro"
    row: list[object] = [plan.subject, plan.clip, int(plan.video.split("_")[1]), plan.onset]
    row += [-1 if plan.apex is None else plan.apex, plan.offset, length, kind]
    return [*row, number_or_text("+".join(plan.action_units)), None]


def _as_in_samm(plan: ClipPlan) -> ClipPlan:
    apex = None if plan.apex is None else plan.apex + _AHEAD
    return replace(plan, onset=plan.onset + _AHEAD, apex=apex, offset=plan.offset + _AHEAD)
