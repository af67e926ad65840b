"""Finds where a database lies below (or just above) the folder that the user named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from merprep.databases.listing import Listing, Tree, list_folder, path_in
from merprep.databases.spec import DatabaseSpec, Layout
from merprep.errors import RootNotFoundError
from merprep.shelf import Codec, Rows

# Folders between the named one and the root of a layout: some releases have four of their own, and archives unzip into
# one or two of their own name.
_DEEPEST = 8
# How much of what was found a message lists.
_LISTED = 12


@dataclass(frozen=True)
class ClipFolder:
    """A folder of frames, a video file or an image that is a clip of its own.

    What its place says of subject, clip (or recording) and emotion, and its path below the root (POSIX).
    """

    subject: str
    clip: str
    emotion: str
    path: str


FOLDER: Codec[ClipFolder] = Codec(
    lambda folder: [folder.subject, folder.clip, folder.emotion, folder.path], lambda values: ClipFolder(*values)
)


@dataclass(frozen=True)
class FoundLayout:
    """A database on disk.

    Attributes
    ----------
    clips : sequence of ClipFolder
        Kept on the disk.
    named : bool
        Whether a folder's name told the layout, rather than the order of the description.
    ignored : tuple of str
        Folders on the way that are no clips.
    also : tuple of str
        Other roots that were found and not used.
    """

    root: Path
    layout: Layout
    named: bool
    clips: Sequence[ClipFolder]
    ignored: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tree: Tree | None = None


@dataclass
class _Candidate:
    tree: Tree
    root: Path
    levels: tuple[str, ...]
    of: str = "folders"
    clips: Rows[ClipFolder] = field(default_factory=lambda: Rows(codec=FOLDER))
    ignored: list[str] = field(default_factory=list)


def find_layout(spec: DatabaseSpec, root: Path) -> FoundLayout:
    """Find the root and the layout of a database.

    Looks at the named folder, up to eight levels below it, and, where it is itself a subject's or a clip's folder,
    above it. Of several finds the layout described first is taken, then the one with most clips.

    Raises
    ------
    RootNotFoundError
        Where nothing matches; the message names the patterns and what was found.
    """
    best, *rest = find_layouts(spec, root)
    return replace(best, also=tuple(f"{hit.layout.name}: {hit.root}" for hit in rest))


def find_layouts(spec: DatabaseSpec, root: Path) -> list[FoundLayout]:
    """Find every root of a database, the best first (see `find_layout`)."""
    root = _checked(root)
    tree = Tree(root)
    looked = [candidate for candidate in _search(spec, tree) if candidate.clips]
    above = None if looked else _above(spec, root)
    if above is not None:
        tree = Tree(above)
        looked = [candidate for candidate in _search(spec, tree) if candidate.clips and candidate.root == above]
    fitting = [candidate for candidate in looked if _side(spec, candidate.root) in ("", spec.inside)]
    found = [layout for layout in (_settle(spec, candidate) for candidate in fitting) if layout is not None]
    if not found:
        raise _not_found(spec, tree, root, looked, fitting)
    order = [layout.name for layout in spec.layouts]
    found.sort(key=lambda hit: (order.index(hit.layout.name), -len(hit.clips), len(str(hit.root))))
    notes = [f"the root is above the folder given: {above}"] if above else []
    notes += [tree.note()] if tree.left else []
    return [replace(hit, notes=(*hit.notes, *notes)) for hit in found]


def _checked(root: Path) -> Path:
    root = Path(os.path.abspath(Path(root).expanduser()))  # noqa: PTH100 - resolve() would follow the user's links
    if not root.is_dir():
        raise RootNotFoundError(
            "The database's folder is a file" if root.exists() else "The database's folder does not exist",
            where=str(root),
            mend="give the folder that you unzipped the database to",
        )
    return root


def _search(spec: DatabaseSpec, tree: Tree) -> Iterator[_Candidate]:
    """Walk down from the named folder, without entering the subjects' folders of a root that was found."""
    shapes = list(dict.fromkeys((layout.levels, layout.of) for layout in spec.layouts))
    queue = [(tree.root, 0)]
    while queue:
        folder, depth = queue.pop(0)
        listing = tree.list(folder)
        taken: set[str] = set()
        for levels, of in shapes:
            candidate = _Candidate(tree, folder, levels, of)
            taken |= _descend(candidate, 0, "", {}, listing)
            if candidate.clips:
                yield candidate
        if depth < _DEEPEST:
            queue += [
                (folder / name, depth + 1) for name in listing.folders if name not in taken and not name.startswith(".")
            ]


def _descend(candidate: _Candidate, level: int, path: str, known: dict[str, str], inside: Listing) -> set[str]:
    """Collect the clips below `path`, which holds `inside`; returns the names of this level that led to one."""
    led = set()
    others = []
    last = level + 1 == len(candidate.levels)
    names = inside.files if last and candidate.of != "folders" else inside.folders
    for name in names:
        hit = _compiled(candidate.levels[level]).fullmatch(name)
        if hit is None:
            others.append(name)
            continue
        here = f"{path}{name}"
        values = {**known, **{key: value for key, value in hit.groupdict().items() if value}}
        if last:
            folder = ClipFolder(values.get("subject", ""), values.get("clip", name), values.get("emotion", ""), here)
            candidate.clips.append(folder)
            led.add(name)
        elif _descend(candidate, level + 1, f"{here}/", values, candidate.tree.list(candidate.root / here)):
            led.add(name)
    if level and names is inside.folders:
        candidate.ignored += [f"{path}{name}" for name in others]
    return led


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _above(spec: DatabaseSpec, root: Path) -> Path | None:
    """Return the root above a folder that is itself part of a layout: a subject's, an emotion's, a clip's."""
    for layout in spec.layouts:
        for depth in range(len(layout.levels) - (layout.of != "folders"), 0, -1):
            parts = root.parts[-depth:]
            if len(parts) == depth and all(layout.matches(level, part) for level, part in enumerate(parts)):
                return root.parents[depth - 1]
    return None


def _side(spec: DatabaseSpec, root: Path) -> str:
    """Return which variant the path belongs to, by its innermost folder that names one; empty where none does."""
    known = {name.lower(): name for name in (spec.inside, *spec.others) if name}
    for part in reversed(root.parts):
        for word in re.split(r"[^A-Za-z0-9]+", part):
            if word.lower() in known:
                return known[word.lower()]
    return ""


def _settle(spec: DatabaseSpec, candidate: _Candidate) -> FoundLayout | None:
    """Choose the layout of a root by the names of its frames and of the folders that lead to it."""
    sample = _sample(spec, candidate)
    if sample is None:
        return None
    shaped = [layout for layout in spec.layouts if (layout.levels, layout.of) == (candidate.levels, candidate.of)]
    fitting = [layout for layout in shaped if candidate.of != "folders" or layout.matches_file(sample)]
    notes = () if fitting else (f"frames are named like {sample}, not like {shaped[0].example}",)
    trail = "/".join(candidate.root.parts[-3:])
    telling = [layout for layout in fitting or shaped if layout.named and re.search(layout.named, trail, re.IGNORECASE)]
    unnamed = [layout for layout in fitting or shaped if not layout.named]
    chosen = [*telling, *unnamed, *fitting, *shaped][0]
    beside = {name.casefold() for name in chosen.beside}
    ignored = tuple(path for path in candidate.ignored if path.rpartition("/")[2].casefold() not in beside)
    if len(ignored) < len(candidate.ignored):
        notes = (*notes, f"{len(candidate.ignored) - len(ignored)} folders {', '.join(chosen.beside)} are not read")
    return FoundLayout(
        candidate.root, chosen, bool(telling), candidate.clips, ignored, notes=notes, tree=candidate.tree
    )


def _sample(spec: DatabaseSpec, candidate: _Candidate) -> str | None:
    """Return the name of one frame, preferring one that a layout knows."""
    if candidate.of != "folders":
        return candidate.clips[0].path.rpartition("/")[2]
    other = None
    for folder in candidate.clips:
        for name in candidate.tree.list(path_in(candidate.root, folder.path)).files:
            if Path(name).suffix.lower() not in spec.image.suffixes:
                continue
            if any(layout.matches_file(name) for layout in spec.layouts):
                return name
            other = other or (name if re.search(r"\d", Path(name).stem) else None)
        if other:
            return other
    return None


def _not_found(
    spec: DatabaseSpec, tree: Tree, root: Path, looked: list[_Candidate], fitting: list[_Candidate]
) -> RootNotFoundError:
    mend = "give the folder that you unzipped the database to, or one inside it"
    if fitting:
        what = f"The folders of {spec.title} are there, but no image of {', '.join(spec.image.suffixes)} is in them"
        found = f"{len(fitting[0].clips)} clip folders in {fitting[0].root}"
    elif looked:
        sides = sorted({_side(spec, candidate.root) for candidate in looked})
        what = f"Only other variants than {spec.inside} are there"
        found = ", ".join(f"{_side(spec, candidate.root)} in {candidate.root}" for candidate in looked[:_LISTED])
        mend = f"add --variant {sides[0].lower()}, or give the folder that holds {spec.inside}"
    else:
        what, found = f"No layout of {spec.title} was found", _seen(root)
    if tree.left:
        found, mend = (
            f"{found}; {tree.note()}",
            f"{mend}; where links lead elsewhere, give the folder that they lead to",
        )
    return RootNotFoundError(what, where=str(root), expected=spec.patterns(), found=found, mend=mend)


def _seen(root: Path) -> str:
    folders, files = list_folder(root)
    names = [f"{name}/" for name in folders] + files
    more = f", … ({len(names)} in all)" if len(names) > _LISTED else ""
    return (", ".join(names[:_LISTED]) + more) or "an empty folder"
