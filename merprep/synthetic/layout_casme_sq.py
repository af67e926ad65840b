"""CAS(ME)^2 as it is released: whole videos or expressions cut out, and a workbook without a header."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from merprep.databases import spec
from merprep.databases.sheet import CodingSheet
from merprep.synthetic.placing import plans_of_sheet
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import write_workbook

_PAGES = {"final": "CASFEcode_final", "updated": "CASMEcode_final", "xls": "CASFEcode_final"}
_KINDS = ("micro", "macro")


def invented(cast: Cast) -> list[ClipPlan]:
    """Return invented micro-expressions, and one macro-expression a class and person."""
    plans = []
    classes = [words[0] for words in disk("casme-sq")["classes"]]
    for subject in range(1, cast.subjects + 1):
        for place, emotion in enumerate(classes):
            for nth in range(1, cast.clips_per_class + 2):
                kind = _KINDS[nth > cast.clips_per_class]
                onset = 11 + subject + (nth - 1) * (cast.n_frames + 9)
                plans.append(_plan(subject, place, nth, emotion, kind, onset, cast.n_frames))
    return plans


def from_sheet(sheet: CodingSheet) -> list[ClipPlan]:
    """Return a clip for every row of a real workbook, in videos that are called as the release calls them."""
    description = spec("casme-sq")
    titles = {code: title for code, _, title in disk("casme-sq")["stimuli"]}
    return [
        replace(plan, video=f"{plan.subject.lstrip('s')}_{plan.video}{titles.get(plan.video, '')}")
        for plan in plans_of_sheet(sheet, description, description.layout("rawpic"))
    ]


def write_sheets(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the three sheets: no header, participants as numbers, codes as text."""
    facts = disk("casme-sq")
    folders = [f"s{number}" for number in facts["participants"]]
    path = root / facts["tables"][table]
    rows: list[list[object]] = []
    for plan in plans:
        units = ",".join(plan.action_units) or "NULL"
        row: list[object] = [folders.index(plan.subject) + 1, plan.clip, plan.onset, plan.apex, plan.offset, units]
        rows.append([*row, plan.emotion, f"{plan.kind}-expression", "happyiness" if plan.emotion == "positive" else ""])
    participants = [[place, folder, place] for place, folder in enumerate(folders, start=1)]
    codes = [[code, name] for code, name, _ in facts["stimuli"]]
    write_workbook(path, {_PAGES[table]: rows, "naming rule1": participants, "naming rule2": codes})
    return [path]


def _plan(participant: int, place: int, nth: int, emotion: str, kind: str, onset: int, length: int) -> ClipPlan:
    facts = disk("casme-sq")
    code, name, title = facts["stimuli"][place]
    number = facts["participants"][participant - 1]
    apex, offset = onset + length // 2, onset + length - 1
    face, units = facts["people"] + participant, usual_units(emotion)
    return ClipPlan(
        f"s{number}", f"{name}_{nth}", emotion, onset, apex, offset, onset, offset, "", "", face, units, kind=kind,
        video=f"{number}_{code}{title}",
    )  # fmt: skip
