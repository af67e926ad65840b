"""Fields computed ahead by batches are those that each clip would get alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from merprep.bench.known_motion import motion_pair
from merprep.errors import FlowError, ImageError
from merprep.flow import estimate
from merprep.records import Clip
from merprep.stages.ahead import FieldsAhead

_CLIPS = [Clip("samm", "006", f"006_{number}", person="samm:6") for number in range(5)]
_SIZES = dict(zip((clip.id for clip in _CLIPS), (32, 32, 40, 32, 32), strict=True))


def _read(clip: Clip) -> NDArray[np.float32]:
    pair = motion_pair(_SIZES[clip.id], 1.0, seed=_CLIPS.index(clip))
    return np.stack([pair.onset, pair.apex]).astype(np.float32)


@pytest.mark.parametrize("at_once", [1, 2, 10])
def test_every_clip_gets_the_field_that_it_would_get_alone(at_once: int) -> None:
    ahead = FieldsAhead(_CLIPS, _read, estimate, at_once=at_once)
    for clip in _CLIPS:
        np.testing.assert_array_equal(ahead(clip), estimate(*_read(clip)))


def test_clips_are_looked_at_a_batch_ahead_and_no_further() -> None:
    looked: list[str] = []

    def coming() -> Iterator[Clip]:
        for clip in _CLIPS:
            looked.append(clip.id)
            yield clip

    def compute(onset: NDArray[np.float32], apex: NDArray[np.float32]) -> Sequence[float]:
        return [float(image.sum()) for image in onset]

    ahead = FieldsAhead(coming(), lambda clip: np.full((2, 16, 16), _CLIPS.index(clip), np.float32), compute, at_once=2)
    for place, clip in enumerate(_CLIPS):
        assert ahead(clip) == 256 * place
        assert len(looked) == min(2 * (place // 2) + 2, 5)


def test_a_clip_that_cannot_be_read_fails_when_its_turn_comes_and_no_other_does() -> None:
    batches: list[int] = []

    def read(clip: Clip) -> NDArray[np.float32]:
        if clip == _CLIPS[1]:
            raise ImageError("No such frame")
        return _read(clip)

    def compute(onset: NDArray[np.float32], apex: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        batches.append(len(onset))
        return list(estimate(onset, apex))

    ahead = FieldsAhead(_CLIPS, read, compute)
    assert ahead(_CLIPS[0]).shape == (2, 32, 32)
    with pytest.raises(ImageError, match="No such frame"):
        ahead(_CLIPS[1])
    assert [ahead(clip).shape[1] for clip in _CLIPS[2:]] == [40, 32, 32]
    assert batches[0] == 3


def test_a_clip_whose_field_cannot_be_computed_does_not_take_its_batch_with_it() -> None:
    dark = _CLIPS[1]

    def read(clip: Clip) -> NDArray[np.float32]:
        return _read(clip) * (clip != dark)

    computed: list[int] = []

    def compute(onset: NDArray[np.float32], apex: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        computed.append(len(onset))
        if any(not image.any() for image in onset):
            raise FlowError("Too dark")
        return list(estimate(onset, apex))

    ahead = FieldsAhead(_CLIPS, read, compute)
    for clip in _CLIPS:
        if clip == dark:
            with pytest.raises(FlowError, match="Too dark"):
                ahead(clip)
        else:
            np.testing.assert_array_equal(ahead(clip), estimate(*_read(clip)))
    assert computed == [4, 1, 1, 1, 1, 1]  # the batch, each of it alone, and the one of another size
