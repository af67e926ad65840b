"""Clips are worked on one by one, a GPU on whole batches: this computes the flow of clips before their turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from merprep.records import Clip

Frames = NDArray[np.float32]
Field = TypeVar("Field")

# 512 faces of 224 px and their flow take 400 MB here and 2.5 GB on a GPU; larger batches gain nothing.
AT_ONCE = 512


class FieldsAhead(Generic[Field]):
    """The field of a clip, computed together with those of the clips that come after it.

    A clip whose frames cannot be read, or whose field cannot be computed, is left out of a batch; its error is raised
    when its turn comes, so that it alone fails.

    Parameters
    ----------
    clips : iterable of Clip
        All that will be asked for, in that order; walked along once.
    read : callable
        From a clip to its planes, (K, H, W) float32: onset and apex, and what else is needed.
    compute : callable
        From the planes, (N, H, W) each, to N fields.
    at_once : int
        The largest number of clips in a batch.

    Examples
    --------
    >>> clips = [Clip("samm", "006", name, person="samm:6") for name in ("a", "b", "c")]
    >>> batches = []
    >>> def compute(onset, apex):
    ...     batches.append(len(onset))
    ...     return np.zeros((len(onset), 2, 16, 16), np.float32)
    >>> ahead = FieldsAhead(clips, lambda clip: np.zeros((2, 16, 16), np.float32), compute, at_once=2)
    >>> [ahead(clip).shape for clip in clips], batches
    ([(2, 16, 16), (2, 16, 16), (2, 16, 16)], [2, 1])
    """

    def __init__(
        self,
        clips: Iterable[Clip],
        read: Callable[[Clip], Frames],
        compute: Callable[..., Sequence[Field]],
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        self._clips = iter(clips)
        self._coming: deque[Clip] = deque()  # those whose turn has not come, as far as they were looked at
        self._read = read
        self._compute = compute
        self._at_once = at_once
        self._ready: dict[str, Field] = {}
        self._errors: dict[str, Exception] = {}

    def __call__(self, clip: Clip) -> Field:
        """Return the field of a clip; it is forgotten here afterwards."""
        self._turn_of(clip)
        if clip.id not in self._ready and clip.id not in self._errors:
            self._compute_from(clip)
        if clip.id in self._errors:
            raise self._errors.pop(clip.id)
        return self._ready.pop(clip.id)

    def _turn_of(self, clip: Clip) -> None:
        """Leave behind the clips up to this one."""
        while (head := self._coming.popleft() if self._coming else next(self._clips, None)) is not None:
            if head.id == clip.id:
                return

    def _compute_from(self, clip: Clip) -> None:
        pairs = {clip.id: self._read(clip)}
        self._coming.extend(islice(self._clips, self._at_once - 1 - len(self._coming)))
        for following in self._coming:
            if following.id in self._ready or following.id in self._errors:
                continue
            try:
                frames = self._read(following)
            except Exception:  # noqa: S112 - read again, and raised, when its own turn comes
                continue
            if frames.shape == pairs[clip.id].shape:
                pairs[following.id] = frames
        try:
            self._ready |= self._computed(pairs)
        except Exception:
            if len(pairs) == 1:
                raise
            self._one_by_one(pairs)

    def _one_by_one(self, pairs: Mapping[str, Frames]) -> None:
        for name, frames in pairs.items():
            try:
                self._ready |= self._computed({name: frames})
            except Exception as error:
                self._errors[name] = error.with_traceback(None)  # which would hold the frames

    def _computed(self, pairs: Mapping[str, Frames]) -> dict[str, Field]:
        stacked = np.stack(list(pairs.values()))
        return dict(zip(pairs, self._compute(*np.moveaxis(stacked, 1, 0)), strict=True))
