"""Records that lie on the disk: a sequence, and a mapping, whose memory does not grow with what they hold.

Both keep their records as JSON in a private database of SQLite, which holds a quarter of a megabyte of it in memory and
the rest in a temporary file that the system removes when the process ends, however it ends. A few thousand records
never touch the disk.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from merprep.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
Places: TypeAlias = "Sequence[int] | NDArray[np.integer[Any]]"

_CACHE = 256  # kB
_write = json.JSONEncoder(separators=(",", ":")).encode
_read = json.JSONDecoder().raw_decode
# How many records one query brings: few enough to weigh nothing, enough for queries to cost little.
_AT_ONCE = 128
# How many new records wait to be written at once.
_FRESH = 512


@dataclass(frozen=True)
class Codec(Generic[T]):
    """How a record is written as JSON values, and read back.

    Parameters
    ----------
    plain : callable
        From a record to lists, dictionaries, texts, numbers and None.
    record : callable
        From what JSON makes of these (a tuple comes back as a list) to the record.
    """

    plain: Callable[[T], Any]
    record: Callable[[Any], T]

    def write(self, value: T) -> str:
        """Return the text of a record; names that are no valid Unicode, as some folders have, survive."""
        return _write(self.plain(value))

    def read(self, text: str) -> T:
        """Return the record of a text."""
        return self.record(_read(text)[0])


def _same(value: Any) -> Any:
    return value


PLAIN: Codec[Any] = Codec(_same, _same)


class Stored(Sequence[T]):
    """A sequence on the disk, or a part of one: equal to any sequence of equal records."""

    codec: Codec[T]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} records>"

    def __reduce__(self) -> Any:
        return Rows, (list(self), self.codec)


class Rows(Stored[T]):
    """A sequence of records on the disk.

    Any number of threads may read it, while none adds to it. A slice is a view: it holds no record.

    Parameters
    ----------
    items : iterable
    codec : Codec
        `PLAIN` for texts, numbers and lists of these.
    key : callable, optional
        Sorts the records by the bytes that it returns for each; those with equal bytes stay in their order.

    Raises
    ------
    StoreError
        Where the disk of temporary files is full.

    Examples
    --------
    >>> rows = Rows(["b", "a", "c"])
    >>> len(rows), rows[-1], list(rows[:2]), rows == ("b", "a", "c"), "a" in rows
    (3, 'c', ['b', 'a'], True, True)
    >>> list(Rows(rows, key=str.encode))
    ['a', 'b', 'c']
    """

    def __init__(
        self, items: Iterable[T] = (), codec: Codec[T] = PLAIN, *, key: Callable[[T], bytes] | None = None
    ) -> None:
        self.codec = codec
        self._base: sqlite3.Connection | None = None
        self._stored = 0
        # The texts of the last records, which are written many at once: few records never need a database.
        self._fresh: list[str] = []
        self.extend(items if key is None else in_order(items, key, codec))

    def append(self, value: T) -> None:
        """Add a record at the end."""
        self._fresh.append(self.codec.write(value))
        if len(self._fresh) >= _FRESH:
            self._store()

    def extend(self, items: Iterable[T]) -> None:
        """Add records at the end; `items` may be iterating over other rows, not over these."""
        for value in items:
            self.append(value)

    def _store(self) -> None:
        with _told():
            if self._base is None:
                self._base = _base_of(self, "CREATE TABLE rows (place INTEGER PRIMARY KEY, text TEXT NOT NULL)")
            self._base.executemany("INSERT INTO rows VALUES (?, ?)", enumerate(self._fresh, self._stored))
        self._stored += len(self._fresh)
        self._fresh = []

    def chosen(self, places: Places) -> Chosen[T]:
        """Return a view of the records at some places (from 0, any order), such as an array of integers."""
        return Chosen(self, places)

    def __len__(self) -> int:
        return self._stored + len(self._fresh)

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> Chosen[T]: ...

    def __getitem__(self, place: int | slice) -> T | Chosen[T]:
        if isinstance(place, slice):
            return Chosen(self, range(*place.indices(len(self))))
        if not -len(self) <= place < len(self):
            raise IndexError("there is no such row")
        return self.codec.read(self._at([int(place) % len(self)])[0])

    def _at(self, places: Sequence[int]) -> list[str]:
        """Return the texts at some places, which one query brings."""
        stored = [place for place in places if place < self._stored]
        texts: dict[int, str] = {}
        if stored and self._base is not None:
            marks = ",".join("?" * len(stored))
            with _told():
                query = self._base.execute(f"SELECT place, text FROM rows WHERE place IN ({marks})", stored)  # noqa: S608
                texts = dict(query.fetchall())
        return [texts[place] if place < self._stored else self._fresh[place - self._stored] for place in places]

    def __iter__(self) -> Iterator[T]:
        place = 0
        while found := self._texts(place):
            place += len(found)
            for text in found:
                yield self.codec.read(text)

    def _texts(self, place: int) -> list[str]:
        """Return some texts from a place on: none at the end."""
        if place >= self._stored or self._base is None:
            return self._fresh[place - self._stored :]
        with _told():
            query = self._base.execute(
                "SELECT text FROM rows WHERE place >= ? ORDER BY place LIMIT ?", (place, _AT_ONCE)
            )
            return [text for (text,) in query.fetchall()]


class Chosen(Stored[T]):
    """Some records of rows, seen as a sequence of their own.

    Parameters
    ----------
    rows : Rows
    places : sequence or array of int
        From 0.

    Examples
    --------
    >>> Rows("abcdef")[1::2][::-1] == ["f", "d", "b"]
    True
    """

    def __init__(self, rows: Rows[T], places: Places) -> None:
        self.codec = rows.codec
        self._rows = rows
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> Chosen[T]: ...

    def __getitem__(self, place: int | slice) -> T | Chosen[T]:
        if isinstance(place, slice):
            return Chosen(self._rows, self._places[place])
        return self._rows[int(self._places[place])]

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self), _AT_ONCE):
            for text in self._rows._at([int(place) for place in self._places[start : start + _AT_ONCE]]):
                yield self.codec.read(text)


class Shelf(MutableMapping[str, T]):
    """A mapping from texts to records on the disk, in the order in which keys first came, like a dictionary's.

    Parameters
    ----------
    items : iterable of (str, record)
    codec : Codec

    Raises
    ------
    StoreError
        Where the disk of temporary files is full.

    Examples
    --------
    >>> shelf = Shelf([("b", 1), ("a", 2)])
    >>> shelf["b"] = 3
    >>> dict(shelf), "c" in shelf, len(shelf)
    ({'b': 3, 'a': 2}, False, 2)
    """

    def __init__(self, items: Iterable[tuple[str, T]] = (), codec: Codec[T] = PLAIN) -> None:
        self.codec = codec
        self._base = _base_of(
            self, "CREATE TABLE shelf (place INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, text TEXT NOT NULL)"
        )
        self._count = 0
        for key, value in items:
            self[key] = value

    def __setitem__(self, key: str, value: T) -> None:
        text, name = self.codec.write(value), _bytes(key)
        with _told():
            changed = self._base.execute("UPDATE shelf SET text = ? WHERE key = ?", (text, name)).rowcount
            if not changed:
                self._base.execute("INSERT INTO shelf (key, text) VALUES (?, ?)", (name, text))
                self._count += 1

    def __getitem__(self, key: str) -> T:
        with _told():
            found = self._base.execute("SELECT text FROM shelf WHERE key = ?", (_bytes(key),)).fetchone()
        if found is None:
            raise KeyError(key)
        return self.codec.read(found[0])

    def __delitem__(self, key: str) -> None:
        with _told():
            if not self._base.execute("DELETE FROM shelf WHERE key = ?", (_bytes(key),)).rowcount:
                raise KeyError(key)
            self._count -= 1

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        with _told():
            return self._base.execute("SELECT 1 FROM shelf WHERE key = ?", (_bytes(key),)).fetchone() is not None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._pairs())

    def pairs(self) -> Iterator[tuple[str, T]]:
        """Yield keys and records, without a query for each as `items` would need."""
        return ((key, self.codec.read(text)) for key, text in self._pairs())

    def _pairs(self) -> Iterator[tuple[str, str]]:
        last = -1
        while True:
            with _told():
                found = self._base.execute(
                    "SELECT place, key, text FROM shelf WHERE place > ? ORDER BY place LIMIT ?", (last, _AT_ONCE)
                ).fetchall()
            if not found:
                return
            last = found[-1][0]
            for _, key, text in found:
                yield bytes(key).decode("utf-8", "surrogatepass"), text

    def __reduce__(self) -> Any:
        return Shelf, (list(self.pairs()), self.codec)

    def __repr__(self) -> str:
        return f"<{len(self)} records>"


def in_order(items: Iterable[T], key: Callable[[T], bytes], codec: Codec[T] = PLAIN) -> Iterator[T]:
    """Yield records sorted by the bytes that `key` returns for each; those with equal bytes stay in their order.

    Examples
    --------
    >>> list(in_order(["b", "a", "B"], lambda text: text.lower().encode()))
    ['a', 'b', 'B']
    """
    pairs = ((key(value), codec.write(value)) for value in items)
    few = list(islice(pairs, _FRESH))
    if len(few) < _FRESH:  # which need no database
        few.sort(key=itemgetter(0))
        for _, text in few:
            yield codec.read(text)
        return
    with closing(
        _opened("CREATE TABLE loose (place INTEGER PRIMARY KEY, key BLOB NOT NULL, text TEXT NOT NULL)")
    ) as to:
        with _told():
            to.executemany("INSERT INTO loose (key, text) VALUES (?, ?)", chain(few, pairs))
            query = to.execute("SELECT text FROM loose ORDER BY key, place")
        while True:
            with _told():
                found = query.fetchmany(_AT_ONCE)
            if not found:
                return
            for (text,) in found:
                yield codec.read(text)


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _base_of(owner: object, table: str) -> sqlite3.Connection:
    base = _opened(table)
    weakref.finalize(owner, base.close)
    return base


def _opened(table: str) -> sqlite3.Connection:
    # An empty name is a database of this connection alone, which SQLite keeps in memory as far as the cache reaches.
    # Threads may share it: SQLite takes turns between them.
    with _told():
        base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        base.execute(f"PRAGMA cache_size = -{_CACHE}")
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.execute(table)
        base.execute("BEGIN")
    return base


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"Records on their way through cannot be kept: {error}",
            where=_folder(),
            mend="free room on the disk of temporary files, or point TMPDIR (on Windows: TEMP) to one that has some",
        ) from error


def _folder() -> str:
    """Return where SQLite puts its temporary files: not always where Python does."""
    if os.name == "nt":
        return tempfile.gettempdir()
    places = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108
    return next((place for place in places if place and os.access(place, os.W_OK | os.X_OK)), ".")
