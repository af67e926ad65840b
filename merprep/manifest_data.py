"""Finds `manifests/`: the tables of databases, errata, label schemes, weights, presets and published results.

In a checkout they stand at the top level, where a researcher reads and corrects them; a wheel carries them inside
the package. ``MERPREP_MANIFESTS`` names a folder with tables of one's own, which is looked at first.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from merprep.errors import ConfigError, UnknownNameError
from merprep.ordinary import text_of

_LARGEST = 1 << 24  # bytes of a table
_PACKAGE = Path(__file__).resolve().parent


def manifest_folders() -> list[Path]:
    """Return the folders that hold tables, the user's own first."""
    own = os.environ.get("MERPREP_MANIFESTS")
    candidates = [Path(own)] if own else []
    checkout = _PACKAGE.parent / "manifests"
    candidates.append(checkout if (checkout / "databases").is_dir() else _PACKAGE / "manifests")
    return candidates


def table_names(room: str) -> list[str]:
    """Return the names of the tables in one room (``databases``, ``labels``, ...), sorted.

    Examples
    --------
    >>> "megc2019" in table_names("labels")
    True
    """
    return sorted({path.stem for path in _tables(room)})


def load_table(room: str, name: str) -> dict[str, Any]:
    """Read one TOML table.

    Raises
    ------
    UnknownNameError
        Where there is no table of that name.
    ConfigError
        Where the file is not valid TOML.
    """
    for path in _tables(room):
        if path.stem == name:
            return read_toml(path)
    raise UnknownNameError.among(room.removesuffix("s"), name, table_names(room))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, naming it where it is broken."""
    try:
        return tomllib.loads(text_of(path, most=_LARGEST))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The table is not valid TOML: {error}", where=str(path)) from error
    except OSError as error:
        raise ConfigError(f"The table cannot be read: {error.strerror}", where=str(path)) from error


def _tables(room: str) -> Iterator[Path]:
    for folder in manifest_folders():
        yield from sorted((folder / room).glob("*.toml"))
