"""Whole fake databases on disk, laid out exactly as the real ones are, quirks included."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from merprep.databases import DatabaseSpec, spec
from merprep.databases.sheet import CodingSheet, read_sheet
from merprep.databases.sheet_files import is_sheet_of
from merprep.databases.spec import Layout
from merprep.errors import UnknownNameError, UsageError
from merprep.progress import Progress, Silent
from merprep.synthetic import layout_dfme, layout_smic
from merprep.synthetic.pixels import Frames, write_clip, write_recording, write_stubs
from merprep.synthetic.placing import frames_folder, layout_of, placed, plans_of_sheet
from merprep.synthetic.plans import Cast, ClipPlan, disk
from merprep.synthetic.writers import REGISTRY

WRITERS = tuple(REGISTRY)


@dataclass(frozen=True)
class WrittenDatabase:
    """What was laid on disk.

    Attributes
    ----------
    database : str
    root : Path
        The folder given; ingest takes it.
    frames_root : Path
    sheet : Path or None
        The first of `sheets`.
    sheets : tuple of Path
        Every table that was written: one a part, and those that fields are joined from.
    clips : tuple of ClipPlan
        Each clip's truth: emotion, onset, apex, offset, files.
    files : int
        Frames written.
    """

    database: str
    root: Path
    frames_root: Path
    sheet: Path | None
    clips: tuple[ClipPlan, ...]
    files: int
    sheets: tuple[Path, ...] = ()


def write_database(
    name: str,
    root: str | Path,
    *,
    variant: str | None = None,
    layout: str | None = None,
    subjects: int = 4,
    clips_per_class: int = 2,
    annotations: str | Path | None = None,
    clip_list: str | Path | None = None,
    frame_size: tuple[int, int] | None = None,
    frames: Frames = "all",
    n_frames: int = 24,
    amplitude: float = 1.0,
    table: str | None = None,
    extra_folders: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> WrittenDatabase:
    """Write a fake database in its true layout.

    Parameters
    ----------
    name : str
        A database (``casme2``, ``samm-lv``, ``mmew``, ...), in any usual spelling.
    root : path-like
        The folder to write into; made where it is missing.
    variant : str, optional
        One of its variants, as for ingest.
    layout : str, optional
        One of its layouts, by the name that its description gives it; None is the first.
    subjects, clips_per_class, n_frames : int
        Of an invented database: persons, clips of each of the three classes a person, frames a clip.
    amplitude : float
        Length of an expression's longest displacement, px of the frame; a macro-expression moves by several pixels.
    annotations : path-like, optional
        A real coding sheet: every row of it is laid out, and the sheet is copied beside the frames. For SMIC, the
        table of the extended clips, which gives frame numbers.
    clip_list : path-like, optional
        For SMIC, the list that names the clips (the one of MEGC2019).
    frame_size : (width, height), optional
        None is the size of the release.
    frames : {"all", "key", "stub"}
        Render every frame; onset, apex and offset only, the rest stubs; stubs only (tiny, but valid images).
    table : str, optional
        The version of an invented sheet, ``2014`` or ``2019`` for CASME II; None is the usual one.
    extra_folders : bool
        Also lay out the folders that the release is known to have without a row in the sheet.
    seed : int
    progress : Progress, optional

    Returns
    -------
    WrittenDatabase

    Raises
    ------
    UnknownNameError
        Where there is no writer for this database, or no such layout or table.
    UsageError
        Where numbers make no sense.

    Examples
    --------
    >>> import tempfile
    >>> written = write_database("samm", tempfile.mkdtemp(), subjects=2, clips_per_class=1, frames="stub")
    >>> written.clips[0].folder, len(written.clips), written.files
    ('006/006_2_1', 6, 144)
    """
    description = spec(name, variant)
    if description.id not in REGISTRY:
        raise UnknownNameError.among("synthetic database", description.id, list(WRITERS))
    if min(subjects, clips_per_class) < 1 or n_frames < 3:
        raise UsageError("A fake database needs a subject, a clip of each class and three frames a clip")
    writer, root = REGISTRY[description.id], Path(root)
    version, place = _version(description, table), layout_of(description, layout)
    cast = Cast(subjects, clips_per_class, seed, n_frames, version, place.name)
    given = None if annotations is None else Path(annotations)
    plans = _plans(description, place, cast, given, clip_list)
    if extra_folders and writer.extra_folders is not None:
        plans += writer.extra_folders()
    if "layouts" in disk(description.id):
        plans = placed(plans, description, place)
    frames_root = root / frames_folder(description, place)
    plans = _fill(frames_root, plans, description, frames, frame_size, seed, amplitude, progress or Silent())
    sheets = _write_sheets(description, root, plans, given, version)
    if description.id == "smic":
        _write_non_micro(frames_root, plans)
    files = len({(plan.folder, plan.file, number) for plan in plans for number in plan.frames.numbers})
    return WrittenDatabase(
        description.id, root, frames_root, sheets[0] if sheets else None, tuple(plans), files, tuple(sheets)
    )


def _version(description: DatabaseSpec, table: str | None) -> str:
    known: dict[str, str] = disk(description.id)["tables"]
    if table is not None and table not in known:
        raise UnknownNameError.among(f"table of {description.id}", table, list(known) or ["none"])
    return table or next(iter(known), "")


def _plans(
    description: DatabaseSpec, layout: Layout, cast: Cast, annotations: Path | None, clip_list: str | Path | None
) -> list[ClipPlan]:
    if description.id == "smic" and clip_list is not None:
        return layout_smic.from_list(Path(clip_list), annotations)
    writer = REGISTRY[description.id]
    if annotations is None or description.sheet is None:
        return writer.invented(cast)
    sheet = read_sheet(annotations, description.sheet)
    if writer.from_sheet is not None:
        return writer.from_sheet(sheet)
    return _of_part(plans_of_sheet(sheet, description, layout), sheet)


def _of_part(plans: list[ClipPlan], sheet: CodingSheet) -> list[ClipPlan]:
    """Return the plans of DFME's parts, which its tables do not name, and any other as they are."""
    part = layout_dfme.part_of(sheet.path.name)
    return [replace(plan, kind=plan.kind or part) for plan in plans]


def _fill(
    root: Path,
    plans: list[ClipPlan],
    description: DatabaseSpec,
    frames: Frames,
    size: tuple[int, int] | None,
    seed: int,
    amplitude: float,
    progress: Progress,
) -> list[ClipPlan]:
    """Write the frames, and return the plans with the action units that were rendered."""
    done = []
    progress.start(f"write {description.id}", len(plans))
    try:
        for group in _by_file(plans):
            how: dict[str, Any] = {"frames": frames, "size": size, "seed": seed, "amplitude": amplitude}
            if group[0].frames.is_video:
                shown = write_recording(root, group, description.image, **how)
            else:
                shown = [write_clip(root, plan, description.image, **how) for plan in group]
            for plan, units in zip(group, shown, strict=True):
                done.append(replace(plan, action_units=units or plan.action_units))
                progress.advance()
    finally:
        progress.finish()
    return done


def _by_file(plans: list[ClipPlan]) -> list[list[ClipPlan]]:
    """Return the clips of one video file together, every other clip alone."""
    groups: dict[object, list[ClipPlan]] = {}
    for place, plan in enumerate(plans):
        key: object = plan.frames.pattern if plan.frames.is_video else place
        groups.setdefault(key, []).append(plan)
    return list(groups.values())


def _write_sheets(
    description: DatabaseSpec, root: Path, plans: list[ClipPlan], given: Path | None, table: str
) -> list[Path]:
    writer = REGISTRY[description.id]
    if writer.write_sheets is None:
        return []
    if given is None:
        return writer.write_sheets(root, [plan for plan in plans if plan.in_sheet], table)
    usual = Path(disk(description.id)["tables"][table])
    if is_sheet_of(description, given.name):
        target = root / (usual if not usual.suffix else usual.parent) / given.name
    else:
        target = root / usual.with_suffix(given.suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(given, target)
    return [target]


def _write_non_micro(root: Path, plans: list[ClipPlan]) -> None:
    """Lay out one clip without an expression: the release keeps them beside `micro`."""
    subject = plans[0].subject
    names = [f"HS/{subject}/non_micro/{subject}_non_01/image{number:06d}.bmp" for number in range(1001, 1004)]
    write_stubs(root, names, ".bmp", colour=True)
