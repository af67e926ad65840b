"""Writes the page of a database from its tables, so that text and behaviour cannot differ.

``python -m merprep.databases.pages docs/databases`` writes the pages of all databases.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from merprep.databases.errata import Erratum, load_errata, load_row_corrections
from merprep.databases.spec import DatabaseSpec, Layout, SheetSpec, names, spec
from merprep.errors import UsageError
from merprep.labels import LabelScheme, scheme, scheme_names

_MADE = (
    "<!-- Made from manifests/ by `python -m merprep.databases.pages docs/databases`; edit the tables, not this. -->"
)
_OF = {"folders": "folders of frames", "videos": "video files", "images": "one image a clip"}


def page(name: str) -> str:
    """Return the page of one database, as Markdown.

    Parameters
    ----------
    name : str
        Any usual spelling.

    Examples
    --------
    >>> page("casme2").splitlines()[2]
    '# CASME II'
    """
    found = spec(name)
    parts = [_opening(found), _asking(found)]
    if not found.unlabelled:
        parts += [_layouts(found), _sheet(found), _counts(found), _schemes(found), _errata(found)]
    return "\n".join(line for part in parts for line in part) + "\n"


def index() -> str:
    """Return the page that lists all databases.

    Examples
    --------
    >>> "| [samm](samm.md) | SAMM |" in index()
    True
    """
    rows = [
        (f"[{s.id}]({s.id}.md)", s.title, _size(s), f"<{s.agreement.url}>" if s.agreement.url else "–")
        for s in map(spec, names())
    ]
    lines = [_MADE, "", "# Databases", ""]
    lines += [
        "merprep reads these from the folder that you unzipped them to. It ships none of them: ask their owners.",
        "",
    ]
    return "\n".join([*lines, *_table(("name", "title", "clips", "ask for it at"), rows)]) + "\n"


def write_pages(folder: Path) -> list[Path]:
    """Write the pages of all databases and their index, and remove pages of databases that are gone.

    Returns
    -------
    list of Path
        What was written.
    """
    pages = {"index": index(), **{name: page(name) for name in names()}}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.stem not in pages and old.read_text(encoding="utf-8").startswith(_MADE):
            old.unlink()
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8", newline="")
    return [folder / f"{name}.md" for name in pages]


def _opening(found: DatabaseSpec) -> list[str]:
    lines = [_MADE, "", f"# {found.title}", ""]
    if found.unlabelled:
        return [*lines, f"**There is nothing to ingest:** {found.unlabelled}", ""]
    lines += ["<!-- not run: ROOT is a folder of yours -->", "", "```sh", f"merprep ingest {found.id} ROOT", "```", ""]
    if found.experimental:
        lines += [f"**Experimental:** {found.experimental}", ""]
    image = found.image
    size = [f"{image.width} × {image.height}"] if image.width and image.height else []
    facts = [
        ("also called", ", ".join(f"`{alias}`" for alias in found.aliases) or "–"),
        ("size", _size(found)),
        ("frames", ", ".join([*size, "colour" if image.colour else "grey", f"{found.fps:g} a second"])),
        ("files", ", ".join(image.suffixes)),
        ("people", f"namespace `{found.persons}`{_relatives(found)}"),
        ("apex", "annotated" if found.apex == "annotated" else "none annotated: the middle of onset and offset"),
    ]
    if found.parts:
        facts.append(("parts (`--variant`)", ", ".join(f"`{part.name}`" for part in found.parts)))
    return [*lines, *_table(("", ""), facts), ""]


def _relatives(found: DatabaseSpec) -> str:
    others = [s.id for s in map(spec, names()) if s.persons == found.persons and s.id != found.id]
    return f": the same people as {', '.join(others)}" if others else ""


def _size(found: DatabaseSpec) -> str:
    sizes = [f"{entry.clips}{f' {entry.kind}' if entry.kind else ''} ({entry.table})" for entry in found.published]
    return ", ".join(sizes) or ("unlabelled" if found.unlabelled else "not stated")


def _asking(found: DatabaseSpec) -> list[str]:
    lines: list[str] = []
    if found.agreement.url:
        note = f"{found.agreement.note}: " if found.agreement.note else ""
        lines += ["## Asking for it", "", f"{note}<{found.agreement.url}>", ""]
    if found.citation.text:
        doi = f" [doi:{found.citation.doi}](https://doi.org/{found.citation.doi})" if found.citation.doi else ""
        lines += [f"{found.citation.text}.{doi}", ""]
    return [*lines, "```bibtex", found.citation.bibtex.strip(), "```", ""] if found.citation.bibtex else lines


def _layouts(found: DatabaseSpec) -> list[str]:
    lines = ["## Layouts", "", "ROOT may be any folder near these; of several, the first in this list is used.", ""]
    rows = [(layout.name, f"`{layout.example}`", _about(layout)) for layout in found.layouts]
    return [*lines, *_table(("layout", "a frame of it", ""), rows), ""]


def _about(layout: Layout) -> str:
    kind = [] if layout.of == "folders" else [_OF[layout.of]]
    cut = ["clips are cut out of recordings by onset and offset"] if layout.shared else []
    return "; ".join([*([layout.about] if layout.about else []), *kind, *cut])


def _sheet(found: DatabaseSpec) -> list[str]:
    sheet = found.sheet
    if sheet is None:
        return [
            "## Annotation",
            "",
            "There is no coding sheet: folders name the emotion, files give onset and offset.",
            "",
        ]
    files = [*sheet.files, *(name for part in found.parts for name in part.files)]
    lines = ["## Coding sheet", ""]
    lines += [f"Looked for near the frames, or named with `--annotations`: {_list(files)}.", ""]
    if sheet.sheets:
        lines += [f"In the workbook, {_list(sheet.sheets)} first, then any sheet that has the columns.", ""]
    lines += ["Columns are found by name, whatever their order, case, blanks and punctuation:", ""]
    lines += [*_table(("field", "columns"), _columns(sheet)), ""]
    for version in sheet.versions:
        if version.lacks:
            lines += [f"Version {version.name}: {version.lacks}", ""]
    for join in found.joins:
        fields = ", ".join(field.replace("_", " ") for field in join.fields)
        other = (
            "its other table" if join.database == found.id else f"the sheet of [{join.database}]({join.database}.md)"
        )
        whose = _list(join.sheet.files) if join.sheet else other
        lines += [f"From {whose}, where it is near the frames or named with `--extra`: {fields}.", ""]
    return lines


def _columns(sheet: SheetSpec) -> list[tuple[str, str]]:
    needed = set(sheet.required)
    rows = [(f"{f}{' (needed)' * (f in needed)}", _list(columns)) for f, columns in sheet.columns.items()]
    rows += [(f"{word} = 1", _list(columns)) for word, columns in sheet.indicators.items()]
    return [(name.replace("_", " "), columns) for name, columns in rows]


def _counts(found: DatabaseSpec) -> list[str]:
    if not found.published:
        return []
    rows = [
        (
            f"{entry.table}{f', {entry.kind}' if entry.kind else ''}",
            entry.clips,
            entry.subjects or "–",
            ", ".join(f"{word} {count}" for word, count in entry.emotions.items()) or "–",
        )
        for entry in found.published
    ]
    return ["## Published counts", "", *_table(("table", "clips", "subjects", "emotions"), rows), ""]


def _schemes(found: DatabaseSpec) -> list[str]:
    fitting = [chosen for chosen in map(scheme, scheme_names()) if _fits(chosen, found)]
    rows = [(f"`{chosen.name}`", ", ".join(chosen.classes), _published(chosen, found)) for chosen in fitting]
    lines = ["## Label schemes", "", "`merprep labels --scheme NAME` counts the clips of each class.", ""]
    lines += [*_table(("scheme", "classes", "published for it"), rows), ""]
    for chosen in fitting:
        own = [drop for drop in chosen.clips if drop.database == found.id]
        lines += [f"* `{chosen.name}` leaves out {drop.subject}/{drop.clip}: {drop.reason}" for drop in own]
    return [*lines, ""] if lines[-1] else lines


def _fits(chosen: LabelScheme, found: DatabaseSpec) -> bool:
    return not isinstance(chosen.databases, tuple) or not chosen.databases or found.id in chosen.databases


def _published(chosen: LabelScheme, found: DatabaseSpec) -> str:
    stated = [entry for entry in chosen.published if entry.database == found.id]
    texts = [
        f"{f'{entry.table}: ' if entry.table else ''}{' / '.join(str(entry.counts[name]) for name in chosen.classes)}"
        f" = {sum(entry.counts.values())}"
        for entry in stated
    ]
    return "; ".join(texts) or "–"


def _errata(found: DatabaseSpec) -> list[str]:
    errata, by_row = load_errata(found.id), load_row_corrections(found.id)
    if not errata and not by_row:
        return ["## Errata", "", "None are known.", ""]
    lines = ["## Errata", ""]
    sure = [erratum for erratum in errata if not erratum.contested]
    contested = [erratum for erratum in errata if erratum.contested]
    if sure:
        lines += [
            "Applied where the sheet says the old value, unless `--errata none` is given:",
            "",
            *_corrections(sure),
            "",
        ]
    if contested:
        lines += ["Contested, so listed and not applied:", "", *_corrections(contested), ""]
    if by_row:
        rows = [(entry.table, entry.row, entry.says, entry.source) for entry in by_row]
        lines += [
            "Known by the number of a row only, which another copy of the table need not share, so not applied:",
            "",
        ]
        lines += [*_table(("table", "row", "says", "source"), rows), ""]
    return lines


def _corrections(errata: Sequence[Erratum]) -> list[str]:
    rows = [
        (
            f"{e.subject}/{e.clip}",
            e.field.replace("_", " "),
            f"{_values(e.old)} → {e.new or 'not annotated'}",
            _why(e),
            e.source,
        )
        for e in errata
    ]
    return _table(("clip", "field", "correction", "reason", "source"), rows)


def _values(old: Iterable[str]) -> str:
    return " or ".join(value or "blank" for value in old)


def _why(erratum: Erratum) -> str:
    only = "; not where the frame that the sheet names exists" if erratum.unless_on_disk else ""
    return f"{erratum.reason}{only}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [
        "| " + " | ".join(heads) + " |",
        "|" + " --- |" * len(heads),
        *("| " + " | ".join(row) + " |" for row in cells),
    ]


def _main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        raise UsageError("One folder is wanted", expected="python -m merprep.databases.pages docs/databases")
    for path in write_pages(Path(arguments[0])):
        sys.stdout.write(f"{path.as_posix()}\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
