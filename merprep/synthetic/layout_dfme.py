"""DFME: `train_data/sub0003_01/00109.png`, three parts with a folder and a table each."""

from __future__ import annotations

from pathlib import Path

from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import number_or_text, write_workbook

HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU")
_EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
_RATES = (200.0, 300.0, 500.0)
_PARTS = ("train", "test-a", "test-b")


def invented(cast: Cast) -> list[ClipPlan]:
    """Return clips counted from 0; people take turns in the three parts, the first two of each four in training."""
    plans = []
    for subject, number, emotion in cast.roles("dfme"):
        onset = 0 if number % 2 else 9
        part = _PARTS[max(0, (subject - 1) % 4 - 1)]
        name, face = f"sub{subject:04d}", disk("dfme")["people"] + subject
        apex, offset = onset + cast.n_frames // 2, onset + cast.n_frames - 1
        plans.append(
            ClipPlan(
                name,
                f"{name}_{number:02d}",
                emotion,
                onset,
                apex,
                offset,
                onset,
                offset,
                "",
                "",
                face,
                usual_units(emotion),
                kind=part,
                fps=_RATES[number % 3],
            )
        )
    return plans


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table of each part that has clips."""
    paths = []
    for part in _PARTS:
        rows: list[list[object]] = [list(HEADER)]
        for plan in (plan for plan in plans if plan.kind == part):
            row: list[object] = [plan.subject, plan.clip, plan.onset, plan.apex, plan.offset, plan.emotion]
            row += [_EMOTIONS.index(plan.emotion), int(plan.fps), number_or_text("+".join(plan.action_units))]
            rows.append(row)
        if len(rows) > 1:
            paths.append(root / disk("dfme")["tables"][table] / disk("dfme")["parts"][part][1])
            write_workbook(paths[-1], {"Sheet1": rows})
    return paths


def part_of(sheet: str) -> str:
    """Return the part whose table is called so; the training part where the name tells none."""
    word = sheet.lower()
    return "test-a" if word.startswith("testa") else "test-b" if word.startswith("testb") else "train"
