"""The description of a database, as `manifests/databases/<id>.toml` states it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from merprep.config import StageConfig
from merprep.errors import UnknownNameError
from merprep.manifest_data import load_table, table_names

# The columns of a sheet that mean something here; everything else in a sheet is ignored.
SHEET_FIELDS = (
    "subject", "clip", "video", "kind", "onset", "apex", "apex_last", "offset", "duration", "action_units", "emotion",
    "self_report", "objective_class", "fps", "remark", "first", "last",
    "onset2", "offset2", "duration2", "onset3", "offset3", "duration3",
)  # fmt: skip


class Citation(StageConfig):
    """How to cite a database."""

    doi: str = ""
    text: str = ""
    bibtex: str = ""


class Agreement(StageConfig):
    """Where to ask for a database."""

    url: str = ""
    note: str = ""


class ImageSpec(StageConfig):
    """What the frames of a release look like; `suffixes` in lower case, a size of 0 where it is not known."""

    width: int = 0
    height: int = 0
    colour: bool = True
    suffixes: tuple[str, ...] = (".jpg", ".png", ".bmp")


class Layout(StageConfig):
    """One way in which a database lies on disk.

    Attributes
    ----------
    levels : tuple of str
        One regular expression a folder level below the root, with the groups ``subject``, ``clip`` and, where the
        folders are the annotation, ``emotion``.
    of : {"folders", "videos", "images"}
        What the last level names: folders of frames, video files, or images that are a clip each.
    shared : bool
        Whether one of them holds several clips (a whole recording); the clips are then cut out by onset and offset.
    key : str
        The name of a row's folder or file (the group ``clip``), made of the row's fields: ``{video}``,
        ``{subject}_{clip}_{onset}``.
    begins : int, "onset" or "fit"
        The number of the first frame of a video file; "fit" is the onset where the video is as long as the clip,
        and 1 where it is not.
    subject : str
        How a subject's folder is written where it differs from the database's own way.
    global_numbers : bool
        Whether frames bear the recorder's own numbers, so that a row without a recording of its name is found in
        the recording of its subject that has its frames.
    beside : tuple of str
        Folders known to stand beside the frames, which hold no clips.
    file : str
        The name of a frame, as a regular expression.
    named : str
        What a folder on the way to the root is called in this layout, where layouts cannot be told apart otherwise.
    lead_in : bool
        Whether clips begin before their onset.
    """

    name: str
    about: str = ""
    named: str = ""
    levels: tuple[str, ...] = Field(min_length=1)
    of: Literal["folders", "videos", "images"] = "folders"
    shared: bool = False
    key: str = "{clip}"
    begins: int | Literal["onset", "fit"] = 1
    subject: str = ""
    global_numbers: bool = False
    beside: tuple[str, ...] = ()
    file: str = ""
    lead_in: bool = False
    example: str = ""

    @field_validator("levels")
    @classmethod
    def _compile(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        for level in levels:
            re.compile(level)
        return levels

    @field_validator("key")
    @classmethod
    def _names_fields(cls, key: str) -> str:
        return _template(key)

    @model_validator(mode="after")
    def _names_frames(self) -> Self:
        if self.of == "folders" and not self.file:
            raise ValueError("a layout of folders needs `file`, the pattern of a frame's name")
        return self

    def matches(self, level: int, name: str) -> re.Match[str] | None:
        """Match the name of a folder at one level, without regard to case."""
        return re.fullmatch(self.levels[level], name, re.IGNORECASE)

    def matches_file(self, name: str) -> bool:
        """Whether a file is called as the frames of this layout are."""
        return re.fullmatch(self.file, name, re.IGNORECASE) is not None


class SheetVersion(StageConfig):
    """A version of a coding sheet, told by the fields that it has and the name of its file.

    Attributes
    ----------
    sets : dict of str
        By field, a cell that holds for every row without standing in the sheet.
    lacks : str
        What a user is told that this version does not have.
    """

    name: str
    has: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sets: dict[str, str] = Field(default_factory=dict)
    lacks: str = ""


class Derived(StageConfig):
    """A field that is part of another: the first group of a pattern that the other begins with."""

    of: str
    pattern: str


class SheetSpec(StageConfig):
    """The coding sheet: names it goes by, where the table is in it, how its columns are spelt.

    Attributes
    ----------
    kinds : dict
        For sheets that also code macro-expressions: ``micro`` and ``macro``, and how their column writes each.
        A clip's kind is its `variant`.
    derived : dict
        By field, where it is found inside another.
    names : str
        What a clip is called, as a regular expression; rows with another name are no clips (a total, a remark).
    clip_id : str
        The name of a clip, made of the row's fields, where the column alone does not tell clips apart.
    not_files : tuple of str
        Names that `files` fits and that are another sheet's.
    parser : str
        A module of `merprep.databases.parsers`, for workbooks that are more than one table with a header.
    not_sheets : tuple of str
        Sheets of the workbook that belong to another database or variant.
    beside : tuple of str
        Sheets of the workbook whose rows are no clips, but are counted in the report.
    not_annotated : tuple of str
        How the sheet writes that a frame is not annotated, beside the usual ``/`` and ``-1``.
    indicators : dict
        By emotion, the column that is 1 where a clip shows it, for sheets with several emotions a clip.
    """

    files: tuple[str, ...]
    not_files: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    not_sheets: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    parser: Literal["", "casme_sq", "smic_e"] = ""
    not_annotated: tuple[str, ...] = ()
    required: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    kinds: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    derived: dict[str, Derived] = Field(default_factory=dict)
    names: str = ".+"
    clip_id: str = "{clip}"
    indicators: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    versions: tuple[SheetVersion, ...] = ()

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        unknown = sorted({*self.columns, *self.required, *self.derived} - set(SHEET_FIELDS))
        if unknown:
            raise ValueError(f"unknown fields {', '.join(unknown)}; there are {', '.join(SHEET_FIELDS)}")
        return self


class Join(StageConfig):
    """Fields that another sheet gives, for rows of the same clips.

    Attributes
    ----------
    database : str
        Whose sheet it is, and whose names of clips.
    kind : str
        The kind of clip that it has; empty where clips have none.
    sheet : SheetSpec, optional
        The other sheet where it is not the database's coding sheet.
    optional : bool
        Whether nothing is missed without it.
    """

    database: str
    kind: str = ""
    fields: tuple[str, ...]
    sheet: SheetSpec | None = None
    optional: bool = False


class Part(StageConfig):
    """A part of a database with a folder and a sheet of its own (a split of a challenge); a clip's `variant`.

    Attributes
    ----------
    folder : str
        What a folder on the way to its clips is called, as a regular expression.
    files : tuple of str
        What its sheet is called.
    """

    name: str
    folder: str
    files: tuple[str, ...]


class PublishedTable(StageConfig):
    """The counts that a release states; `kind` restricts them to clips of one variant."""

    table: str
    kind: str = ""
    clips: int
    subjects: int
    emotions: dict[str, int] = Field(default_factory=dict)


class DatabaseSpec(StageConfig):
    """A database: identity, people, layouts, sheet, published counts.

    Attributes
    ----------
    numbering : {"files", "either"}
        What the sheet's numbers count: the files' own numbers; or, for "either", those or another count of the same
        frames (the recording's, the clip's), which is then shifted onto the files.
    experimental : str
        Why the description is not to be relied on; empty where it is.
    unlabelled : str
        Why there is nothing to ingest; empty where there is.
    base : str
        The table that a variant stands in.

    Examples
    --------
    >>> spec("CASME II").id, spec("casme2").subject_name("1"), spec("smic").variant
    ('casme2', 'sub01', 'hs')
    """

    id: str
    title: str
    aliases: tuple[str, ...] = ()
    persons: str
    fps: float
    subject: str
    variant: str = ""
    base: str = ""
    unlabelled: str = ""
    labels_from: Literal["sheet", "folders"] = "sheet"
    apex: Literal["annotated", "midpoint"] = "annotated"
    inside: str = ""
    others: tuple[str, ...] = ()
    citation: Citation = Citation()
    agreement: Agreement = Agreement()
    image: ImageSpec = ImageSpec()
    layouts: tuple[Layout, ...] = ()
    sheet: SheetSpec | None = None
    published: tuple[PublishedTable, ...] = ()
    joins: tuple[Join, ...] = ()
    parts: tuple[Part, ...] = ()
    numbering: Literal["files", "either"] = "files"
    experimental: str = ""

    @model_validator(mode="after")
    def _sheet_where_needed(self) -> Self:
        if self.labels_from == "sheet" and self.sheet is None and not self.unlabelled:
            raise ValueError("a database labelled by a sheet needs a [sheet]")
        return self

    @property
    def agreement_url(self) -> str:
        """Where to ask for the database."""
        return self.agreement.url

    @property
    def bibtex(self) -> str:
        """The BibTeX entry of its paper."""
        return self.citation.bibtex

    def subject_name(self, subject: str, layout: Layout | None = None) -> str:
        """Write a subject as this database (or a layout of it) does (``sub01``), whatever a sheet makes of it."""
        digits = re.findall(r"\d+", subject)
        pattern = (layout.subject if layout else "") or self.subject
        return pattern.format(int(digits[-1])) if digits else subject.strip()

    def layout(self, name: str) -> Layout:
        """Return one layout by name."""
        found = next((layout for layout in self.layouts if layout.name == name), None)
        if found is None:
            raise UnknownNameError.among("layout", name, [layout.name for layout in self.layouts])
        return found

    def patterns(self) -> str:
        """Write the layouts out, for messages."""
        return "; ".join(f"{layout.name}: {layout.example}" for layout in self.layouts)

    def summary(self) -> dict[str, Any]:
        """Return what ``merprep databases NAME`` shows."""
        return {
            "id": self.id,
            "title": self.title,
            "clips": [f"{entry.table}: {entry.clips} clips of {entry.subjects} subjects" for entry in self.published],
            "emotions": {entry.table: entry.emotions for entry in self.published},
            "fps": self.fps,
            "layouts": {layout.name: layout.example for layout in self.layouts},
            "sheet": list(self.sheet.files) if self.sheet else self.unlabelled or "none: the folders name the emotion",
            "agreement": self.agreement.url,
            "citation": self.citation.text,
            "doi": self.citation.doi,
        }


def names() -> list[str]:
    """Return the ids of all databases, variants included.

    Examples
    --------
    >>> [name for name in names() if name.startswith("smic-")][-2:]
    ['smic-nir', 'smic-vis']
    """
    return sorted({found.id for found in _all()})


def spec(name: str, variant: str | None = None) -> DatabaseSpec:
    """Return the description of a database.

    Parameters
    ----------
    name : str
        Its id or any usual spelling (``CASME II``, ``casmeii``, ``SMIC_HS``).
    variant : str, optional
        One of its variants (``hs``, ``vis``, ``nir``); None means what the name says, or the default.

    Raises
    ------
    UnknownNameError
        Where there is no such database or variant; the message names the nearest spelling.
    """
    wanted = _plain(name)
    found = [s for s in _all() if wanted in {_plain(s.id), _plain(s.title), *map(_plain, s.aliases)}]
    if not found:
        raise UnknownNameError.among("database", name, names())
    if variant is None:
        return found[0]
    if variant.lower() in {part.name for part in found[0].parts}:
        return found[0].model_copy(
            update={"parts": tuple(part for part in found[0].parts if part.name == variant.lower())}
        )
    family = [s for s in _all() if s.base == found[0].base and s.variant]
    chosen = [s for s in family if s.variant == variant.lower()]
    if not chosen:
        known = [part.name for part in found[0].parts] or [s.variant for s in family] or ["none"]
        raise UnknownNameError.among(f"variant of {found[0].id}", variant, known)
    return chosen[0]


def _template(text: str) -> str:
    """Return a template of fields, if it is one."""
    unknown = sorted(set(re.findall(r"\{([^{}]*)\}", text)) - set(SHEET_FIELDS))
    if unknown:
        raise ValueError(f"{text!r} names unknown fields: {', '.join(unknown)}; there are {', '.join(SHEET_FIELDS)}")
    return text


def _plain(text: str) -> str:
    # CAS(ME)^2 and CASME II differ in nothing but what a plain spelling leaves out.
    text = re.sub(r"cas\s*\(me\)\s*\^?\s*2|casme\s*\^\s*2|cas.?me.?\u00b2|cas\(me\)\u00b2", "casmesq", text.lower())
    return re.sub(r"[^a-z0-9]", "", text.replace("\u00b3", "3"))


@cache
def _all() -> tuple[DatabaseSpec, ...]:
    return tuple(found for name in table_names("databases") for found in _read(name))


def _read(name: str) -> list[DatabaseSpec]:
    table = load_table("databases", name)
    where = f"manifests/databases/{name}.toml"
    variants: dict[str, dict[str, Any]] = table.pop("variants", {})
    if not variants:
        return [DatabaseSpec.read(table, where=where)]
    return [
        DatabaseSpec.read({**table, **_merged(table, own), "variant": key, "base": name}, where=where)
        for key, own in variants.items()
    ]


def _merged(table: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Let a variant's sheet say only what differs from the family's."""
    if "sheet" not in own or "sheet" not in table:
        return own
    return {**own, "sheet": {**table["sheet"], **own["sheet"]}}
