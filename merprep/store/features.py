"""The feature file: clips, features, regions and landmarks in one HDF5 file that explains itself.

Layout (also in docs/files.md)::

    /clips/<column>   one 1-D dataset a column; frame numbers are int64 with -1 where there is none
    /features         (N, C, H, W) float32, one chunk a clip; attrs: channels, units, size, normalisation
    /regions/<set>    (N, R, C, h, w) float32; attrs: names, geometry (JSON)
    /landmarks        (N, P, 2) float32, (x, y) in aligned pixels; attrs: scheme. Absent for imported maps
    root attributes   schema_version, config (JSON), config_id, inputs (JSON), created_with (JSON), device
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from merprep.config import canonical_json, short_hash
from merprep.errors import StoreError
from merprep.records import Clip
from merprep.store.clip_file import ClipFile, write_provenance
from merprep.store.clip_table import TableRows, column_of
from merprep.store.hdf5 import new_hdf5
from merprep.store.watched import damage_is_told
from merprep.store.workspace import written_whole


@dataclass(frozen=True)
class RegionSet:
    """The names of a set of regions, in order, and how they were cut (plain JSON values)."""

    names: tuple[str, ...]
    geometry: dict[str, Any]


@dataclass(frozen=True)
class FeatureHeader:
    """What a feature file says about all its clips.

    Parameters
    ----------
    channels, units : tuple of str
        Names in order (``u``, ``v``, ``strain``) and their units (``px``, ``px``, ``1/px``; ``level`` for 8-bit maps).
    normalisation : str
        ``none``, or how an imported map was stretched.
    config, inputs : dict
        The full configuration and the ids of the files that it was applied to (plain JSON values).
    """

    channels: tuple[str, ...]
    units: tuple[str, ...]
    normalisation: str
    config: dict[str, Any]
    inputs: dict[str, str] = field(default_factory=dict)
    region_sets: dict[str, RegionSet] = field(default_factory=dict)
    landmark_scheme: str | None = None
    device: str = "cpu"

    @property
    def config_id(self) -> str:
        """The short id of the configuration."""
        return short_hash(canonical_json(self.config))


@dataclass(frozen=True)
class ClipFeatures:
    """The arrays of one clip.

    Parameters
    ----------
    features : (C, H, W) float32
    regions : dict of (R, C, h, w) float32
        By region set.
    landmarks : (P, 2) float32, optional
        (x, y) in aligned pixels.
    digest : str
        A digest of what the clip was made from, so that changed input is noticed.
    head : (2, 3) float64, optional
        The motion of the head that was removed; see `FeatureFile.head`.
    """

    features: NDArray[np.float32]
    regions: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    landmarks: NDArray[np.float32] | None = None
    digest: str = ""
    head: NDArray[np.float64] | None = None

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays under flat names, as parts keep them."""
        flat: dict[str, NDArray[np.generic]] = {"features": self.features}
        flat.update({f"regions/{name}": array for name, array in self.regions.items()})
        if self.landmarks is not None:
            flat["landmarks"] = self.landmarks
        if self.head is not None:
            flat["head"] = self.head
        return flat

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], digest: str) -> ClipFeatures:
        """Rebuild what `arrays` flattened."""
        regions = {
            name.removeprefix("regions/"): array for name, array in arrays.items() if name.startswith("regions/")
        }
        return cls(
            cast("NDArray[np.float32]", arrays["features"]),
            cast("dict[str, NDArray[np.float32]]", regions),
            cast("NDArray[np.float32] | None", arrays.get("landmarks")),
            digest,
            cast("NDArray[np.float64] | None", arrays.get("head")),
        )


def write_features(path: Path, header: FeatureHeader, rows: Iterable[tuple[Clip, ClipFeatures]], count: int) -> None:
    """Write a feature file, whole or not at all; `rows` is read once and never held.

    Parameters
    ----------
    path : Path
        The final name.
    rows : iterable of (Clip, ClipFeatures)
        Exactly `count` of them, all of one shape.

    Raises
    ------
    StoreError
        Where there is nothing to write, or the clips differ in shape.
    """
    stream = iter(rows)
    first = next(stream, None)
    if first is None or count < 1:
        raise StoreError("There is no clip to write", where=str(path), mend="see the reasons in the stage's report")
    needed = count * sum(array.nbytes for array in first[1].arrays().values())
    with written_whole(path, needed=needed) as temporary, new_hdf5(temporary) as (file, check):
        write_provenance(file, header)
        datasets = _create_datasets(file, header, first[1], count)
        table = TableRows()
        for index, (clip, features) in enumerate(_chain(first, stream)):
            _write_row(datasets, index, clip, features)
            table.add(clip, features.digest)
            check()
        if len(table) != count:
            raise StoreError("The number of clips changed while writing", expected=str(count), found=str(len(table)))
        table.write(file)


def _chain(
    first: tuple[Clip, ClipFeatures], rest: Iterable[tuple[Clip, ClipFeatures]]
) -> Iterable[tuple[Clip, ClipFeatures]]:
    yield first
    yield from rest


def _create_datasets(
    file: h5py.File, header: FeatureHeader, example: ClipFeatures, count: int
) -> dict[str, h5py.Dataset]:
    """Make the datasets, and return them by the names that `ClipFeatures.arrays` gives (to look one up takes long)."""
    features = _create(file, "features", example.features, count)
    features.attrs["channels"] = list(header.channels)
    features.attrs["units"] = list(header.units)
    features.attrs["size"] = example.features.shape[-1]
    features.attrs["normalisation"] = header.normalisation
    for name, array in example.regions.items():
        regions = _create(file, f"regions/{name}", array, count)
        regions.attrs["names"] = list(header.region_sets[name].names)
        regions.attrs["geometry"] = canonical_json(header.region_sets[name].geometry)
    if example.landmarks is not None:
        _create(file, "landmarks", example.landmarks, count).attrs["scheme"] = header.landmark_scheme or "unknown"
    if example.head is not None:
        head = _create(file, "head", example.head, count, "f8")
        head.attrs["meaning"] = (
            "second = head[:, :2] @ first + head[:, 2], (x, y) in pixels of the flow; the frames of `pair` in config"
        )
    return {name: file[name] for name in example.arrays()}


def _create(file: h5py.File, name: str, example: NDArray[Any], count: int, dtype: str = "f4") -> h5py.Dataset:
    # track_times off: two runs on the same input then give the same bytes.
    return file.create_dataset(
        name,
        (count, *example.shape),
        dtype=dtype,
        chunks=(1, *example.shape),
        track_times=False,
        fillvalue=np.nan,
        fletcher32=True,
    )


def _write_row(datasets: Mapping[str, h5py.Dataset], index: int, clip: Clip, features: ClipFeatures) -> None:
    arrays = features.arrays()
    for name, array in arrays.items():
        if name not in datasets or datasets[name].shape[1:] != array.shape:
            raise StoreError(
                "The clips of one feature file must have one shape",
                where=f"{clip.id}, {name}",
                expected=str(datasets[name].shape[1:]) if name in datasets else "not present",
                found=str(array.shape),
            )
        datasets[name][index] = array


class FeatureFile(ClipFile):
    """A feature file, open for reading.

    Attributes
    ----------
    clips : pandas.DataFrame
        One row a clip, in the order of the arrays; absent frame numbers are ``<NA>``.
    channels, units : tuple of str
    features : h5py.Dataset, (N, C, H, W) float32
    regions : dict of h5py.Dataset, (N, R, C, h, w) float32
    landmarks : h5py.Dataset (N, P, 2) float32 or None
        (x, y) in aligned pixels; None for imported maps.
    head : h5py.Dataset (N, 2, 3) float64 or None
        The motion of the head that was removed, between the frames of `pair` in `config`; None where none was.
    config : dict
        The full configuration that made the file.

    Examples
    --------
    >>> with open_features("features/flow-3f9a12c4.h5") as file:  # doctest: +SKIP
    ...     strain = file.features[:, file.channels.index("strain")]
    """

    kind = "feature file"
    command = "`merprep flow` or `merprep import`"

    def _read(self) -> None:
        about = self._file["features"].attrs
        self.channels = tuple(str(name) for name in about["channels"])
        self.units = tuple(str(name) for name in about["units"])
        self.normalisation = str(about["normalisation"])

    @property
    def features(self) -> h5py.Dataset:
        """(N, C, H, W) float32."""
        return self._file["features"]

    @property
    def regions(self) -> dict[str, h5py.Dataset]:
        """By region set, (N, R, C, h, w) float32."""
        return {name: self._file["regions"][name] for name in self._file.get("regions", ())}

    @property
    def region_sets(self) -> dict[str, RegionSet]:
        """By region set, the names of its regions and their geometry."""
        return {
            name: RegionSet(tuple(str(n) for n in data.attrs["names"]), json.loads(data.attrs["geometry"]))
            for name, data in self.regions.items()
        }

    @property
    def landmarks(self) -> h5py.Dataset | None:
        """(N, P, 2) float32, or None."""
        return self._file.get("landmarks")

    @property
    def head(self) -> h5py.Dataset | None:
        """(N, 2, 3) float64, or None: where it took what the first frame shows at (x, y), in px of the flow."""
        return self._file.get("head")

    @damage_is_told
    def header(self) -> FeatureHeader:
        """Return what the file says about all its clips, as it was given when it was written."""
        scheme = None if self.landmarks is None else str(self.landmarks.attrs["scheme"])
        return FeatureHeader(
            self.channels,
            self.units,
            self.normalisation,
            self.config,
            self.inputs,
            self.region_sets,
            scheme,
            self.device,
        )

    @cached_property
    def _datasets(self) -> dict[str, h5py.Dataset]:
        """What a row has a part in, under the names of `ClipFeatures.arrays`; to look one up takes long."""
        named = {"features": self.features, "landmarks": self.landmarks, "head": self.head}
        named.update({f"regions/{name}": data for name, data in self.regions.items()})
        return {name: data for name, data in named.items() if data is not None}

    @cached_property
    def _digests(self) -> Any:
        return column_of(self._file, "digest")

    @damage_is_told
    def row(self, index: int) -> ClipFeatures:
        """Return the arrays of one clip."""
        arrays = {name: data[index] for name, data in self._datasets.items()}
        return ClipFeatures.from_arrays(arrays, str(self._digests[index]))


def open_features(path: str | Path) -> FeatureFile:
    """Open a feature file for reading.

    Parameters
    ----------
    path : path-like
        A file that `merprep flow` or `merprep import` wrote.

    Returns
    -------
    FeatureFile

    Raises
    ------
    StoreError
        Where it is missing, damaged or of a newer version.
    """
    file = FeatureFile(Path(path))
    file.load()
    return file
