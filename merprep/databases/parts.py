"""Databases released in parts, each with a folder and a coding sheet of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from merprep.databases.folders import FoundLayout, find_layouts
from merprep.databases.keys import name_key
from merprep.databases.matching import alike
from merprep.databases.sheet import read_sheet
from merprep.databases.sheet_files import find_sheet, is_sheet_of, sheets_near
from merprep.databases.spec import DatabaseSpec, Part
from merprep.records import Clip, FrameSet


@dataclass(frozen=True)
class FoundPart:
    """What there is of one part: its description as a database, its folders, its sheet."""

    spec: DatabaseSpec
    found: FoundLayout | None
    sheet: Path | None


def find_parts(spec: DatabaseSpec, given: Path, annotations: Path | None) -> list[FoundPart]:
    """Find the folders and the sheet of each part; a part may lack either.

    A sheet that is named counts for the part that its file's name, or else its rows, speak of. Folders whose path
    names no part belong to the part whose sheet names them.

    Raises
    ------
    RootNotFoundError
        Where no part has folders.
    SheetError
        Where no part has a sheet.
    """
    hits = find_layouts(spec, given)
    specs = {part.name: _as_database(spec, part) for part in spec.parts}
    folders: dict[str, FoundLayout] = {}
    unnamed: list[FoundLayout] = []
    for hit in hits:
        name = _named_part(spec, hit.root)
        if name:
            folders.setdefault(name, hit)
        elif not _belongs_elsewhere(spec, hit.root):
            unnamed.append(hit)
    sheets = {name: _sheet_near(own, given, hits[0].root) for name, own in specs.items()}
    if annotations is not None:
        sheets[_part_of_sheet(specs, folders, annotations)] = annotations
    for hit in unnamed:
        folders.setdefault(_part_of_folders(specs, sheets, hit), hit)
    if not any(sheets.values()):
        find_sheet(spec, given, hits[0].root)  # raises with what was looked for
    return [FoundPart(own, folders.get(name), sheets[name]) for name, own in specs.items()]


def common_root(roots: Sequence[Path]) -> Path:
    """Return the innermost folder that holds all of them."""
    return Path(os.path.commonpath(roots))


def rooted(clip: Clip, old: Path, new: Path) -> Clip:
    """Return the clip with its frames relative to a folder above their root."""
    if old == new or not clip.frames.pattern:
        return clip
    return replace(
        clip, frames=FrameSet(f"{old.relative_to(new).as_posix()}/{clip.frames.pattern}", clip.frames.numbers)
    )


def _as_database(spec: DatabaseSpec, part: Part) -> DatabaseSpec:
    sheet = None if spec.sheet is None else spec.sheet.model_copy(update={"files": part.files})
    return spec.model_copy(update={"variant": part.name, "parts": (), "sheet": sheet})


def _named_part(spec: DatabaseSpec, root: Path) -> str:
    for component in reversed(root.parts):
        for part in spec.parts:
            if re.fullmatch(part.folder, component, re.IGNORECASE):
                return part.name
    return ""


def _belongs_elsewhere(spec: DatabaseSpec, root: Path) -> bool:
    """Whether a folder is that of a part that was not asked for."""
    from merprep.databases.spec import spec as described

    return bool(_named_part(described(spec.id), root))


def _sheet_near(spec: DatabaseSpec, given: Path, root: Path) -> Path | None:
    return next(iter(sheets_near(spec, given.absolute(), root)), None)


def _part_of_sheet(specs: dict[str, DatabaseSpec], folders: dict[str, FoundLayout], path: Path) -> str:
    called = [name for name, own in specs.items() if is_sheet_of(own, path.name)]
    if called or len(specs) == 1:
        return [*called, *specs][0]
    return max(specs, key=lambda name: _shared_names(specs[name], path, folders.get(name)))


def _part_of_folders(specs: dict[str, DatabaseSpec], sheets: dict[str, Path | None], hit: FoundLayout) -> str:
    return max(specs, key=lambda name: _shared_names(specs[name], sheets[name], hit))


def _shared_names(spec: DatabaseSpec, path: Path | None, hit: FoundLayout | None) -> int:
    """Count the clips that a sheet names and that have a folder."""
    if path is None or hit is None or spec.sheet is None:
        return 0
    names = (ascii(name_key(row.text("clip"))) for row in read_sheet(path, spec.sheet).rows)
    folders = (ascii(name_key(folder.clip)) for folder in hit.clips)
    return sum(len(fitting) for _, fitting in alike(zip(names, count()), zip(folders, count())))
