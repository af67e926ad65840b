"""Fields that stand in the sheet of another database, for the same clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from merprep.databases.cells import Cell, is_blank
from merprep.databases.keys import name_key, subject_key
from merprep.databases.rows import clip_id, kind_of
from merprep.databases.sheet import SHEET_ROW, CodingSheet, SheetRow, read_sheet
from merprep.databases.sheet_files import sheets_near
from merprep.databases.spec import DatabaseSpec, Join, SheetSpec, spec
from merprep.errors import SheetError, UsageError
from merprep.shelf import Shelf


@dataclass(frozen=True)
class Joined:
    """A sheet with the joined fields filled in, and what is to be said of it."""

    sheet: CodingSheet
    notes: tuple[str, ...] = ()


def joined(own: DatabaseSpec, sheet: CodingSheet, given: Path, root: Path, extra: Path | None) -> Joined:
    """Fill in the fields that other databases' sheets give.

    Parameters
    ----------
    own : DatabaseSpec
    sheet : CodingSheet
    given, root : Path
        The folder that the user named and that of the frames; the other sheet is looked for near both.
    extra : Path, optional
        The other sheet, where it is not near.

    Raises
    ------
    UsageError
        Where `extra` is given and nothing is joined.
    SheetError
        Where `extra` cannot be read.
    """
    if extra is not None and not own.joins:
        raise UsageError(f"{own.title} takes nothing from another sheet", where=str(extra), mend="leave --extra out")
    notes: tuple[str, ...] = ()
    for join in own.joins:
        if set(join.fields) <= set(sheet.columns):
            continue
        found = _other_sheet(join, given, root, extra)
        if found is None or own.sheet is None:
            notes += () if join.optional else (_not_at_hand(own, join),)
            continue
        sheet, matched = _fill(sheet, own.sheet, found, join)
        notes += _said(join, found, matched, _of_kind(sheet.rows, own.sheet, join.kind))
    return Joined(sheet, notes)


def _other_sheet(join: Join, given: Path, root: Path, extra: Path | None) -> CodingSheet | None:
    other = spec(join.database)
    if join.sheet is not None:
        other = other.model_copy(update={"sheet": join.sheet})
    if other.sheet is None:
        return None
    if extra is not None:
        return read_sheet(extra, other.sheet)
    for path in sheets_near(other, given, root):
        try:
            found = read_sheet(path, other.sheet)
        except SheetError:
            continue
        if set(join.fields) <= set(found.columns):
            return found
    return None


def _fill(own: CodingSheet, sheet: SheetSpec, found: CodingSheet, join: Join) -> tuple[CodingSheet, int]:
    """Return the sheet with its fields filled in, and how many rows the other one has too."""
    others = join.sheet or spec(join.database).sheet or sheet
    by_name = Shelf(((_key(row, others), row) for row in found.rows), SHEET_ROW)
    matched = 0

    def filled() -> Iterator[SheetRow]:
        nonlocal matched
        for row in own.rows:
            other = by_name.get(_key(row, sheet)) if kind_of(sheet, row.text("kind")) == join.kind else None
            matched += other is not None
            yield row if other is None else replace(row, cells=_with_fields(row.cells, other.cells, join))

    mended = own.mended(filled())
    return mended, matched


def _key(row: SheetRow, sheet: SheetSpec) -> str:
    return ascii((subject_key(row.text("subject")), name_key(clip_id(sheet, row.cells))))


def _with_fields(cells: dict[str, Cell], others: dict[str, Cell], join: Join) -> dict[str, Cell]:
    taken = {field: others.get(field) for field in join.fields if is_blank(cells.get(field))}
    return {**cells, **taken}


def _of_kind(rows: Iterable[SheetRow], sheet: SheetSpec, kind: str) -> int:
    return Counter(kind_of(sheet, row.text("kind")) for row in rows)[kind]


def _said(join: Join, found: CodingSheet, matched: int, rows: int) -> tuple[str, ...]:
    fields = " and ".join(field.replace("_", " ") for field in join.fields)
    what = f"{join.kind}-expressions" if join.kind else "rows"
    notes: tuple[str, ...] = (f"{fields} of {matched} of {rows} {what} are those of {found.path.name}",)
    if matched < len(found.rows):
        notes += (f"{len(found.rows) - matched} rows of {found.path.name} have no row here",)
    return notes


def _not_at_hand(own: DatabaseSpec, join: Join) -> str:
    fields = " and ".join(field.replace("_", " ") for field in join.fields)
    which = "another coding sheet" if join.database == own.id else "the coding sheet"
    return (
        f"{own.title} has no {fields} here: they stand in {which} of {spec(join.database).title}, which was not found "
        f"near the frames; put it there or name it with --extra"
    )
