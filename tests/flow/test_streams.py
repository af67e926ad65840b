"""Whole clips stream without being held; both directions agree where the motion is seen."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from merprep.bench.known_motion import motion_pair
from merprep.errors import FlowError, UsageError
from merprep.flow import estimate, estimate_each
from merprep.flow.streams import both_ways, stream

_CLIP = [motion_pair(48, 0.3 * k, seed=5, noise=0.5).onset for k in range(5)]


def test_onset_to_every_frame_and_frame_to_frame_are_the_flow_of_those_pairs() -> None:
    for k, field in enumerate(stream(_CLIP), start=1):
        np.testing.assert_array_equal(field, estimate(_CLIP[0], _CLIP[k]))
    for k, field in enumerate(stream(_CLIP, "frame-frame")):
        np.testing.assert_array_equal(field, estimate(_CLIP[k], _CLIP[k + 1]))


@pytest.mark.parametrize("pairs", ["onset-every", "frame-frame"])
def test_no_more_than_two_frames_are_alive(pairs: str) -> None:
    alive: list[weakref.ref[np.ndarray]] = []

    def frames() -> Iterator[np.ndarray]:
        for frame in _CLIP:
            assert sum(ref() is not None for ref in alive) <= 2
            fresh = frame.copy()
            alive.append(weakref.ref(fresh))
            yield fresh
            del fresh

    assert len(list(stream(frames(), pairs))) == 4  # type: ignore[arg-type]


@pytest.mark.parametrize("at_once", [1, 2, None])
def test_each_pair_of_a_long_list_has_its_own_flow_and_few_are_held(at_once: int | None) -> None:
    held: list[weakref.ref[np.ndarray]] = []
    sizes = (32, 32, 40, 32, 24)

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for seed, size in enumerate(sizes):
            made = motion_pair(size, 0.5, seed=seed)
            held.append(weakref.ref(made.onset))
            yield made.onset, made.apex
            del made

    for seed, (size, field) in enumerate(zip(sizes, estimate_each(pairs(), at_once=at_once), strict=True)):
        alone = motion_pair(size, 0.5, seed=seed)
        np.testing.assert_array_equal(field, estimate(alone.onset, alone.apex))
        if at_once == 1:
            assert sum(reference() is not None for reference in held) <= 2


def test_a_pair_that_cannot_be_used_is_named_by_its_number_in_the_whole_list() -> None:
    good = (np.zeros((16, 16), np.uint8),) * 2
    fields = estimate_each([good, good, (good[0], good[0][:, :8])], at_once=1)
    assert len([next(fields), next(fields)]) == 2
    with pytest.raises(FlowError, match="differ in size") as caught:
        next(fields)
    assert "pair 2" in str(caught.value)
    with pytest.raises(UsageError, match="one at a time"):
        next(estimate_each([good], at_once=0))


def test_a_clip_of_one_frame_has_no_flow_and_wrong_pairs_are_refused() -> None:
    assert list(stream(_CLIP[:1])) == []
    with pytest.raises(UsageError, match="no such pairs"):
        next(stream(_CLIP, "every-every"))  # type: ignore[arg-type]
    with pytest.raises(FlowError, match="differ in size"):
        list(stream([_CLIP[0], _CLIP[1][:40]]))


def test_both_ways_agree_on_a_clean_pair_and_disagree_where_something_appears() -> None:
    pair = motion_pair(64, 1.0, seed=3, noise=0.0)
    clean = both_ways(pair.onset, pair.apex)
    np.testing.assert_array_equal(clean.backward, estimate(pair.apex, pair.onset))
    assert np.median(clean.inconsistency) < 0.05
    changed = pair.apex.copy()
    changed[20:40, 20:40] = np.random.default_rng(0).integers(0, 255, (20, 20))
    spoilt = both_ways(pair.onset, changed)
    assert spoilt.inconsistency[22:38, 22:38].mean() > 3 * clean.inconsistency[22:38, 22:38].mean()
    assert both_ways(np.stack([pair.onset] * 2), np.stack([pair.apex] * 2)).inconsistency.shape == (2, 64, 64)
