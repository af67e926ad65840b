"""Reads tables with commas that somebody else may have made."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

from merprep.ordinary import open_ordinary

if TYPE_CHECKING:
    import pandas as pd

# 478 landmarks have a tenth of that; pandas takes a minute for a row of a million.
_MOST_COLUMNS = 10_000
_LONGEST_CELL = 1 << 20


def read_table(path: str | PathLike[str], **options: Any) -> pd.DataFrame:
    """Read a table by `pandas.read_csv`, whose options these are; a row with more cells than there are names is none.

    Raises
    ------
    OSError
        Where the file is missing, or no ordinary one.
    ValueError
        Where it is no table, or a row is longer than that of any table.
    """
    import pandas as pd

    with _opened(path) as stream:
        table: pd.DataFrame = pd.read_csv(stream, index_col=False, **options)
        return table


def walk_table(path: str | PathLike[str], rows: int, **options: Any) -> Iterator[pd.DataFrame]:
    """Yield a table in parts of some rows, as `read_table` reads it."""
    import pandas as pd

    with _opened(path) as stream, pd.read_csv(stream, index_col=False, chunksize=rows, **options) as parts:
        yield from parts


@contextmanager
def _opened(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    import pandas as pd

    with (
        open_ordinary(path) as stream,
        io.BufferedReader(_Watched(stream), 1 << 16) as watched,
        warnings.catch_warnings(),
    ):
        # What is too much in a row would be left out with this warning, or taken for names of rows without the option.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            yield watched
        except pd.errors.ParserWarning as error:
            raise ValueError("a row has more cells than the first line has names") from error


class _Watched(io.RawIOBase):
    """A file whose lines are counted through while they pass."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._cells, self._bytes = 0, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read on, and raise ValueError in a line that is none of a table."""
        data = self._stream.read(len(buffer))
        for line in data.splitlines(keepends=True):
            self._cells += line.count(b",")
            self._bytes += len(line)
            if self._cells > _MOST_COLUMNS or self._bytes > _LONGEST_CELL:
                raise ValueError(f"a line of it has more than {_MOST_COLUMNS:,} cells, or {_LONGEST_CELL:,} bytes")
            if line.endswith((b"\n", b"\r")):
                self._cells = self._bytes = 0
        buffer[: len(data)] = data
        return len(data)
