"""SMIC-E as it is released: long clips in `HS_long/SMIC-HS-E/HS/s01/s1_ne_01/image559740.jpg`, and its tables."""

from __future__ import annotations

from pathlib import Path

from merprep.databases.cells import frame_number
from merprep.databases.sheet import CodingSheet
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units
from merprep.synthetic.sheets import write_workbook

_CODES = {"negative": "ne", "positive": "po", "surprise": "sur"}
_HEADERS = {
    "orig": "Subject,Filename,,OnsetF,OffsetF,Onset2F,Offset2F,,FirstF,LastF,TotalMF1,TotalMF2,TotalVL,Emotion",
    "edited": "Subject,Filename,,OnsetF,OffsetF,Onset2F,Offset2F,Onset3F,Offset3F,,FirstF,LastF,TotalMF1,TotalMF2,"
    "TotalMF3,TotalVL,Emotion",
    "2019": "Subject,Filename,OnsetF,ApexF,OffsetF,FirstF,LastF,TotalMF1,TotalVL,Emotion",
}


def invented(cast: Cast) -> list[ClipPlan]:
    """Return invented clips; with the table of 2019 they have an apex."""
    plans = []
    for subject, number, emotion in cast.roles("smic-e-hs"):
        nth = 1 + (number - 1) % cast.clips_per_class
        onset = 30_000 * subject + 700 * number
        apex = onset + cast.n_frames // 3 if cast.table == "2019" else None
        clip = f"s{subject}_{_CODES[emotion]}_{nth:02d}"
        plans.append(_plan(subject, clip, clip, emotion, (onset, apex, onset + cast.n_frames - 1)))
    return plans


def from_sheet(sheet: CodingSheet) -> list[ClipPlan]:
    """Return a clip for every expression of a coding sheet, in the recordings that exist."""
    facts = disk("smic-e-hs")
    plans = []
    for row in sheet.rows:
        onset, apex, offset = (frame_number(row.cells.get(name)) for name in ("onset", "apex", "offset"))
        if onset is None or offset is None or row.text("clip") in facts["lost"]:
            continue
        recording = facts["inside"].get(row.text("clip"), row.text("video"))
        subject = int(row.text("subject"))
        plans.append(_plan(subject, row.text("clip"), recording, row.text("emotion"), (onset, apex, offset)))
    return plans


def write_hs(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table of the fast camera in one of its states."""
    return [_write(root, "smic-e-hs", plans, table)]


def write_vis(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table of the colour camera."""
    return [_write(root, "smic-e-vis", plans, table)]


def write_nir(root: Path, plans: list[ClipPlan], table: str) -> list[Path]:
    """Write the table of the infrared camera."""
    return [_write(root, "smic-e-nir", plans, table)]


def _write(root: Path, database: str, plans: list[ClipPlan], table: str) -> Path:
    """Write the table of one camera in one of its states, with the empty sheets that follow it."""
    path = root / Path(disk(database)["tables"][table])
    camera = database.rpartition("-")[2].upper()
    header = [name or None for name in _HEADERS[table].split(",")]
    if camera == "VIS":
        header.remove("LastF")
    rows: list[list[object]] = [list(header)]
    for plan in plans:
        length = plan.offset - plan.onset + 1
        said: dict[str | None, object] = {
            "Subject": int(plan.subject[1:]), "Filename": plan.clip, "OnsetF": plan.onset, "ApexF": plan.apex,
            "OffsetF": plan.offset, "FirstF": plan.onset - 5, "LastF": plan.offset + 5, "TotalMF1": length,
            "TotalVL": length + 10, "Emotion": plan.emotion,
        }  # fmt: skip
        rows.append([said.get(name) for name in header])
    write_workbook(path, {camera: rows, "Sheet2": [], "Sheet3": []})
    return path


def _plan(subject: int, clip: str, video: str, emotion: str, frames: tuple[int, int | None, int]) -> ClipPlan:
    onset, apex, offset = frames
    face = disk("smic-e-hs")["people"] + subject
    return ClipPlan(
        f"s{subject}", clip, emotion, onset, apex, offset, onset, offset, "", "", face,
        usual_units(emotion), video=video,
    )  # fmt: skip
