"""A torch dataset over a feature file, or over a file of aligned faces."""

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
from merprep.training.sources import Source, open_source, prepared
from merprep.training.unit_labels import UnitLabelling

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
    """The labelled clips of a feature file, or of a file of aligned faces, as (input, label) pairs.

    Clips that the scheme gives no label, or that lack what `spec` needs, are left out and counted in `skipped`. The
    file is opened when a clip is first read, once in every worker process, so the dataset can be pickled and given to
    any `DataLoader`.

    Parameters
    ----------
    path : path-like
        A feature file; a file of aligned faces where `spec` asks for pictures.
    scheme : str, int or label scheme
        A name, a number of classes, or an object with `classes`, `label` and `reason`.
    spec : InputSpec, optional
        Representation, channels and normalisation, as a network's preset states them; None is the whole map with all
        channels of a feature file, as stored.
    transform : callable, optional
        From tensor to tensor, applied to every input when it is read.

    Attributes
    ----------
    labels : (N,) int64
    clip_ids, persons, databases : list of str
        Of the labelled clips, in the order of the file.
    skipped : dict of str to int
        How many clips have no label or cannot be read, by reason.
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
        labelling = labelling_of(scheme)
        self.scheme, self.classes = labelling.name, labelling.classes
        self._source: Source | None = None
        self._process = -1
        source = open_source(self.path, spec)
        try:
            self.spec, self.fitted_on = source.spec, source.fitted_on
            self._select(source, labelling)
        finally:
            source.close()

    def _select(self, source: Source, labelling: Labelling) -> None:
        kept, reasons = [], Counter[str]()
        for row, clip in enumerate(source.clips):
            label = labelling.label(clip)
            reason = labelling.reason(clip) if label is None else source.lack(clip)
            if label is None or reason:
                reasons[reason] += 1
            else:
                kept.append((row, clip, label))
        self.skipped = dict(reasons)
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
        image = torch.from_numpy(np.ascontiguousarray(prepared(self._opened(), [int(self.rows[index])])[0]))
        return (self.transform(image) if self.transform else image), int(self.labels[index])

    def images(self) -> NDArray[Any]:
        """Read the inputs of all labelled clips without `transform`.

        Returns
        -------
        (N, C, H, W) float32, or uint8
            Pictures are uint8 as stored, (N, C, S, S) or (N, C, T, S, S): they are cropped and normalised when a
            network sees them (`merprep.training.preparing`).
        """
        return self._opened().read(self.rows)

    def close(self) -> None:
        """Close the file; it is opened again when a clip is read."""
        # A handle that a fork inherited belongs to the parent.
        if self._source is not None and self._process == os.getpid():
            self._source.close()
        self._source = None

    def _opened(self) -> Source:
        if self._source is None or self._process != os.getpid():
            self._source, self._process = open_source(self.path, self.spec), os.getpid()
        return self._source

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": None, "_process": -1}


def labelling_of(scheme: str | int | Labelling) -> Labelling:
    """Return a label scheme by name, by its number of classes, or of one action unit (``au-12``).

    Raises
    ------
    UnknownNameError
        Where there is none.

    Examples
    --------
    >>> labelling_of("au-12").classes
    ('absent', 'present')
    """
    if isinstance(scheme, (str, int)):
        from merprep.labels import scheme as find

        return UnitLabelling.of(str(scheme)) or cast("Labelling", find(scheme))
    return scheme
