"""Whether two workspaces hold the same: every file, dataset and attribute, whenever and wherever they were made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

# What differs from run to run by its nature.
_TIMES = ("seconds", "ended")
_JOURNALS = ("journal.jsonl",)
_MADE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")


def differences(one: Path, other: Path) -> list[str]:
    """Return what differs between two folders, a line each; hidden files count.

    HDF5 files are compared dataset by dataset, JSON and pages without their times, all other files byte by byte. A
    journal has a line for each run that ended, so only its being there counts.

    Examples
    --------
    >>> differences(Path("tests"), Path("tests"))
    []
    """
    names = [{path.relative_to(root).as_posix() for path in root.rglob("*")} for root in (one, other)]
    found = [f"only in {one}: {name}" for name in sorted(names[0] - names[1])]
    found += [f"only in {other}: {name}" for name in sorted(names[1] - names[0])]
    for name in sorted(names[0] & names[1]):
        found += [f"{name}: {line}" for line in _of_file(name, one, other)]
    return found


def _of_file(name: str, *roots: Path) -> list[str]:
    one, other = (root / name for root in roots)
    if one.is_dir() or other.is_dir():
        return [] if one.is_dir() and other.is_dir() else ["a folder in one, a file in the other"]
    if one.name in _JOURNALS:
        return []
    if one.suffix == ".h5":
        return _of_hdf5(one, other)
    if one.suffix == ".html":
        pages = [_MADE.sub("", (root / name).read_text(encoding="utf-8")) for root in roots]
        return [] if pages[0] == pages[1] else ["another page"]
    if one.suffix == ".json":
        values = [_json(root / name, root) for root in roots]
        return [] if values[0] == values[1] else ["other JSON values"]
    return [] if one.read_bytes() == other.read_bytes() else ["other bytes"]


def _json(path: Path, root: Path) -> Any:
    """Return the values of a JSON file, without times and without the name of the folder compared."""
    return _without_times(json.loads(path.read_text(encoding="utf-8").replace(root.as_posix(), "")))


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if name not in _TIMES}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def _of_hdf5(one: Path, other: Path) -> list[str]:
    import h5py

    with h5py.File(one, "r") as first, h5py.File(other, "r") as second:
        contents = [_contents(file) for file in (first, second)]
    found = [f"only in one of both: {name}" for name in sorted(set(contents[0]) ^ set(contents[1]))]
    shared = sorted(set(contents[0]) & set(contents[1]))
    return found + [f"{name} differs" for name in shared if contents[0][name] != contents[1][name]]


def _contents(file: Any) -> dict[str, Any]:
    """Return, by name, the bytes of every dataset with its shape and type, and every attribute."""
    import h5py
    import numpy as np

    found: dict[str, Any] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            values = item[()]
            texts = values.dtype == object
            found[name] = (item.shape, str(item.dtype), item.chunks, values.tolist() if texts else values.tobytes())
        for key, value in item.attrs.items():
            found[f"{name} @{key}"] = np.asarray(value).tolist()

    take("/", file)
    file.visititems(take)
    return found
