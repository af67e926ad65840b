"""Lists folders below a root, and never follows a link out of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

# How Windows links folders; Python tells them from 3.12 on.
_JUNCTIONS = hasattr(os.DirEntry, "is_junction")


class Listing(NamedTuple):
    """The names in one folder, each sorted: folders, files, and links that lead out of the tree (in neither)."""

    folders: list[str]
    files: list[str]
    left: list[str]


class Tree:
    """A folder and what is really below it.

    Parameters
    ----------
    root : Path
        May itself be reached by links; links inside it are followed as long as they stay inside.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "sub01").mkdir()
    >>> Tree(root).list(root)
    Listing(folders=['sub01'], files=[], left=[])
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self.left: list[str] = []

    def list(self, path: Path | str) -> Listing:
        """Return the names in a folder; an unreadable one is empty. Links that lead out are remembered in `left`."""
        found = Listing([], [], [])
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if _is_link(entry) and not self.holds(entry.path):
                        found.left.append(entry.name)
                    else:
                        (found.folders if _is_folder(entry) else found.files).append(entry.name)
        except OSError:
            return Listing([], [], [])
        self.left += [path_in(path, name) for name in found.left]
        for names in found:
            names.sort()
        return found

    def holds(self, path: Path | str) -> bool:
        """Whether a path, links followed, lies inside the tree."""
        real = os.path.realpath(path)
        return real == self._real or real.startswith(self._real.rstrip(os.sep) + os.sep)

    def note(self) -> str:
        """Write which links were not followed; empty where there are none."""
        if not self.left:
            return ""
        places = sorted({os.path.relpath(path, self.root).replace(os.sep, "/") for path in self.left})
        few = ", ".join(places[:3]) + (", …" if len(places) > 3 else "")
        return f"{len(places)} link{'s lead' if len(places) > 1 else ' leads'} out of the folder, not followed: {few}"


def path_in(folder: Path | str, name: str) -> str:
    """Return the path of what is in a folder; pathlib remembers every name for good, of which there are thousands."""
    return os.path.join(folder, name)  # noqa: PTH118


def list_folder(path: Path | str) -> tuple[list[str], list[str]]:
    """Return the names of the folders and of the files in a folder, sorted, links included wherever they lead."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                (folders if _is_folder(entry) else files).append(entry.name)
    except OSError:
        return [], []
    return sorted(folders), sorted(files)


def _is_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() or (_JUNCTIONS and entry.is_junction())  # type: ignore[attr-defined,unused-ignore]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
