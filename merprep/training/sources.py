"""Where a network's inputs come from: a feature file, or a file of aligned faces. One way to read either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ModelError, StoreError
from merprep.models.presets import InputSpec
from merprep.models.presets import preset as read_preset
from merprep.records import Clip
from merprep.store.aligned import open_aligned
from merprep.store.features import FeatureFile, open_features
from merprep.store.workspace import Workspace
from merprep.training.inputs import check_input, read_input
from merprep.training.pictures import lack_of, read_pictures, stored_shape


class Source(Protocol):
    """Clips and what a network sees of them."""

    spec: InputSpec
    clips: list[Clip]

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """Ids of the clips whose statistics the values were normalised with."""

    def lack(self, clip: Clip) -> str:
        """Return why a clip cannot be given to the network, or an empty text."""

    def read(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return the inputs of the clips at these places, (N, C, H, W) float32, or pictures as stored, uint8."""

    def close(self) -> None:
        """Close the file."""


class FeatureSource:
    """Maps from a feature file."""

    def __init__(self, path: Path, spec: InputSpec | None) -> None:
        self._file = _features(path)
        self.spec = spec or InputSpec(representation="map", channels=self._file.channels, normalisation="none")
        try:
            check_input(self._file, self.spec)
        except ModelError:
            self._file.close()
            raise
        self.clips = self._file.records()

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """Ids of the clips whose statistics the file's values were normalised with, where it names any."""
        names = self._file.config.get("fitted_on", ())
        return (names,) if isinstance(names, str) else tuple(str(name) for name in names)

    def lack(self, clip: Clip) -> str:
        """Return nothing: what stands in a feature file is complete."""
        del clip
        return ""

    def read(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return (N, C, H, W) float32."""
        if len(rows) == 1:
            return read_input(self._file, int(rows[0]), self.spec)[np.newaxis]
        whole = read_input(self._file, slice(None), self.spec)
        return np.ascontiguousarray(whole[np.asarray(rows)])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class AlignedSource:
    """Pictures from a file of aligned faces, read clip by clip."""

    def __init__(self, path: Path, spec: InputSpec) -> None:
        self._file = open_aligned(path)
        self.spec = spec
        self.clips = self._file.records()
        self._shape: tuple[int, ...] | None = None

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """Nothing: pictures are stored as they are."""
        return ()

    def lack(self, clip: Clip) -> str:
        """Return which key frame a clip lacks, or an empty text."""
        return lack_of(self._file, clip, self.spec)

    def read(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return (N, C, S, S) or (N, C, T, S, S) uint8, see `merprep.training.pictures`."""
        shape = self._stored()
        pictures = np.empty((len(rows), *shape), np.uint8)
        for place, row in enumerate(rows):
            pictures[place] = read_pictures(self._file, self.clips[int(row)], self.spec, shape)
        return pictures

    def _stored(self) -> tuple[int, ...]:
        if self._shape is None:
            whole = [clip for clip in self.clips if not self.lack(clip)]
            self._shape = stored_shape(self._file, whole, self.spec)
        return self._shape

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_source(path: str | Path, spec: InputSpec | None = None) -> Source:
    """Open the file that a network's inputs come from.

    Parameters
    ----------
    path : path-like
        A feature file, or a file of aligned faces where the network sees pictures.
    spec : InputSpec, optional
        None is the whole map with all channels of a feature file, as stored.

    Raises
    ------
    StoreError, ModelError
        Where it is missing, of the other kind, or lacks what `spec` asks for; the command that makes it is named.
    """
    if spec is None or not spec.is_picture:
        return FeatureSource(Path(path), spec)
    try:
        return AlignedSource(Path(path), spec)
    except StoreError as error:
        command = _command(spec)
        what = "this is a feature file" if _is_feature_file(Path(path)) else error.what
        raise StoreError(
            f"This network sees pictures of aligned faces: {what}",
            where=str(path),
            expected=f"the file of aligned faces that `{command}` writes",
            mend=f"run `{command}` and name its file, or leave --features out",
        ) from error


def newest_input(workspace: Workspace, model: str, preset: str = "published") -> Path:
    """Return the workspace's newest file of the kind that a network sees: features, or aligned faces.

    Raises
    ------
    UnknownNameError
        Where there is no such model or preset.
    StoreError
        Where there is no file, naming the command that makes it.
    """
    return newest_source(workspace, read_preset(model, preset).input)


def newest_source(workspace: Workspace, spec: InputSpec) -> Path:
    """Return the workspace's newest file of the kind that an input is read from.

    Raises
    ------
    StoreError
        Where there is none, naming the command that makes it.
    """
    if not spec.is_picture:
        return workspace.latest_features()
    try:
        return workspace.latest_aligned()
    except StoreError as error:
        raise StoreError(
            f"{error.what}, and this network sees pictures",
            where=error.where,
            mend=f"run `{_command(spec)}`, or name a file with --features",
        ) from error


def _features(path: Path) -> FeatureFile:
    try:
        return open_features(path)
    except StoreError as error:
        try:
            open_aligned(path).close()
        except StoreError:
            raise error from None
        raise StoreError(
            "This is a file of aligned faces, and flow is asked for",
            where=str(path),
            expected="a feature file, as `merprep flow` writes it",
            mend="name a feature file, or train a network that sees pictures (hsta, micro-attention)",
        ) from error


def _is_feature_file(path: Path) -> bool:
    try:
        open_features(path).close()
    except StoreError:
        return False
    return True


def _command(spec: InputSpec) -> str:
    return "merprep align --frames all" if spec.frames else "merprep align"


def readable(source: Source) -> tuple[list[int], dict[int, str]]:
    """Return the places of the clips that can be read, and why the others cannot."""
    lacks = {row: source.lack(clip) for row, clip in enumerate(source.clips)}
    return [row for row, lack in lacks.items() if not lack], {row: lack for row, lack in lacks.items() if lack}


def prepared(source: Source, rows: Sequence[int]) -> NDArray[np.float32]:
    """Return inputs as a network sees them, pictures normalised too, float32."""
    stored = source.read(rows)
    if not source.spec.is_picture:
        return cast("NDArray[np.float32]", stored)
    import torch

    from merprep.training.preparing import Preparation

    return cast("NDArray[np.float32]", Preparation(source.spec)(torch.from_numpy(stored)).numpy())
