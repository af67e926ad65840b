"""The frames of a clip's folder: files by the last run of digits in their names, sorted as numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from merprep.databases.folders import ClipFolder
from merprep.databases.listing import Tree, path_in
from merprep.databases.spec import DatabaseSpec, Layout
from merprep.records import FrameSet

# The last run of digits of the stem; "#" would be taken for the number's place in a pattern.
_FRAME = re.compile(r"([^#]*?)([0-9]{1,15})([^0-9#]*\.[^.#]+)")
_JUNK = re.compile(r"thumbs\.db|desktop\.ini|\.ds_store|\..*|~\$.*|.*\.lnk|.*\.tmp", re.IGNORECASE)


def read_frames(
    spec: DatabaseSpec, layout: Layout, root: Path, folder: ClipFolder, *, tree: Tree | None = None
) -> tuple[FrameSet, list[str]]:
    """Read which frames a folder, a video file or a single image holds.

    Parameters
    ----------
    folder : ClipFolder
        Its path is below `root`.
    tree : Tree, optional
        What links may lead to; None is what is below `root`.

    Returns
    -------
    frames : FrameSet
        Empty where the folder holds no image. A video's are numbered from 1, or as its layout says.
    notes : list of str
        Images that are not frames of the clip; what is wrong with a video.
    """
    path = folder.path
    if layout.of == "videos":
        return _read_video(layout, root, path)
    if layout.of == "images":
        above, _, name = path.rpartition("/")
        single, notes = frame_pattern([name], layout)
        return FrameSet(f"{above}/{single.pattern}" if above else single.pattern, single.numbers), notes
    _, names, left = (tree or Tree(root)).list(path_in(root, path))
    images = [name for name in names if _suffix(name) in spec.image.suffixes and not _JUNK.fullmatch(name)]
    numbers, notes = frame_pattern(images, layout)
    if left:
        notes.append(
            f"{len(left)} file{'s are links that lead' if len(left) > 1 else ' is a link that leads'} elsewhere"
        )
    if not numbers.numbers:
        return FrameSet(), notes
    return FrameSet(f"{path}/{numbers.pattern}", numbers.numbers), notes


def _suffix(name: str) -> str:
    """Return the suffix of a file's name in lower case, as pathlib does, which takes ten times as long."""
    stem, dot, suffix = name.rpartition(".")
    return dot + suffix.lower() if stem and suffix else ""


def _read_video(layout: Layout, root: Path, path: str) -> tuple[FrameSet, list[str]]:
    from merprep.databases.videos import count_frames

    count, problem = count_frames(root / path)
    first = layout.begins if isinstance(layout.begins, int) else 1
    frames = FrameSet.of_video(path, tuple(range(first, first + count)), first)
    return (frames, []) if count else (FrameSet(), [problem])


def frame_pattern(names: Sequence[str], layout: Layout) -> tuple[FrameSet, list[str]]:
    """Group the names of images into one numbered sequence.

    Names that the layout knows come first, then the largest group; what does not belong is noted.

    Examples
    --------
    >>> from merprep.databases.spec import spec
    >>> raw = spec("samm").layout("raw")
    >>> frame_pattern(["006_05562.jpg", "006_05563.jpg", "cover.jpg"], raw)
    (FrameSet(pattern='006_#####.jpg', numbers=(5562, 5563)), ['1 image is no frame of the clip: cover.jpg'])
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        hit = _FRAME.fullmatch(name)
        if hit:
            before, number, after = hit.groups()
            groups.setdefault((before, after), []).append(number)
    if not groups:
        return FrameSet(), _strangers(names)

    def rank(group: tuple[str, str]) -> tuple[bool, int]:
        return layout.matches_file(f"{group[0]}{groups[group][0]}{group[1]}"), len(groups[group])

    before, after = max(groups, key=rank)
    padding = _padding(groups[before, after])
    kept = [digits for digits in groups[before, after] if _is_padded(digits, padding)]
    frames = FrameSet(f"{before}{'#' * padding}{after}", tuple(sorted(map(int, kept))))
    if len(kept) == len(names):
        return frames, []
    members = {f"{before}{digits}{after}" for digits in kept}
    return frames, _strangers([name for name in names if name not in members])


def _is_padded(digits: str, length: int) -> bool:
    """Whether a number is written with zeros up to a length, and no further."""
    return len(digits) == length or (len(digits) > length and digits[0] != "0")


def _padding(numbers: Sequence[str]) -> int:
    """Return the length to which numbers are padded: that of the commonest with a leading zero, else 1."""
    lengths = [len(digits) for digits in numbers if digits[0] == "0" and len(digits) > 1]
    return max(set(lengths), key=lengths.count, default=1)


def _strangers(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    few = ", ".join(sorted(names)[:3]) + (", …" if len(names) > 3 else "")
    return [f"{len(names)} image{'s are no frames' if len(names) > 1 else ' is no frame'} of the clip: {few}"]
