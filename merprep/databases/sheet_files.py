"""Finds the coding sheet near the frames."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch, translate
from itertools import chain
from pathlib import Path

from merprep.databases.listing import Tree, list_folder
from merprep.databases.spec import DatabaseSpec
from merprep.databases.workbooks import is_lock_file
from merprep.errors import SheetError

_DEEPEST = 2
_TABLES = (".xls", ".xlsx", ".csv")


def find_sheet(spec: DatabaseSpec, given: Path, root: Path) -> tuple[Path, tuple[str, ...]]:
    """Find the coding sheet of a database.

    Looks in the named folder and two levels below it, in the folders between it and the root of the frames and those
    beside them, and only where there is none, beside the named folder. The name that the description prefers wins; the
    others are returned as not used.

    Raises
    ------
    SheetError
        Where there is none; a lock file in its place is named.
    """
    for places in (_inside(given, root), _places(given, root)):
        seen = _seen(spec, places, Tree(given))
        sheets = [path for path in _fitting(spec, seen) if not is_lock_file(path)]
        if sheets:
            return sheets[0], tuple(str(path) for path in sheets[1:])
    raise _no_sheet(spec, given, seen)


def sheets_near(spec: DatabaseSpec, given: Path, root: Path) -> list[Path]:
    """Return every file near the frames that may be the coding sheet of a database, the likeliest first."""
    return [path for path in _fitting(spec, _seen(spec, _places(given, root), Tree(given))) if not is_lock_file(path)]


def is_sheet_of(spec: DatabaseSpec, name: str) -> bool:
    """Whether a file is called as the coding sheet of a database is."""
    return bool(_fitting(spec, [Path(name)]))


def _seen(spec: DatabaseSpec, places: Iterable[Path], tree: Tree) -> list[Path]:
    """Return the files in some folders that may be tables, without links that lead out of the named one."""
    globs = [*spec.sheet.files, *spec.sheet.not_files] if spec.sheet else []
    globs += ["~$*", *(f"*{suffix}" for suffix in _TABLES)]
    # The frames of a large database are hundreds of thousands of files.
    table = re.compile("|".join(translate(glob.lower()) for glob in globs))
    listed = (
        (folder, tree.list(folder).files if folder.is_relative_to(tree.root) else list_folder(folder)[1])
        for folder in places
    )
    return list(dict.fromkeys(folder / name for folder, names in listed for name in names if table.match(name.lower())))


def _fitting(spec: DatabaseSpec, paths: list[Path]) -> list[Path]:
    """Return the paths that are called as the coding sheet is, in the order of preference."""
    if spec.sheet is None:
        return []
    fitting = [path for glob in spec.sheet.files for path in paths if _is_called(path, glob)]
    others = {path for glob in spec.sheet.not_files for path in paths if _is_called(path, glob)}
    return [path for path in dict.fromkeys(fitting) if path not in others]


def _is_called(path: Path, glob: str) -> bool:
    return fnmatch(path.name.lower(), glob.lower())


def _inside(given: Path, root: Path) -> Iterator[Path]:
    """Yield the folders to look in, some of them twice: they may be as many as there are clips, and none is held."""
    tree = Tree(given)
    above = [folder for folder in root.parents if folder.is_relative_to(given)]
    yield given
    yield from _below(tree, given, _DEEPEST)
    for folder in reversed(above):
        yield folder
        yield from _below(tree, folder, 1)
    yield root


def _places(given: Path, root: Path) -> Iterator[Path]:
    return chain(_inside(given, root), (root.parent, given.parent))


def _below(tree: Tree, folder: Path, depth: int) -> Iterator[Path]:
    if depth == 0:
        return
    inside = [folder / name for name in tree.list(folder).folders if not name.startswith(".")]
    yield from inside
    for path in inside:
        yield from _below(tree, path, depth - 1)


def _no_sheet(spec: DatabaseSpec, given: Path, seen: list[Path]) -> SheetError:
    globs = spec.sheet.files if spec.sheet else ()
    stripped = [path for path in seen if is_lock_file(path)]
    locks = [p for p in stripped if any(fnmatch(p.name[2:].lower(), glob.lower()) for glob in globs)]
    if locks:
        return SheetError(
            "In place of the coding sheet there is only the lock file of Office",
            where=str(locks[0]),
            expected=locks[0].name[2:],
            mend="copy the workbook itself into the folder, or name it with --annotations",
        )
    tables = [path.name for path in seen if path.suffix.lower() in _TABLES]
    return SheetError(
        f"The coding sheet of {spec.title} was not found",
        where=str(given),
        expected=" or ".join(globs),
        found=", ".join(tables[:8]) or "no .xls, .xlsx or .csv",
        mend="name it with --annotations FILE",
    )
