"""Which inputs are one and the same: to the bit, to scale and rounding, or to the mirror.

A copy under another name need not be equal byte by byte: it may have been stretched, stored in eight bits and read
again, or mirrored before it was entered as a clip of its own.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Maps = NDArray[np.float32]

# Of a channel's span: what is lost where a map is stored in eight bits.
_TOLERANCE = np.float32(1 / 255)
# Smaller maps have too few values for their likeness to say anything.
_FEWEST_VALUES = 64
# Into how many pieces each channel is cut, whose means are compared before all values are.
_PIECES = 8
_AT_ONCE = 1024


def input_digests(inputs: ArrayLike) -> list[str]:
    """Digest each clip's input, so that the same input under two names is noticed.

    Parameters
    ----------
    inputs : (N, ...) array

    Returns
    -------
    list of str
        Empty for an input that is the same number everywhere: the map of a clip without motion tells nothing apart.

    Examples
    --------
    >>> first, second, flat = input_digests([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]])
    >>> first == second, flat
    (True, '')
    """
    values = np.asarray(inputs)
    return [
        "" if not row.size or (row == row.flat[0]).all() else hashlib.sha256(_bytes(row)).hexdigest()[:32]
        for row in values
    ]


def copy_digests(inputs: ArrayLike) -> list[str]:
    """Digest each clip's input so that copies have one digest: also maps that differ by scale, rounding or a mirror.

    Two maps are copies of each other where every channel of one, stretched from its smallest to its largest value, is
    the other's to 1/255, as it is or mirrored, with its sign or the other (a mirror turns that of horizontal flow).
    Unlike `input_digests`, a digest may depend on the other clips: compare those of one call only.

    Parameters
    ----------
    inputs : (N, C, H, W) float
        Of other shapes or types, such as pictures, only equal inputs are copies.

    Examples
    --------
    >>> map = np.random.default_rng(0).normal(size=(2, 8, 8))
    >>> mirrored = map[:, :, ::-1] * [[[-1]], [[1]]]
    >>> first, *others = copy_digests(np.stack([map, 3 * map + 1, mirrored, map.transpose(0, 2, 1)]))
    >>> [other == first for other in others]
    [True, True, False]
    """
    values = np.asarray(inputs)
    found = input_digests(values)
    if values.ndim != 4 or values.dtype.kind != "f" or values[0, 0].size < _FEWEST_VALUES:
        return found
    # Of equal inputs one is enough; flat ones are nobody's copies.
    first = {digest: row for row, digest in reversed(list(enumerate(found))) if digest}
    owner = {digest: digest for digest in first}
    for one, other in _alike(values, np.array(sorted(first.values()), np.int64)):
        names = sorted((_root(owner, found[one]), _root(owner, found[other])), key=first.__getitem__)
        owner[names[1]] = names[0]
    return [_root(owner, digest) if digest else "" for digest in found]


def _root(owner: dict[str, str], digest: str) -> str:
    while owner[digest] != digest:
        digest = owner[digest]
    return digest


def _alike(values: NDArray[np.floating], rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the pairs of rows that are copies of each other."""
    from scipy.spatial import cKDTree

    if len(rows) < 2:
        return []
    parts = [_outlines(_stretched(values[rows[n : n + _AT_ONCE]])) for n in range(0, len(rows), _AT_ONCE)]
    straight, mirrored = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    tree = cKDTree(straight)
    reach = {"r": float(_TOLERANCE) * 1.01, "p": np.inf}
    pairs = {(int(a), int(b)) for a, b in tree.query_pairs(**reach)}
    for place, near in enumerate(tree.query_ball_point(mirrored, **reach)):
        pairs |= {(min(place, other), max(place, other)) for other in near if other != place}
    return [(int(rows[a]), int(rows[b])) for a, b in sorted(pairs) if _is_copy(*_stretched(values[[rows[a], rows[b]]]))]


def _stretched(maps: NDArray[np.floating]) -> Maps:
    """Stretch each channel of (N, C, H, W) from 0 to 1; one without a span is 0."""
    low, high = maps.min(axis=(-2, -1), keepdims=True), maps.max(axis=(-2, -1), keepdims=True)
    span = np.where(high > low, high - low, 1)
    return np.asarray((maps - low) / span, np.float32)


def _outlines(maps: Maps) -> tuple[Maps, Maps]:
    """Return a few numbers a map, (N, C * pieces), and those of its mirror, that change no more than the map does.

    Each is the mean of a piece, without the sign that it has around the middle of the scale.
    """
    found = []
    for side in (maps, maps[..., ::-1]):
        flat = side.reshape(*side.shape[:2], -1)
        ends = np.linspace(0, flat.shape[2], _PIECES + 1).astype(np.int64)
        means = np.stack([flat[..., a:b].mean(axis=-1) for a, b in pairwise(ends)], axis=-1)
        found.append(np.abs(means - 0.5).reshape(len(maps), -1))
    return found[0], found[1]


def _is_copy(first: Maps, second: Maps) -> bool:
    return any(
        all(
            min(float(np.abs(a - b).max()), float(np.abs(1 - a - b).max())) <= _TOLERANCE
            for a, b in zip(side, second, strict=True)
        )
        for side in (first, first[..., ::-1])
    )


def _bytes(row: NDArray[np.generic]) -> bytes:
    # Adding zero makes -0.0 and 0.0 one number.
    return np.ascontiguousarray(row + np.zeros((), row.dtype)).tobytes()
