"""A torch dataset over a feature file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from merprep.errors import TrainingError
from merprep.evaluation import Roster
from merprep.models.presets import InputSpec
from merprep.store.features import FeatureFile, open_features
from merprep.training.inputs import check_input, read_input

if TYPE_CHECKING:
    from merprep.records import Clip

Transform = Callable[[Tensor], Tensor]


class Labelling(Protocol):
    """What a label scheme offers: classes, and the class of a clip or the reason why it has none."""

    @property
    def name(self) -> str:
        """The scheme's name."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of their numbers."""

    def label(self, clip: Clip) -> int | None:
        """Return the clip's class number, or None."""

    def reason(self, clip: Clip) -> str:
        """Return why the clip has no label, or an empty text."""


class FeatureDataset(Dataset[tuple[Tensor, int]]):
    """The labelled clips of a feature file, as (input, label) pairs.

    Clips that the scheme gives no label are left out and counted in `skipped`. The file is opened when a clip is
    first read, once in every worker process, so the dataset can be pickled and given to any `DataLoader`.

    Parameters
    ----------
    path : path-like
        A feature file.
    scheme : str, int or label scheme
        A name, a number of classes, or an object with `classes`, `label` and `reason`.
    spec : InputSpec, optional
        Representation, channels and normalisation, as a network's preset states them; None is the whole map with all
        channels of the file, as stored.
    transform : callable, optional
        From tensor to tensor, applied to every input when it is read.

    Attributes
    ----------
    labels : (N,) int64
    clip_ids, persons, databases : list of str
        Of the labelled clips, in the order of the file.
    skipped : dict of str to int
        How many clips have no label, by reason.
    roster : Roster
        Who is in which labelled clip, and of what it is a copy, as protocols need to know.
    fitted_on : tuple of str
        Ids of the clips whose statistics the file's values were normalised with, where its configuration names any.

    Raises
    ------
    StoreError, ModelError, TrainingError
        Where the file is missing or lacks what `spec` asks for, or no clip has a label.

    Examples
    --------
    >>> dataset = FeatureDataset("features/flow-3f9a12c4.h5", scheme=3)  # doctest: +SKIP
    >>> image, label = dataset[0]  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        scheme: str | int | Labelling = 3,
        *,
        spec: InputSpec | None = None,
        transform: Transform | None = None,
    ) -> None:
        self.path = Path(path)
        self.transform = transform
        labelling = _labelling(scheme)
        self.scheme, self.classes = labelling.name, labelling.classes
        with open_features(self.path) as file:
            self.spec = spec or InputSpec(representation="map", channels=file.channels, normalisation="none")
            check_input(file, self.spec)
            self.fitted_on = tuple(str(name) for name in file.config.get("fitted_on", ()))
            self._select(file.records(), labelling)
        self._file: FeatureFile | None = None
        self._process = -1

    def _select(self, clips: list[Clip], labelling: Labelling) -> None:
        found = [(row, clip, labelling.label(clip)) for row, clip in enumerate(clips)]
        kept = [(row, clip, label) for row, clip, label in found if label is not None]
        self.skipped = dict(Counter(labelling.reason(clip) for _, clip, label in found if label is None))
        if not kept:
            raise TrainingError(
                f"No clip has a label in the scheme {labelling.name}",
                where=str(self.path),
                found="; ".join(f"{n} clips: {reason}" for reason, n in self.skipped.items()),
                mend="choose another scheme (`merprep labels` shows the counts)",
            )
        self.rows = np.array([row for row, _, _ in kept], np.int64)
        self.labels: NDArray[np.int64] = np.array([label for _, _, label in kept], np.int64)
        self.clip_ids = [clip.id for _, clip, _ in kept]
        self.persons = [clip.person for _, clip, _ in kept]
        self.databases = [clip.database for _, clip, _ in kept]
        self.roster = Roster.of(clip for _, clip, _ in kept)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(np.ascontiguousarray(read_input(self._opened(), int(self.rows[index]), self.spec)))
        return (self.transform(image) if self.transform else image), int(self.labels[index])

    def images(self) -> NDArray[np.float32]:
        """Read the inputs of all labelled clips, (N, C, H, W) float32, without `transform`."""
        whole = read_input(self._opened(), slice(None), self.spec)
        return cast("NDArray[np.float32]", np.ascontiguousarray(whole[self.rows]))

    def close(self) -> None:
        """Close the file; it is opened again when a clip is read."""
        # A handle that a fork inherited belongs to the parent.
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def _opened(self) -> FeatureFile:
        if self._file is None or self._process != os.getpid():
            self._file, self._process = open_features(self.path), os.getpid()
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_process": -1}


def _labelling(scheme: str | int | Labelling) -> Labelling:
    if isinstance(scheme, (str, int)):
        from merprep.labels import scheme as find

        return cast("Labelling", find(scheme))
    return scheme
