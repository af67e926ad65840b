"""Spoilt files of every kind end in a refusal or are read: no other exception, no hang, nothing touched elsewhere."""

from __future__ import annotations

import random
import sys

import pytest

from merprep.bench.fuzz import MOST_MEGABYTES, MOST_SECONDS, fuzz
from merprep.bench.fuzz_inputs import kinds
from merprep.bench.mutations import mutated
from merprep.errors import UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process's memory and time are measured as on Unix")


@pytest.mark.slow
def test_150_mutated_inputs_end_as_they_should() -> None:
    result = fuzz(150, seed=20_000)
    assert not result.failures, "\n".join(result.failures)
    assert sum(count.inputs for count in result.counts) >= 150
    assert sum(count.refused for count in result.counts) > 50
    assert sum(count.read for count in result.counts) > 10
    assert all(count.largest < MOST_MEGABYTES and count.slowest < MOST_SECONDS for count in result.counts)


def test_mutations_are_repeated_by_their_seed_and_change_something() -> None:
    data = bytes(range(256)) * 8
    spoilt = [mutated(data, random.Random(seed)) for seed in range(50)]
    assert spoilt == [mutated(data, random.Random(seed)) for seed in range(50)]
    assert sum(one != data for one in spoilt) > 45


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="no such kind"):
        fuzz(1, only=["novels"])
    assert "novels" not in kinds()
