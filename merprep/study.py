"""A study in one file: ``merprep.toml`` in the workspace says which databases, which settings, which network.

::

    [databases.casme2]
    root = "~/data/CASME2"        # relative paths count from this file

    [align]                        # any field of merprep.faces.AlignConfig, and frames, device, jobs
    backend = "mesh"

    [flow]                         # preset, then any field of merprep.features.FlowConfig, and device, jobs
    preset = "steady"

    [train]                        # the options of `merprep train`
    model = "htnet"
    preset = "sanity"
    seeds = 3

What the command line is given goes before the file, and the file before the defaults. `merprep config show` prints
what comes out; `merprep run` does all of it in order.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from merprep.config import StageConfig
from merprep.errors import ConfigError
from merprep.ordinary import text_of

if TYPE_CHECKING:
    from merprep.faces.config import AlignConfig
    from merprep.features.config import FlowConfig

FILE_NAME = "merprep.toml"
_LARGEST = 1 << 20
# Fields of a stage's table that are not of its configuration: they say how it is run.
_RUNNING = ("frames", "device", "jobs")


class DatabaseTable(StageConfig):
    """One database of a study: where it is, and the options of `merprep ingest`."""

    root: str
    variant: str | None = None
    annotations: str | None = None
    extra: str | None = None
    errata: Literal["default", "none"] = "default"
    missing_frames: Literal["nearest", "keep"] = "nearest"
    verify: Literal["none", "exists", "decode", "hash"] = "none"


class Running(StageConfig):
    """How a stage is run, which is part of no configuration's id: `frames` is for `merprep align` alone."""

    frames: Literal["key", "all"] = "key"
    device: str = "auto"
    jobs: int | None = Field(default=None, ge=1)


class TrainTable(StageConfig):
    """The options of `merprep train`; `scheme` goes before `classes`."""

    model: str = "htnet"
    preset: str = "published"
    features: str | None = None
    classes: int | None = None
    scheme: str | None = None
    protocol: str = "loso"
    selection: Literal["last", "inner", "test-oracle"] = "last"
    seeds: int = Field(default=1, ge=1)
    device: str = "auto"
    jobs: int | None = Field(default=None, ge=1)
    stack: int | None = Field(default=None, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    capture: bool | None = None
    epochs: int | None = Field(default=None, ge=1)
    max_folds: int | None = Field(default=None, ge=1)
    pretrain: str | None = None
    pretrain_scheme: str | None = None
    final: bool = False

    @property
    def labels(self) -> str | int:
        """The label scheme, by name or by its number of classes."""
        return self.scheme or self.classes or 3

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `merprep.training.train`, but for the feature file.

        Examples
        --------
        >>> TrainTable(classes=5).arguments()["scheme"]
        5
        """
        return {**self.model_dump(exclude={"features", "classes"}), "scheme": self.labels}


class Tables(StageConfig):
    """The tables of ``merprep.toml``."""

    databases: dict[str, DatabaseTable] = Field(default_factory=dict)
    align: dict[str, Any] = Field(default_factory=dict)
    flow: dict[str, Any] = Field(default_factory=dict)
    train: dict[str, Any] = Field(default_factory=dict)


class Study:
    r"""The settings of one workspace: its ``merprep.toml``, or the defaults where there is none.

    Parameters
    ----------
    folder : path-like
        The workspace.

    Raises
    ------
    ConfigError
        Where the file is no TOML, or a table or a field is unknown or out of range.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "merprep.toml").write_text('[flow]\npreset = "steady"\n[train]\nseeds = 3\n')
    >>> study = Study(folder)
    >>> study.flow_config(size=56).size, study.train_table(model="svm").seeds
    (56, 3)
    """

    def __init__(self, folder: str | Path = ".") -> None:
        self.path = Path(folder) / FILE_NAME

    @property
    def exists(self) -> bool:
        """Whether the workspace has a file of settings."""
        return os.path.lexists(self.path)  # a pipe in its place is no file of settings, and told as such

    @cached_property
    def tables(self) -> Tables:
        """The file's tables, each checked against what it configures."""
        tables = Tables.read(_read_toml(self.path), where=str(self.path)) if self.exists else Tables()
        self._check(tables)
        return tables

    def _check(self, tables: Tables) -> None:
        self._train(tables.train, {})
        self._flow(tables, {})
        for stage in ("align", "flow"):
            self._running(tables, stage, {})

    def databases(self) -> dict[str, dict[str, Any]]:
        """Return the arguments of `merprep.stages.ingest` for each database, its paths resolved."""
        return {name: self._resolved(table) for name, table in self.tables.databases.items()}

    def _resolved(self, table: DatabaseTable) -> dict[str, Any]:
        values = table.model_dump()
        for name in ("root", "annotations", "extra"):
            if values[name] is not None:
                values[name] = self.path.parent / Path(values[name]).expanduser()
        return values

    def align_config(self, **given: Any) -> AlignConfig:
        """Return the settings of alignment; `given` goes before the file, None is not given."""
        return self._align(self.tables, given)

    def flow_config(self, *, preset: str | None = None, **given: Any) -> FlowConfig:
        """Return the settings of flow, those of alignment inside; `given` goes before the file, None is not given."""
        return self._flow(self.tables, {"preset": preset, **given})

    def train_table(self, **given: Any) -> TrainTable:
        """Return the options of training; `given` goes before the file, None is not given."""
        return self._train(self.tables.train, given)

    def running(self, stage: Literal["align", "flow"], **given: Any) -> Running:
        """Return how a stage is run; `given` goes before the file, None is not given."""
        return self._running(self.tables, stage, given)

    def _running(self, tables: Tables, stage: str, given: Mapping[str, Any]) -> Running:
        table = getattr(tables, stage)
        values = {name: table[name] for name in _RUNNING if name in table}
        return Running.read(values | _told(given), where=f"{self.path}, [{stage}]")

    def _align(self, tables: Tables, given: Mapping[str, Any]) -> AlignConfig:
        from merprep.faces.config import AlignConfig

        return AlignConfig.read(_without(tables.align, _RUNNING) | _told(given), where=f"{self.path}, [align]")

    def _flow(self, tables: Tables, given: Mapping[str, Any]) -> FlowConfig:
        from merprep.features.flow_presets import flow_preset

        told = _told(given)
        preset = told.pop("preset", tables.flow.get("preset", "default"))
        changes = _without(tables.flow, (*_RUNNING, "preset")) | told
        if tables.align:
            changes["align"] = self._align(tables, {})
        try:
            return flow_preset(preset, **changes)
        except ConfigError as error:
            if self.exists and not told:
                raise ConfigError(error.what, where=f"{self.path}, [flow]", **_rest(error)) from error
            raise

    def _train(self, table: Mapping[str, Any], given: Mapping[str, Any]) -> TrainTable:
        told = _told(given)
        # A scheme by name and a number of classes say the same thing: what was given replaces either.
        base = _without(table, ("scheme", "classes")) if {"scheme", "classes"} & set(told) else dict(table)
        return TrainTable.read(base | told, where=f"{self.path}, [train]")

    def as_json(self) -> dict[str, Any]:
        """Return all settings as they stand, as plain JSON values.

        Examples
        --------
        >>> list(Study("nowhere").as_json())
        ['file', 'databases', 'align', 'flow', 'train']
        """
        configs = {"align": self.align_config(), "flow": self.flow_config()}
        return {
            "file": str(self.path) if self.exists else None,
            "databases": {name: table.model_dump(mode="json") for name, table in self.tables.databases.items()},
            **{name: {"id": c.config_id(), **c.model_dump(mode="json")} for name, c in configs.items()},
            "train": self.train_table().model_dump(mode="json"),
        }

    @classmethod
    def template(cls) -> str:
        """Return a file to start from."""
        return _TEMPLATE


_TEMPLATE = """\
# A study in one file: `merprep run` does all of it in order, `merprep config show` prints what it comes to.

# [databases.casme2]             # one table a database; `merprep databases` lists their names
# root = "~/data/CASME2"         # relative paths count from this file

[align]                          # any field of the settings of alignment (`merprep config show`)
backend = "auto"

[flow]
preset = "default"               # default, still, steady, fast, opencv, ststnet, htnet-casme3; then any of its fields

[train]
model = "htnet"
preset = "sanity"
classes = 3                      # 3, 5 or 7; or scheme = "casme2-5"
seeds = 3
"""


def write_template(study: Study) -> Path:
    """Write a file to start from.

    Raises
    ------
    ConfigError
        Where there is one already.
    """
    from merprep.store.workspace import written_whole

    if study.exists:
        raise ConfigError("The workspace has a file of settings already", where=str(study.path), mend="edit that one")
    with written_whole(study.path) as temporary:
        temporary.write_text(Study.template(), encoding="utf-8")
    return study.path


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _without(table: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in names}


def _rest(error: ConfigError) -> dict[str, str]:
    return {name: text for name, text in error.details().items() if name != "where"}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text_of(path, most=_LARGEST))
    except (ValueError, RecursionError) as error:
        mend = "texts stand in quotes, tables in [brackets]; `merprep config init` writes a file to start from"
        raise ConfigError(f"The file of settings is no TOML: {error}", where=str(path), mend=mend) from error
    except OSError as error:
        raise ConfigError(f"The file of settings cannot be read: {error.strerror}", where=str(path)) from error
