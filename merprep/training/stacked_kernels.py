"""Compiled passes over maps that have their channels innermost: pooling, batch norm, and their ways back.

Torch has all of these; on a CPU its kernels for small maps cost more than the convolutions between them. A pass reads
and writes contiguous (B, H, W, C) arrays, float32 or float64; sums are taken in float64, in the order of the clips.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

# No fast-math: a value that is not a number must come out as one, so that training says so.
_OPTIONS: dict[str, Any] = {"boundscheck": False, "error_model": "numpy", "nogil": True, "cache": True}


@numba.njit(**_OPTIONS)
def _larger(best, place, other, number):  # type: ignore[no-untyped-def]
    """Return the larger of two values and its place: the first, of equals, and the last that is not a number."""
    taken = (other > best) | np.isnan(other)
    return (other, np.uint8(number)) if taken else (best, place)


@numba.njit(**_OPTIONS)
def pool(values, largest, places):  # type: ignore[no-untyped-def]
    """Write the largest of every two by two values, and which of the four it was."""
    for clip in range(largest.shape[0]):
        for row in range(largest.shape[1]):
            for column in range(largest.shape[2]):
                for channel in range(largest.shape[3]):
                    best, place = values[clip, 2 * row, 2 * column, channel], np.uint8(0)
                    best, place = _larger(best, place, values[clip, 2 * row, 2 * column + 1, channel], 1)
                    best, place = _larger(best, place, values[clip, 2 * row + 1, 2 * column, channel], 2)
                    best, place = _larger(best, place, values[clip, 2 * row + 1, 2 * column + 1, channel], 3)
                    largest[clip, row, column, channel] = best
                    places[clip, row, column, channel] = place


@numba.njit(**_OPTIONS)
def unpool(slopes, places, found):  # type: ignore[no-untyped-def]
    """Write each slope to where the largest value had been, and 0 elsewhere; an odd last row or column is left out."""
    zero = slopes.dtype.type(0)
    for clip in range(slopes.shape[0]):
        for row in range(slopes.shape[1]):
            for column in range(slopes.shape[2]):
                # One row of channels after another: the compiler turns nothing longer into vectors.
                slope, place = slopes[clip, row, column], places[clip, row, column]
                for number in range(4):
                    out = found[clip, 2 * row + number // 2, 2 * column + number % 2]
                    for channel in range(slopes.shape[3]):
                        out[channel] = slope[channel] if place[channel] == number else zero


@numba.njit(**_OPTIONS)
def moments(values, sums, squares):  # type: ignore[no-untyped-def]
    """Add up (N, C) values, and their squares, by channel."""
    for row in range(values.shape[0]):
        for channel in range(values.shape[1]):
            value = np.float64(values[row, channel])
            sums[channel] += value
            squares[channel] += value * value


@numba.njit(**_OPTIONS)
def norm_and_cut(values, slope, level, found):  # type: ignore[no-untyped-def]
    """Lay a line through (N, C) values, one a channel, and cut what is below 0."""
    zero = values.dtype.type(0)
    for row in range(values.shape[0]):
        for channel in range(values.shape[1]):
            value = values[row, channel] * slope[channel] + level[channel]
            found[row, channel] = zero if value < zero else value


@numba.njit(**_OPTIONS)
def cut_back(slopes, outputs, values, mean, cut, sums, products):  # type: ignore[no-untyped-def]
    """Take slopes (N, C) back over the cut; add them up by channel, and their products with values less the mean."""
    zero = slopes.dtype.type(0)
    for row in range(slopes.shape[0]):
        slope, output, value, kept = slopes[row], outputs[row], values[row], cut[row]
        for channel in range(slopes.shape[1]):
            one = slope[channel]
            kept[channel] = one if output[channel] > zero else zero
        for channel in range(slopes.shape[1]):
            sums[channel] += np.float64(kept[channel])
            products[channel] += np.float64(kept[channel]) * (np.float64(value[channel]) - mean[channel])


@numba.njit(**_OPTIONS)
def norm_back(slopes, values, by_slope, by_value, level):  # type: ignore[no-untyped-def]
    """Take slopes (N, C) back over the norm, in place: a line in the slope and in the value, one a channel."""
    for row in range(slopes.shape[0]):
        for channel in range(slopes.shape[1]):
            value = values[row, channel] * by_value[channel] + level[channel]
            slopes[row, channel] = slopes[row, channel] * by_slope[channel] + value
