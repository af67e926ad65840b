"""What every HDF5 file of clips shares: how it was made, its table of clips, and one way to open it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

import h5py
import pandas as pd

from merprep.config import canonical_json
from merprep.errors import StoreError
from merprep.records import Clip
from merprep.store.clip_table import read_clip_table, records_of, table_says, walk
from merprep.store.hdf5 import open_hdf5
from merprep.store.provenance import versions
from merprep.store.schema import checked_version
from merprep.store.watched import DAMAGED, damage_is_told

SCHEMA_VERSION = 1


class Provenance(Protocol):
    """What is written about how a file was made (plain JSON values)."""

    @property
    def config(self) -> dict[str, Any]:
        """The full configuration."""

    @property
    def config_id(self) -> str:
        """Its short id."""

    @property
    def inputs(self) -> dict[str, str]:
        """The ids of what it was applied to."""

    @property
    def device(self) -> str:
        """What it ran on."""


def write_provenance(file: h5py.File, made: Provenance) -> None:
    """Write how a file was made into its root attributes."""
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["config"] = canonical_json(made.config)
    file.attrs["config_id"] = made.config_id
    file.attrs["inputs"] = canonical_json(made.inputs)
    file.attrs["created_with"] = canonical_json(versions())
    file.attrs["device"] = made.device


class ClipFile:
    """An HDF5 file of clips, open for reading; a context manager.

    A subclass says what it is called in messages and which command makes it, and reads the rest of its attributes
    in `_read`.

    Attributes
    ----------
    path : Path
    clips : pandas.DataFrame
        One row a clip; absent frame numbers are ``<NA>``.
    config, inputs, created_with : dict
    config_id, device : str

    Raises
    ------
    StoreError
        Where the file is missing, damaged, something else, or of a newer version.
    """

    kind: ClassVar[str]
    command: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = self._opened()
        try:
            self._check_version()
            self.config: dict[str, Any] = json.loads(self._file.attrs["config"])
            self.config_id = str(self._file.attrs["config_id"])
            self.inputs: dict[str, str] = json.loads(self._file.attrs["inputs"])
            self.created_with: dict[str, str] = json.loads(self._file.attrs["created_with"])
            self.device = str(self._file.attrs["device"])
            self._count = len(self._file["clips/id"])
            self._read()
        except DAMAGED as error:
            self._file.close()
            raise self.damaged(error) from error
        except StoreError:
            self._file.close()
            raise

    def _read(self) -> None:
        """Read what only this kind of file has."""

    @cached_property
    @damage_is_told
    def clips(self) -> pd.DataFrame:
        """One row a clip; read when first asked for: workers that open a file for one clip's frames need no table."""
        return read_clip_table(self._file)

    def load(self) -> None:
        """Read `clips` now, so that it outlives the closing of the file."""
        try:
            _ = self.clips
        except StoreError:
            self._file.close()
            raise

    def _opened(self) -> h5py.File:
        if not self.path.is_file():
            raise StoreError(
                f"The {self.kind} does not exist", where=str(self.path), mend=f"run {self.command}, or check the name"
            )
        try:
            return open_hdf5(self.path)
        except DAMAGED as error:
            raise self._error(f"The {self.kind} cannot be opened: {error}") from error

    def damaged(self, error: BaseException) -> StoreError:
        """Return the error for a file that is not whole."""
        return self._error(f"This is not a whole {self.kind}: {error}")

    def _error(self, what: str) -> StoreError:
        return StoreError(what, where=str(self.path), mend=f"remove it and run {self.command} again")

    def _check_version(self) -> None:
        checked_version(
            self._file.attrs.get("schema_version"), SCHEMA_VERSION, what=f"The {self.kind}", where=self.path
        )

    @damage_is_told
    def says(self, clips: Sequence[Clip]) -> bool:
        """Whether the rows are those of `clips` (without their frames), in that order."""
        return table_says(self._file, clips)

    def walk(self, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Yield the values of some columns of `clips`, row by row, without holding the table.

        An absent frame number is -1, an absent rate NaN.
        """
        try:
            yield from walk(self._file, columns)
        except DAMAGED as error:
            raise self.damaged(error) from error

    @damage_is_told
    def records(self) -> list[Clip]:
        """Return the rows of `clips` as records (without their frames)."""
        return records_of(self.clips)

    def close(self) -> None:
        """Close the file; nothing can be read from it afterwards."""
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
