"""SMIC-HS as it is released: bitmaps in `HS/s2/micro/surprise/s2_sur_02/image031210.bmp`, and no sheet at all."""

from __future__ import annotations

import csv
from pathlib import Path

from merprep.databases.cells import frame_number
from merprep.databases.keys import Key, name_key
from merprep.databases.sheet import read_sheet
from merprep.databases.spec import SheetSpec
from merprep.errors import SheetError
from merprep.synthetic.plans import Cast, ClipPlan, disk, usual_units

_CODES = {"negative": "ne", "positive": "po", "surprise": "sur"}
_WORDS = {code: word for word, code in _CODES.items()}
# Short clips have 11 to 58 frames; those without known frames get a usual length.
_LENGTH = 30


def invented(cast: Cast) -> list[ClipPlan]:
    """Return the clips of invented subjects."""
    plans = []
    for subject, number, emotion in cast.roles("smic"):
        nth = 1 + (number - 1) % cast.clips_per_class
        onset = 30_000 * subject + 700 * number
        plans.append(_plan(f"s{subject}_{_CODES[emotion]}_{nth:02d}", onset, onset + cast.n_frames - 1))
    return plans


def from_list(path: Path, extended: Path | None) -> list[ClipPlan]:
    """Return the clips that a list names (database, subject, clip, label; the MEGC2019 list is one).

    Frame numbers come from the table of the extended clips where it has the clip, and are invented otherwise.

    Raises
    ------
    SheetError
        Where the list names no clip of SMIC.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.reader(stream) if len(row) >= 3 and row[0].strip().lower().startswith("smic")]
    if not rows:
        raise SheetError(
            "The list names no clip of SMIC", where=str(path), expected="rows such as smic,s01,s01_ne_01,0"
        )
    known = {} if extended is None else _extended_frames(extended)
    plans = []
    for index, row in enumerate(rows):
        # The list writes s01_ne_01 where the folder is s1_ne_01.
        subject, _, rest = row[2].strip().partition("_")
        name = f"s{int(subject[1:])}_{rest}"
        onset = 500_000 + 1000 * index
        plans.append(_plan(name, *known.get(name_key(name), (onset, onset + _LENGTH - 1))))
    return plans


def _extended_frames(path: Path) -> dict[Key, tuple[int, int]]:
    sheet = read_sheet(path, SheetSpec.read(disk("smic")["extended"], where="manifests/synthetic/disk.toml"))
    frames = {}
    for row in sheet.rows:
        onset, offset = frame_number(row.cells["onset"]), frame_number(row.cells["offset"])
        if onset is not None and offset is not None and onset <= offset:
            frames[name_key(row.text("clip"))] = (onset, offset)
    return frames


def _plan(clip: str, onset: int, offset: int) -> ClipPlan:
    subject, code, _ = clip.split("_")
    emotion = _WORDS[code]
    folder = f"HS/{subject}/micro/{emotion}/{clip}"
    face = disk("smic")["people"] + int(subject[1:])
    units = usual_units(emotion)
    return ClipPlan(
        subject, clip, emotion, onset, None, offset, onset, offset, folder, "image######.bmp", face, units
    )  # fmt: skip
