"""Label schemes: tables that turn an annotated emotion into a class, or say why a clip has none."""

from __future__ import annotations

from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from merprep.config import StageConfig
from merprep.errors import UnknownNameError
from merprep.labels.vocabulary import emotion_words
from merprep.manifest_data import load_table, table_names
from merprep.records import Clip, person_of

# What `--classes` means.
_BY_NUMBER = {3: "megc2019", 5: "unified-5", 7: "unified-7"}


class Override(StageConfig):
    """What one database maps or drops differently."""

    map: dict[str, str] = Field(default_factory=dict)
    drop: dict[str, str] = Field(default_factory=dict)


class ClipDrop(StageConfig):
    """A clip that a scheme leaves out, and why; `emotion` restricts it to tables that annotate that emotion."""

    database: str
    subject: str
    clip: str
    emotion: str = ""
    reason: str


class PublishedCount(StageConfig):
    """Clips by class that a publication states for one database (and one version of its table)."""

    database: str
    table: str = ""
    counts: dict[str, int]
    persons: int | None = None


class LabelScheme(StageConfig):
    """How annotated emotions become classes.

    Attributes
    ----------
    name : str
    classes : tuple of str
        In the order of their numbers, 0 first.
    databases : tuple of str
        The databases that the scheme is for; empty means any.
    field : {"emotion", "objective_class"}
        The column of the manifest that is mapped.
    expressions : tuple of str
        ``micro``, ``macro`` or both: which kinds of expression have a class.
    several : bool
        Whether a clip may be of several classes at once (see `labels`).

    Examples
    --------
    >>> three = scheme(3)
    >>> three.classes
    ('negative', 'positive', 'surprise')
    >>> three.label(Clip("samm", "006", "006_1_2", person="samm:6", emotion="Anger"))
    0
    >>> three.reason(Clip("samm", "006", "006_1_2", person="samm:6", emotion="Other"))
    'others is none of the three classes'
    """

    name: str
    title: str
    classes: tuple[str, ...]
    source: str = ""
    field: Literal["emotion", "objective_class"] = "emotion"
    expressions: tuple[Literal["micro", "macro"], ...] = ("micro",)
    several: bool = False
    databases: dict[str, Override] | tuple[str, ...] = ()
    map: dict[str, str]
    drop: dict[str, str] = Field(default_factory=dict)
    clips: tuple[ClipDrop, ...] = ()
    published: tuple[PublishedCount, ...] = ()

    @model_validator(mode="after")
    def _maps_to_its_classes(self) -> Self:
        targets = {
            *self.map.values(),
            *(word for override in self._overrides().values() for word in override.map.values()),
        }
        unknown = sorted(targets - set(self.classes))
        if unknown:
            raise ValueError(f"maps to {', '.join(unknown)}, which is not among its classes")
        return self

    def label(self, clip: Clip) -> int | None:
        """Return the number of the clip's one class, or None where it has none or several (see `reason`)."""
        found = self.labels(clip)
        return found[0] if len(found) == 1 else None

    def labels(self, clip: Clip) -> tuple[int, ...]:
        """Return the numbers of the clip's classes, ascending: at most one, unless the scheme allows `several`.

        Examples
        --------
        >>> scheme("4dme-5").labels(Clip("4dme", "S13", "a", person="4dme:13", emotion="Surprise+Positive"))
        (0, 2)
        """
        if self._left_out(clip):
            return ()
        return tuple(sorted({self.classes.index(target) for target in self._targets(clip).values() if target}))

    def reason(self, clip: Clip) -> str:
        """Return why the clip has no one class, or an empty text where it has."""
        found = self.labels(clip)
        if len(found) > 1:
            return "several classes at once: " + ", ".join(self.classes[index] for index in found)
        return self._left_out(clip)

    def describe(self) -> str:
        """Write the scheme out: its classes and the emotions of each.

        Examples
        --------
        >>> print(scheme("casme2-7").describe().splitlines()[0])
        casme2-7: CASME II, 7 classes
        """
        lines = [f"{self.name}: {self.title}"]
        for name in self.classes:
            lines.append(f"  {name}: {', '.join(word for word, target in self.map.items() if target == name)}")
        lines += [f"  dropped, {word}: {reason}" for word, reason in self.drop.items()]
        for database, override in self._overrides().items():
            lines += [f"  dropped in {database}, {word}: {reason}" for word, reason in override.drop.items()]
        lines += [f"  dropped, {drop.database}/{drop.subject}/{drop.clip}: {drop.reason}" for drop in self.clips]
        return "\n".join(lines)

    def _overrides(self) -> dict[str, Override]:
        return self.databases if isinstance(self.databases, dict) else {}

    def _left_out(self, clip: Clip) -> str:
        """Return why the clip has no class at all; empty where it has one, or several that the scheme allows."""
        if isinstance(self.databases, tuple) and self.databases and clip.database not in self.databases:
            return f"{self.name} is a scheme for {', '.join(self.databases)}"
        if clip.variant == "macro" and "macro" not in self.expressions:
            return f"{self.name} is a scheme for micro-expressions, and this is a macro-expression"
        targets = self._targets(clip)
        if not targets:
            return f"no {self.field.replace('_', ' ')} is annotated"
        for word, target in targets.items():
            if target is None:
                return self._drops(clip).get(word) or f"{word!r} is not a word of {self.name}"
        if len(set(targets.values())) > 1 and not self.several:
            return f"several classes at once: {', '.join(dict.fromkeys(map(str, targets.values())))}"
        return next((drop.reason for drop in self.clips if _names(drop, clip, tuple(targets))), "")

    def _drops(self, clip: Clip) -> dict[str, str]:
        return {**self.drop, **self._overrides().get(clip.database, Override()).drop}

    def _targets(self, clip: Clip) -> dict[str, str | None]:
        """Return the class of each word that the clip is annotated with, None for words that have none."""
        override = self._overrides().get(clip.database, Override())
        words = emotion_words(clip.emotion) if self.field == "emotion" else (clip.objective_class,)
        return {
            word: override.map.get(word) or (None if word in override.drop else self.map.get(word))
            for word in words
            if word
        }


def scheme(name_or_classes: str | int) -> LabelScheme:
    """Return a label scheme by name, or by the number of its classes.

    Parameters
    ----------
    name_or_classes : str or int
        A table of ``manifests/labels``; 3, 5 and 7 mean ``megc2019``, ``unified-5`` and ``unified-7``.

    Raises
    ------
    UnknownNameError
        Where there is none.

    Examples
    --------
    >>> scheme(5).name, scheme("megc2019").classes[0]
    ('unified-5', 'negative')
    """
    text = str(name_or_classes).strip()
    if text.isdigit():
        if int(text) not in _BY_NUMBER:
            raise UnknownNameError(
                f"There is no scheme of {text} classes",
                expected="3, 5 or 7, or the name of a scheme: " + ", ".join(scheme_names()),
            )
        text = _BY_NUMBER[int(text)]
    return _load(text.lower())


def scheme_names() -> list[str]:
    """Return the names of all label schemes.

    Examples
    --------
    >>> "unified-7" in scheme_names()
    True
    """
    return table_names("labels")


@cache
def _load(name: str) -> LabelScheme:
    if name not in table_names("labels"):
        raise UnknownNameError.among("label scheme", name, table_names("labels"))
    return LabelScheme.read({"name": name, **load_table("labels", name)}, where=f"manifests/labels/{name}.toml")


def _names(drop: ClipDrop, clip: Clip, words: tuple[str, ...]) -> bool:
    return (
        (drop.database, drop.clip.casefold()) == (clip.database, clip.clip.casefold())
        and person_of("", drop.subject) == person_of("", clip.subject)
        and drop.emotion in ("", *words)
    )
