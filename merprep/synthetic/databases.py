"""Whole fake databases on disk, exactly as CASME II, SAMM and SMIC-HS are laid out, quirks included."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from merprep.databases import DatabaseSpec, spec
from merprep.databases.sheet import CodingSheet, read_sheet
from merprep.errors import UnknownNameError, UsageError
from merprep.progress import Progress, Silent
from merprep.synthetic import layout_casme2, layout_samm, layout_smic
from merprep.synthetic.pixels import Frames, write_clip, write_stubs
from merprep.synthetic.plans import Cast, ClipPlan, disk


class _SheetLayout(Protocol):
    """What the writer of a database with a coding sheet offers."""

    def invented(self, cast: Cast, /) -> list[ClipPlan]: ...

    def from_sheet(self, sheet: CodingSheet, /) -> list[ClipPlan]: ...

    def extra_folders(self) -> list[ClipPlan]: ...

    def write_sheet(self, path: Path, plans: list[ClipPlan], table: str, /) -> None: ...


_SHEET_LAYOUTS: dict[str, _SheetLayout] = {"casme2": layout_casme2, "samm": layout_samm}
WRITERS = ("casme2", "samm", "smic")


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


def write_database(
    name: str,
    root: str | Path,
    *,
    subjects: int = 4,
    clips_per_class: int = 2,
    annotations: str | Path | None = None,
    clip_list: str | Path | None = None,
    frame_size: tuple[int, int] | None = None,
    frames: Frames = "all",
    n_frames: int = 24,
    table: str = "2014",
    extra_folders: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> WrittenDatabase:
    """Write a fake database in its true layout.

    Parameters
    ----------
    name : str
        ``casme2``, ``samm`` or ``smic``, in any usual spelling.
    root : path-like
        The folder to write into; made where it is missing.
    subjects, clips_per_class, n_frames : int
        Of an invented database: persons, clips of each of the three classes a person, frames a clip.
    annotations : path-like, optional
        A real coding sheet: every row of it is laid out, and the sheet is copied beside the frames. For SMIC, the
        table of the extended clips, which gives frame numbers.
    clip_list : path-like, optional
        For SMIC, the list that names the clips (the one of MEGC2019).
    frame_size : (width, height), optional
        None is the size of the release.
    frames : {"all", "key", "stub"}
        Render every frame; onset, apex and offset only, the rest stubs; stubs only (tiny, but valid images).
    table : str
        The version of an invented sheet, ``2014`` or ``2019`` for CASME II.
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
        Where there is no writer for this database.
    UsageError
        Where numbers make no sense.

    Examples
    --------
    >>> import tempfile
    >>> written = write_database("samm", tempfile.mkdtemp(), subjects=2, clips_per_class=1, frames="stub")
    >>> written.clips[0].folder, len(written.clips), written.files
    ('006/006_2_1', 6, 144)
    """
    description = spec(name)
    if description.id not in WRITERS:
        raise UnknownNameError.among("synthetic database", description.id, list(WRITERS))
    if min(subjects, clips_per_class) < 1 or n_frames < 3:
        raise UsageError("A fake database needs a subject, a clip of each class and three frames a clip")
    root = Path(root)
    frames_root = root / disk(description.id)["frames"]
    cast = Cast(subjects, clips_per_class, seed, n_frames)
    sheet = (
        None if annotations is None or description.sheet is None else read_sheet(Path(annotations), description.sheet)
    )
    plans = _plans(description, cast, sheet, annotations, clip_list)
    if extra_folders and description.id in _SHEET_LAYOUTS:
        plans += _SHEET_LAYOUTS[description.id].extra_folders()
    plans = _fill(frames_root, plans, description, frames, frame_size, seed, progress or Silent())
    written = _write_sheet(description, root, plans, sheet, table)
    if description.id == "smic":
        _write_non_micro(frames_root, plans)
    return WrittenDatabase(
        description.id, root, frames_root, written, tuple(plans), sum(len(plan.frames) for plan in plans)
    )


def _plans(
    description: DatabaseSpec,
    cast: Cast,
    sheet: CodingSheet | None,
    annotations: str | Path | None,
    clip_list: str | Path | None,
) -> list[ClipPlan]:
    if description.id == "smic":
        if clip_list is None:
            return layout_smic.invented(cast)
        return layout_smic.from_list(Path(clip_list), None if annotations is None else Path(annotations))
    layout = _SHEET_LAYOUTS[description.id]
    return layout.invented(cast) if sheet is None else layout.from_sheet(sheet)


def _fill(
    root: Path,
    plans: list[ClipPlan],
    description: DatabaseSpec,
    frames: Frames,
    size: tuple[int, int] | None,
    seed: int,
    progress: Progress,
) -> list[ClipPlan]:
    """Write the frames, and return the plans with the action units that were rendered."""
    done = []
    progress.start(f"write {description.id}", len(plans))
    try:
        for plan in plans:
            units = write_clip(root, plan, description.image, frames=frames, size=size, seed=seed)
            done.append(replace(plan, action_units=units or plan.action_units))
            progress.advance()
    finally:
        progress.finish()
    return done


def _write_sheet(
    description: DatabaseSpec, root: Path, plans: list[ClipPlan], sheet: CodingSheet | None, table: str
) -> Path | None:
    if description.id not in _SHEET_LAYOUTS:
        return None
    name = Path(disk(description.id)["sheet_name"])
    if sheet is not None:
        target = root / name.with_suffix(sheet.path.suffix)
        shutil.copyfile(sheet.path, target)
        return target
    target = root / (name.name.replace("20140508", "20190701") if table == "2019" else name.name)
    _SHEET_LAYOUTS[description.id].write_sheet(target, [plan for plan in plans if plan.in_sheet], table)
    return target


def _write_non_micro(root: Path, plans: list[ClipPlan]) -> None:
    """Lay out one clip without an expression: the release keeps them beside `micro`."""
    subject = plans[0].subject
    names = [f"HS/{subject}/non_micro/{subject}_non_01/image{number:06d}.bmp" for number in range(1001, 1004)]
    write_stubs(root, names, ".bmp", colour=True)
