"""Where the clips of a fake database lie: the templates of `manifests/synthetic/disk.toml`, filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from merprep.databases.cells import frame_number
from merprep.databases.rows import row_names
from merprep.databases.sheet import CodingSheet
from merprep.databases.spec import DatabaseSpec, Layout
from merprep.errors import UsageError
from merprep.synthetic.plans import ClipPlan, disk, usual_units


def layout_of(description: DatabaseSpec, name: str | None) -> Layout:
    """Return the layout of that name, or the first that can be written."""
    known = disk(description.id).get("layouts", {})
    if name is None:
        return next((layout for layout in description.layouts if layout.name in known), description.layouts[0])
    layout = description.layout(name)
    if name not in known:
        raise UsageError(f"The layout {name} of {description.title} cannot be written", expected=", ".join(known))
    return layout


def placed(plans: Sequence[ClipPlan], description: DatabaseSpec, layout: Layout) -> list[ClipPlan]:
    """Lay plans out in one of the layouts of a database, below the folder of its frames."""
    table = disk(description.id)["layouts"][layout.name]
    return [_placed(plan, description, layout, table) for plan in plans]


def frames_folder(description: DatabaseSpec, layout: Layout) -> str:
    """Return the folder of the frames, below the one that is written into."""
    table = disk(description.id)
    folder: str = table["layouts"][layout.name]["frames"] if "layouts" in table else table["frames"]
    return folder


def plans_of_sheet(sheet: CodingSheet, description: DatabaseSpec, layout: Layout) -> list[ClipPlan]:
    """Plan a clip for every row of a real coding sheet that has an onset."""
    if description.sheet is None:
        raise UsageError(f"{description.title} has no coding sheet")
    plans = []
    for row, name in zip(sheet.rows, row_names(sheet.rows, description.sheet, layout), strict=True):
        onset, apex, offset = (frame_number(row.cells.get(field)) for field in ("onset", "apex", "offset"))
        if onset is None:
            continue
        last = max(number for number in (onset, apex, offset) if number is not None)
        rate = row.text("fps")
        plan = ClipPlan(
            subject=name.clip.subject,
            clip=row.text("clip"),
            emotion=row.text("emotion") or "others",
            onset=onset,
            apex=apex,
            offset=last if offset is None else max(offset, onset),
            first=onset,
            last=last,
            folder="",
            file="",
            face=disk(description.id)["people"] + _number(description, name.clip.subject),
            action_units=usual_units(row.text("emotion") or "others"),
            kind=name.kind,
            video=row.text("video"),
            fps=float(rate) if rate.isdecimal() else 0,
        )
        plans.append(plan)
    return plans


def _placed(plan: ClipPlan, description: DatabaseSpec, layout: Layout, table: dict[str, Any]) -> ClipPlan:
    around = table.get("around", 0)
    lowest = 0 if plan.first == 0 and not layout.shared else 1
    begins = plan.onset if table.get("begins") == "onset" else 1
    plan = replace(plan, first=max(lowest, plan.first - around), last=plan.last + around, begins=begins)
    words = _words(plan, description)
    if layout.of == "videos" and not layout.shared:
        plan = replace(plan, first=plan.begins)
    name = f"{words['subject']}/{plan.clip}{'_macro' if plan.kind == 'macro' else ''}"
    return replace(plan, folder=table["folder"].format(**words), file=table["file"].format(**words), name=name)


def _words(plan: ClipPlan, description: DatabaseSpec) -> dict[str, str | int]:
    table = disk(description.id)
    number = _number(description, plan.subject)
    emotion = plan.emotion.lower()
    return {
        "subject": description.subject_name(plan.subject),
        "subject_number": number,
        "number": "###" if number >= table.get("padded_from", number + 1) else "#",
        "clip": plan.clip,
        "clip_without_number": plan.clip.rpartition("-")[0],
        "video": plan.video,
        "emotion": emotion,
        "emotion_folder": {"others": "repression"}.get(emotion, emotion),
        "onset": str(plan.onset),
        "part_folder": table.get("parts", {}).get(plan.kind, [""])[0],
    }


def _number(description: DatabaseSpec, subject: str) -> int:
    digits = "".join(letter for letter in description.subject_name(subject) if letter.isdecimal())
    return int(digits or 0)
