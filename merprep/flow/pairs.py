"""Flow of pairs whose sizes differ: each size is one batch."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from merprep.errors import FlowError, UsageError
from merprep.flow.base import Estimator
from merprep.flow.checks import checked_pair, naming, resolved_device
from merprep.flow.registry import estimator

_ON_GPU = 64


def estimate_pairs(
    pairs: Sequence[tuple[ArrayLike, ArrayLike]],
    method: str = "tvl1",
    device: str = "cpu",
    *,
    threads: int | None = None,
    **parameters: Any,
) -> list[NDArray[np.float32]]:
    """Compute the flow of many pairs; pairs of one size go through the engine together.

    Parameters
    ----------
    pairs : sequence of (onset, apex)
        Each (H, W), uint8 or float32, grey, 0 to 255; sizes may differ from pair to pair.
    method, device, threads, **parameters
        See `merprep.flow.estimate`.

    Returns
    -------
    list of (2, H, W) float32
        In the order of `pairs`.

    Raises
    ------
    FlowError
        Where a pair cannot be used; the message says which, and why.

    Examples
    --------
    >>> images = [np.zeros((16, 20), np.uint8), np.zeros((24, 16), np.uint8)]
    >>> [flow.shape for flow in estimate_pairs([(image, image) for image in images])]
    [(2, 16, 20), (2, 24, 16)]
    """
    return _fields(_engine(method, device, parameters), pairs, 0, threads)


def estimate_each(
    pairs: Iterable[tuple[ArrayLike, ArrayLike]],
    method: str = "tvl1",
    device: str = "cpu",
    *,
    at_once: int | None = None,
    threads: int | None = None,
    **parameters: Any,
) -> Iterator[NDArray[np.float32]]:
    """Yield the flow of one pair after the other; memory does not grow with their number.

    Parameters
    ----------
    pairs : iterable of (onset, apex)
        See `estimate_pairs`; read as fields are asked for.
    method, device, threads, **parameters
        See `merprep.flow.estimate`.
    at_once : int, optional
        How many pairs are held and worked on together; None takes one a core, or 64 on a GPU.

    Yields
    ------
    (2, H, W) float32
        In the order of `pairs`.

    Raises
    ------
    FlowError
        Where a pair cannot be used; the message says which, and why.
    UsageError
        Where no pair could be held.

    Examples
    --------
    >>> pairs = ((np.zeros((16, 16), np.uint8),) * 2 for _ in range(3))
    >>> [flow.shape for flow in estimate_each(pairs)]
    [(2, 16, 16), (2, 16, 16), (2, 16, 16)]
    """
    if at_once is not None and at_once < 1:
        raise UsageError("Pairs are worked on one at a time or more", found=f"at_once={at_once}")
    engine = _engine(method, device, parameters)
    held = at_once or (os.cpu_count() or 1 if "cpu" in engine.devices else _ON_GPU)
    following, number = iter(pairs), 0
    while batch := list(islice(following, held)):
        yield from _fields(engine, batch, number, threads)
        number += len(batch)


def _engine(method: str, device: str, parameters: dict[str, Any]) -> Estimator[Any]:
    chosen = estimator(method, **parameters)
    return chosen.on(resolved_device(device, method, chosen.devices))


def _fields(
    engine: Estimator[Any], pairs: Sequence[tuple[ArrayLike, ArrayLike]], first: int, threads: int | None
) -> list[NDArray[np.float32]]:
    """Compute the flow of pairs, the first of which has the number `first`."""
    checked = [_checked(number, pair, engine.takes_bytes) for number, pair in enumerate(pairs, first)]
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, (onset, apex) in enumerate(checked):
        alike[onset.shape, onset.dtype, apex.dtype].append(number)
    flows: dict[int, NDArray[np.float32]] = {}
    for numbers in alike.values():
        onset, apex = (np.concatenate([checked[number][k] for number in numbers]) for k in range(2))
        flows.update(zip(numbers, engine.fields(onset, apex, threads=threads), strict=True))
    return [flows[number] for number in range(len(checked))]


def _checked(number: int, pair: tuple[ArrayLike, ArrayLike], keep_bytes: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    with naming(f"pair {number}"):
        onset, apex = checked_pair(*pair, keep_bytes=keep_bytes)
    if len(onset) != 1:
        raise FlowError("A pair of a list is two single images", where=f"pair {number}", expected="(H, W)",
                        found=f"{len(onset)} images each", mend="estimate() takes stacks of one size")  # fmt: skip
    return onset, apex
