"""HDF5 files that lead nowhere else and promise no more than they hold.

A file of clips may come from anybody. HDF5 lets a name in it stand for an object of another file, keep a dataset's
values in any file of the disk, or put a dataset together from other files; and a few bytes can declare a dataset of
terabytes. Nothing that merprep writes does any of that, so whatever does is refused when it is met.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import h5py
import numpy as np

from merprep.errors import StoreError

P = ParamSpec("P")
R = TypeVar("R")

# What deflate gains at most, about; datasets without a compression take what they declare.
_MOST_GAIN = 1100
# How many texts are looked at together.
_AT_ONCE = 1 << 14
_SAME_SIZE = {h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_SHUFFLE}
# What the library raises about a damaged file, in all its ways.
DAMAGED = (
    KeyError, ValueError, OSError, RuntimeError, TypeError, AttributeError, IndexError, OverflowError, MemoryError,
    RecursionError, NotImplementedError, ZeroDivisionError,
)  # fmt: skip


class _Watching:
    """Members of a group or file are looked at before they are opened."""

    def __getitem__(self, name: Any) -> Any:
        group = cast("h5py.Group", self)
        _check_links(group, name)
        return _watched(super().__getitem__(name))  # type: ignore[misc]

    def __contains__(self, name: object) -> bool:
        try:
            _check_links(cast("h5py.Group", self), name)
        except KeyError:
            return False
        return True

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member, or `default` where there is none; h5py's other options have no use here."""
        try:
            return self[name]
        except KeyError:
            return default


class WatchedGroup(_Watching, h5py.Group):  # type: ignore[misc]  # h5py has no types
    """A group whose members are looked at before they are opened."""


class WatchedFile(_Watching, h5py.File):  # type: ignore[misc]
    """A file whose members are looked at before they are opened."""


class WatchedDataset(h5py.Dataset):  # type: ignore[misc]
    """A dataset of which damage is told as such."""

    def __getitem__(self, args: Any, new_dtype: Any = None) -> Any:
        try:
            return super().__getitem__(args, new_dtype)
        except (OSError, RuntimeError) as error:
            raise _refused(self, f"its values cannot be read: {error}") from error


def _watched(found: Any) -> Any:
    if isinstance(found, h5py.Dataset):
        _check_dataset(found)
        return WatchedDataset(found.id)
    return WatchedGroup(found.id) if isinstance(found, h5py.Group) else found


def _check_links(group: h5py.Group, name: object) -> None:
    """Refuse a path of which any step leads to another place than the group it stands in."""
    if not isinstance(name, str):
        raise StoreError("Members of a file are asked for by name", found=repr(name))
    path = b""
    for part in name.encode("utf-8", "replace").split(b"/"):
        if not part:
            continue
        path = path + b"/" + part if path else part
        if not group.id.links.exists(path):
            raise KeyError(f"there is no {path.decode(errors='replace')}")
        if group.id.links.get_info(path).type != h5py.h5l.TYPE_HARD:
            raise _refused(group, f"{path.decode(errors='replace')} is a link to another place or file")


def _check_dataset(data: h5py.Dataset) -> None:
    plan = data.id.get_create_plist()
    if plan.get_external_count():
        raise _refused(data, "its values are kept in another file")
    if plan.get_layout() == h5py.h5d.VIRTUAL:
        raise _refused(data, "it is put together from other datasets")
    declared = math.prod(data.shape or ()) * data.dtype.itemsize
    # What the dataset itself holds would take a walk over all its chunks.
    held = h5py.h5i.get_file_id(data.id).get_filesize()
    filters = {plan.get_filter(place)[0] for place in range(plan.get_nfilters())}
    if declared > held * (_MOST_GAIN if filters - _SAME_SIZE else 1):
        raise _refused(data, f"it declares {declared:,} bytes, and the whole file has {held:,}")
    if h5py.check_string_dtype(data.dtype) is not None and data.id.get_offset() is not None:
        _check_texts(data, held)


def _check_texts(data: h5py.Dataset, held: int) -> None:
    """Refuse texts that say they are longer than the file, for which the library would ask for the memory first."""
    references = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
    if data.dtype.kind != "O" or data.size == 0:
        return
    promised = 0
    with Path(data.file.filename).open("rb") as stream:
        stream.seek(data.id.get_offset())
        for start in range(0, data.size, _AT_ONCE):
            block = stream.read(references.itemsize * min(_AT_ONCE, data.size - start))
            promised += int(np.frombuffer(block, references)["length"].sum(dtype=np.uint64))
    if promised > held:
        raise _refused(data, f"texts of {promised:,} bytes in a file of {held:,}")


def _refused(where: h5py.HLObject, found: str) -> StoreError:
    return StoreError(
        "The file does not hold what it names",
        where=f"{where.file.filename}, {where.name}",
        expected="datasets that lie in this file, whole",
        found=found,
        mend="make the file again; nothing that merprep writes is like that",
    )


class Whole(Protocol):
    """A reader that can say what its file should be."""

    def damaged(self, error: BaseException) -> StoreError:
        """Return what to raise about damage."""


S = TypeVar("S", bound=Whole)


def damage_is_told(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Wrap a method of a reader, so that whatever the library raises about a damaged file becomes one error."""

    @wraps(method)
    def told(self: S, *arguments: P.args, **options: P.kwargs) -> R:
        try:
            return method(self, *arguments, **options)
        except DAMAGED as error:
            raise self.damaged(error) from error

    return cast("Callable[Concatenate[S, P], R]", told)
