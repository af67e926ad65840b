"""What a row of a sheet is called, and what its folder is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from merprep.databases.cells import Cell, cell_text
from merprep.databases.keys import subject_key
from merprep.databases.matching import ClipName
from merprep.databases.sheet import SheetRow
from merprep.databases.spec import Layout, SheetSpec
from merprep.records import Repeats
from merprep.shelf import Codec, Rows

T = TypeVar("T")


@dataclass(frozen=True)
class RowName:
    """The names of one row.

    Attributes
    ----------
    clip : ClipName
        In the manifest.
    folder : ClipName
        On disk; the subject is the same.
    kind : str
        ``micro``, ``macro``, or what the sheet says in their place.
    """

    clip: ClipName
    folder: ClipName
    kind: str = ""


_ROW_NAME: Codec[RowName] = Codec(
    lambda name: [name.clip.subject, name.clip.clip, name.folder.clip, name.kind],
    lambda texts: RowName(ClipName(texts[0], texts[1]), ClipName(texts[0], texts[2]), texts[3]),
)


def row_names(rows: Iterable[SheetRow], sheet: SheetSpec, layout: Layout) -> Sequence[RowName]:
    """Name the clips of a sheet; the names are kept on the disk.

    A name that stands for a micro- and for a macro-expression keeps to the first of these; the other's kind is
    added to it.
    """
    repeats = Repeats()
    plain = Rows(watched((_row_name(row, sheet, layout) for row in rows), repeats, clip_key), _ROW_NAME)
    kinds: dict[str, set[str]] = {key: set() for key in repeats.among(map(clip_key, plain))}
    if not kinds:
        return plain
    for name in plain:
        if (key := clip_key(name)) in kinds:
            kinds[key].add(name.kind)
    return Rows((_told_apart(name, kinds.get(clip_key(name), set()), sheet) for name in plain), _ROW_NAME)


def first_rows(names: Sequence[RowName], rows: Sequence[SheetRow]) -> dict[int, int]:
    """Return, by the place of each name that came before, the number of the row that names the same clip first."""
    repeats = Repeats()
    for name in names:
        repeats.add(clip_key(name))
    twice = set(repeats.among(map(clip_key, names)))
    seen: dict[str, int] = {}
    firsts: dict[int, int] = {}
    if twice:
        for place, (name, row) in enumerate(zip(names, rows, strict=True)):
            if (key := clip_key(name)) in seen:
                firsts[place] = seen[key]
            elif key in twice:
                seen[key] = row.number
    return firsts


def watched(items: Iterable[T], repeats: Repeats, key: Callable[[T], str]) -> Iterator[T]:
    """Pass items on, and let `repeats` know the key of each."""
    for item in items:
        repeats.add(key(item))
        yield item


def clip_key(name: RowName) -> str:
    """Return the text that the names of one clip have in common, whatever their case or their folder."""
    return ascii((subject_key(name.clip.subject), name.clip.clip.casefold()))


def kind_of(sheet: SheetSpec, text: str) -> str:
    """Return ``micro`` or ``macro`` for what the sheet writes; what is neither comes back as it is."""
    word = text.casefold()
    spelt = {spelling.casefold(): kind for kind, spellings in sheet.kinds.items() for spelling in spellings}
    return spelt.get(word, word)


def clip_id(sheet: SheetSpec, cells: dict[str, Cell]) -> str:
    """Return the name of a clip, made of the cells of its row."""
    return _filled(sheet.clip_id, cells)


def _row_name(row: SheetRow, sheet: SheetSpec, layout: Layout) -> RowName:
    subject = row.text("subject")
    clip, folder = _filled(sheet.clip_id, row.cells), _filled(layout.key, row.cells)
    return RowName(ClipName(subject, clip), ClipName(subject, folder), kind_of(sheet, row.text("kind")))


def _filled(template: str, cells: dict[str, Cell]) -> str:
    return template.format(**{field: cell_text(cells.get(field)) for field in _fields(template)})


@cache
def _fields(template: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\{([^{}]*)\}", template))


def _told_apart(name: RowName, kinds: set[str], sheet: SheetSpec) -> RowName:
    order = [*sheet.kinds, *sorted(kinds)]
    if len(kinds) < 2 or name.kind == min(kinds, key=order.index):
        return name
    return RowName(ClipName(name.clip.subject, f"{name.clip.clip}_{name.kind}"), name.folder, name.kind)
