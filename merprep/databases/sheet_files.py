"""Finds the coding sheet near the frames."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch, translate
from itertools import chain
from pathlib import Path

from merprep.databases.listing import Tree, list_folder, path_in
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


def _seen(spec: DatabaseSpec, places: Iterable[str], tree: Tree) -> list[Path]:
    """Return the files in some folders that may be tables, without links that lead out of the named one."""
    globs = [*spec.sheet.files, *spec.sheet.not_files] if spec.sheet else []
    globs += ["~$*", *(f"*{suffix}" for suffix in _TABLES)]
    # The frames of a large database are hundreds of thousands of files.
    table = re.compile("|".join(translate(glob.lower()) for glob in globs))
    top = str(tree.root)

    def files(folder: str) -> list[str]:
        inside = folder == top or folder.startswith(path_in(top, ""))
        return tree.list(folder).files if inside else list_folder(folder)[1]

    found = (path_in(folder, name) for folder in places for name in files(folder) if table.match(name.lower()))
    return [Path(path) for path in dict.fromkeys(found)]


def _fitting(spec: DatabaseSpec, paths: list[Path]) -> list[Path]:
    """Return the paths that are called as the coding sheet is, in the order of preference."""
    if spec.sheet is None:
        return []
    fitting = [path for glob in spec.sheet.files for path in paths if _is_called(path, glob)]
    others = {path for glob in spec.sheet.not_files for path in paths if _is_called(path, glob)}
    return [path for path in dict.fromkeys(fitting) if path not in others]


def _is_called(path: Path, glob: str) -> bool:
    return fnmatch(path.name.lower(), glob.lower())


def _inside(given: Path, root: Path) -> Iterator[str]:
    """Yield the folders to look in, some of them twice: they may be as many as there are clips, and none is held."""
    tree = Tree(given)
    above = [folder for folder in root.parents if folder.is_relative_to(given)]
    yield str(given)
    yield from _below(tree, str(given), _DEEPEST)
    for folder in map(str, reversed(above)):
        yield folder
        yield from _below(tree, folder, 1)
    yield str(root)


def _places(given: Path, root: Path) -> Iterator[str]:
    return chain(_inside(given, root), map(str, (root.parent, given.parent)))


def _below(tree: Tree, folder: str, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    inside = [path_in(folder, name) for name in tree.list(folder).folders if not name.startswith(".")]
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
