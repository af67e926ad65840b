"""How well faces were found and aligned, and which clips to look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from merprep.ordinary import json_of
from merprep.report.blocks import Block, Cell, Code, Details, Figure, Figures, Missing, Section, Table, Text, Value
from merprep.report.charts import histogram
from merprep.report.gallery import ON_FACE, face_figure, marks_of
from merprep.report.study import Study
from merprep.store.aligned import AlignedFile, open_aligned

TITLE = "Alignment"
_FACES = 12


def section(study: Study) -> Section:
    """Return the section."""
    if study.imported:
        return Section("alignment", TITLE, (Text("The imported maps came without faces."),))
    if study.aligned is None:
        return Section("alignment", TITLE, (Missing("No faces are aligned yet.", "merprep align"),))
    with open_aligned(study.aligned) as file:
        blocks = _blocks(study, file)
    return Section("alignment", TITLE, tuple(blocks))


def _blocks(study: Study, file: AlignedFile) -> list[Block]:
    rows = [_quality(file, str(name)) for name in file.clips["id"]]
    doubtful = [row for row in rows if row["flags"] or row["faces"] > 1 or row["attempt"] != "as it is"]
    backend, size = file.config.get("backend"), file.config.get("size")
    told = (
        f"{len(rows)} of {len(study.manifest.usable)} usable clips, {backend} landmarks ({file.scheme}), "
        f"{size} × {size} px, one transform a clip. {_count(len(doubtful))} doubtful in some way."
    )
    score = histogram(
        "Confidence of the landmarks", [row["score"] for row in rows], "score", span=(0.0, 1.0), width=420
    )
    residual = histogram("Fit of the stable points", [row["residual"] for row in rows], "residual, px RMS", width=420)
    return [
        Text(told),
        Figures("", (Figure(score, "Confidence of the landmarks.", "alignment-score"),
                     Figure(residual, "Distance of the expression-stable points from where they belong.",
                            "alignment-residual"))),
        *_doubtful(doubtful),
        *(_doubtful_faces(file, doubtful) if study.faces else ()),
        *_not_aligned(study, {row["clip"] for row in rows}),
        Details("Alignment of every clip", (_table("Alignment by clip", rows),)),
        Details("Settings of the alignment", (Code("configuration", json.dumps(file.config, indent=2)),)),
    ]  # fmt: skip


def _count(number: int) -> str:
    return {0: "No clip is", 1: "1 clip is"}.get(number, f"{number} clips are")


def _quality(file: AlignedFile, name: str) -> dict[str, Any]:
    return {"clip": name, **file.quality(name)}


def _doubtful(rows: list[dict[str, Any]]) -> list[Block]:
    return [_table("Doubtful clips", rows)] if rows else []


def _doubtful_faces(file: AlignedFile, rows: list[dict[str, Any]]) -> list[Block]:
    figures = []
    for row in rows[:_FACES]:
        [image] = file.frames(row["clip"], [file.reference(row["clip"])])
        marks = marks_of(file.landmarks(row["clip"]), file.scheme, image.shape[0], ON_FACE)
        why = row["flags"] or f"{row['faces']} faces seen, found {row['attempt']}"
        figures.append(face_figure(image, marks, f"Onset of {row['clip']}", f"{row['clip']}: {why}"))
    more = f", the first {_FACES}" if len(rows) > _FACES else ""
    return [Figures(f"Faces of doubtful clips{more}", tuple(figures))] if figures else []


def _table(caption: str, rows: list[dict[str, Any]]) -> Table:
    cells: list[list[Value | Cell]] = [
        [row["clip"], row["score"], row["residual"], row["faces"], row["attempt"],
         Cell(row["flags"] or "none", "bad" if row["flags"] else "muted")]
        for row in rows
    ]  # fmt: skip
    return Table(caption, ("clip", "score", "residual, px", "faces seen", "face found", "flags"), cells)


def _not_aligned(study: Study, aligned: set[str]) -> list[Block]:
    missing = [clip for clip in study.manifest.usable if clip.id not in aligned]
    if not missing:
        return []
    reasons = account(study.workspace.reports / "account-align.json")
    rows = [(clip.id, clip.database, reasons.get(clip.id, "not tried yet: run merprep align")) for clip in missing]
    return [Table("Clips that are not aligned", ("clip", "database", "reason"), rows)]


def account(path: Path) -> dict[str, str]:
    """Return why a stage did not do a clip, by clip id, from its last account."""
    try:
        values = json_of(path)
        return {**values["skipped"], **values["failed"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
