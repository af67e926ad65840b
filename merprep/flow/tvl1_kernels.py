"""The compiled CPU engine of TV-L1: one pair of images, one core, no allocation inside.

Symbols are those of `tvl1.py`, where the equations stand. Everything works in one flat float32 buffer that holds
fourteen planes, and addresses it by unsigned offsets: views of rows cost more than the arithmetic on a row (each
counts references), signed offsets keep the compiler from using vector registers (they may count from the end).

A plane has one row above the image (zero for the duals) and, left of it, `PAD` columns of which the last is read as
zero or as the border; the right of the image has at least one column more. `PAD` keeps rows aligned to 64 bytes.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from merprep.flow.tvl1 import CUBIC, LEAST_GRADIENT

PAD = 16
PLANES = 14
# Planes: the flow, its four duals, the linearised data term, both images of the level, and two for passing use.
_U, _V, _P11, _P12, _P21, _P22, _RHO, _GX, _GY, _INV, _ONSET, _APEX, _WARPED, _SPARE = range(PLANES)

_ONE = np.uint64(1)
_F1 = np.float32(1)
_HALF = np.float32(0.5)
_LEAST_GRADIENT = np.float32(LEAST_GRADIENT)
_CUBIC = np.float32(CUBIC)

# Reassociation stays off: sums are taken in one order on every machine. Inputs are checked to be finite before.
_FAST = {"nnan", "ninf", "nsz", "arcp", "contract", "afn"}
_OPTIONS: dict[str, Any] = {
    "fastmath": _FAST,
    "boundscheck": False,
    "error_model": "numpy",
    "nogil": True,
    "cache": True,
}


def _aligned_stride(width: int) -> int:
    return PAD + (width + 16) // 16 * 16


def plane_size(height: int, width: int) -> int:
    """Return the number of float32 in one plane; planes are shifted against each other by some cache lines."""
    return (height + 1) * _aligned_stride(width) + 7 * 16


def new_buffer(height: int, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Allocate the buffer for images of this size, aligned to 64 bytes; it may be used again for the next pair."""
    count = PLANES * plane_size(height, width)
    raw = np.zeros(count + 16, np.float32)
    first = (-raw.ctypes.data // 4) % 16
    return raw[first : first + count]


@numba.njit(**_OPTIONS)
def _whole_vectors(width):  # type: ignore[no-untyped-def]
    """Round a width up to whole vector registers.

    What is computed right of the image is finite, and nothing in the image is read from there but the one column
    that `_primal_row` sets; a remainder of single pixels would cost more than the whole row.
    """
    return (width + np.uint64(15)) // np.uint64(16) * np.uint64(16)


@numba.njit(**_OPTIONS)
def _primal_row(F, u, v, p11, p12, p12_above, p21, p22, p22_above, rho, gx, gy, inv, bound, theta, width):  # type: ignore[no-untyped-def]
    """Threshold step and primal step of one row (equations 3 and 4)."""
    p11_left, p21_left = p11 - _ONE, p21 - _ONE
    for x in range(_whole_vectors(width)):
        a, b = F[u + x], F[v + x]
        I_x, I_y = F[gx + x], F[gy + x]
        d = -(F[rho + x] + I_x * a + I_y * b) * F[inv + x]
        d = min(max(d, -bound), bound)
        F[u + x] = a + d * I_x + theta * (F[p11 + x] - F[p11_left + x] + F[p12 + x] - F[p12_above + x])
        F[v + x] = b + d * I_y + theta * (F[p21 + x] - F[p21_left + x] + F[p22 + x] - F[p22_above + x])
    # The border repeated, so that the forward difference in the last column is zero without a branch.
    F[u + width] = F[u + width - _ONE]
    F[v + width] = F[v + width - _ONE]


@numba.njit(**_OPTIONS)
def _dual_row(F, u, v, u_below, v_below, p11, p12, p21, p22, ratio, width):  # type: ignore[no-untyped-def]
    """Dual step of one row (equation 5); ratio is tau / theta."""
    u_right, v_right = u + _ONE, v + _ONE
    for x in range(_whole_vectors(width)):
        a, b = F[u + x], F[v + x]
        u_x, u_y = F[u_right + x] - a, F[u_below + x] - a
        v_x, v_y = F[v_right + x] - b, F[v_below + x] - b
        s = _F1 / (_F1 + ratio * np.sqrt(u_x * u_x + u_y * u_y))
        t = _F1 / (_F1 + ratio * np.sqrt(v_x * v_x + v_y * v_y))
        F[p11 + x] = (F[p11 + x] + ratio * u_x) * s
        F[p12 + x] = (F[p12 + x] + ratio * u_y) * s
        F[p21 + x] = (F[p21 + x] + ratio * v_x) * t
        F[p22 + x] = (F[p22 + x] + ratio * v_y) * t


@numba.njit(**_OPTIONS)
def _iterate(F, plane, stride, height, width, bound, theta, ratio, iterations):  # type: ignore[no-untyped-def]
    """Run iterations, two at a time: the second follows the first two rows behind, while its rows are in the cache.

    Within one iteration the dual step follows the primal step one row behind, which is as close as its forward
    differences allow.
    """
    done = 0
    while done < iterations:
        together = min(2, iterations - done)
        for step in range(height + 1 + 2 * (together - 1)):
            for k in range(together):
                y = step - 2 * k
                if y < 0 or y > height:
                    continue
                o = np.uint64(PAD + (y + 1) * stride)
                if y < height:
                    _primal_row(
                        F,
                        o,
                        plane + o,
                        np.uint64(2) * plane + o,
                        np.uint64(3) * plane + o,
                        np.uint64(3) * plane + o - np.uint64(stride),
                        np.uint64(4) * plane + o,
                        np.uint64(5) * plane + o,
                        np.uint64(5) * plane + o - np.uint64(stride),
                        np.uint64(6) * plane + o,
                        np.uint64(7) * plane + o,
                        np.uint64(8) * plane + o,
                        np.uint64(9) * plane + o,
                        bound,
                        theta,
                        np.uint64(width),
                    )  # fmt: skip
                if y > 0:
                    above = o - np.uint64(stride)
                    below = o if y < height else above
                    _dual_row(
                        F,
                        above,
                        plane + above,
                        below,
                        plane + below,
                        np.uint64(2) * plane + above,
                        np.uint64(3) * plane + above,
                        np.uint64(4) * plane + above,
                        np.uint64(5) * plane + above,
                        ratio,
                        np.uint64(width),
                    )  # fmt: skip
        done += together


@numba.njit(**_OPTIONS)
def _cubic(t):  # type: ignore[no-untyped-def]
    """Return the weights of the cubic for the four taps around a position t in [0, 1)."""
    w0 = _CUBIC * (((t - np.float32(2)) * t + _F1) * t)
    w1 = ((_CUBIC + np.float32(2)) * t - (_CUBIC + np.float32(3))) * t * t + _F1
    w3 = _CUBIC * (_F1 - t) * t * t
    return w0, w1, _F1 - w0 - w1 - w3, w3


@numba.njit(**_OPTIONS)
def _warp(F, plane, stride, height, width):  # type: ignore[no-untyped-def]
    """Set WARPED to apex(x + flow(x)) and INV to 1 where that lies in the image, else 0."""
    apex = _APEX * plane + PAD + stride
    for y in range(height):
        row = PAD + (y + 1) * stride
        for x in range(width):
            o = row + x
            position_x, position_y = np.float32(x) + F[o], np.float32(y) + F[plane + o]
            inside = position_x >= 0 and position_y >= 0 and position_x <= width - 1 and position_y <= height - 1
            F[_INV * plane + o] = _F1 if inside else np.float32(0)
            # Clamped first, so that no position, however far out, overflows an integer.
            position_x = min(max(position_x, np.float32(0)), np.float32(width - 1))
            position_y = min(max(position_y, np.float32(0)), np.float32(height - 1))
            i, j = int(position_x), int(position_y)
            a0, a1, a2, a3 = _cubic(position_x - np.float32(i))
            b0, b1, b2, b3 = _cubic(position_y - np.float32(j))
            if i >= 1 and j >= 1 and i <= width - 3 and j <= height - 3:
                q = apex + j * stride + i
                q0, q2, q3 = q - stride, q + stride, q + 2 * stride
                total = b0 * (a0 * F[q0 - 1] + a1 * F[q0] + a2 * F[q0 + 1] + a3 * F[q0 + 2])
                total += b1 * (a0 * F[q - 1] + a1 * F[q] + a2 * F[q + 1] + a3 * F[q + 2])
                total += b2 * (a0 * F[q2 - 1] + a1 * F[q2] + a2 * F[q2 + 1] + a3 * F[q2 + 2])
                total += b3 * (a0 * F[q3 - 1] + a1 * F[q3] + a2 * F[q3 + 1] + a3 * F[q3 + 2])
            else:
                i0, i2, i3 = max(i - 1, 0), min(i + 1, width - 1), min(i + 2, width - 1)
                total = np.float32(0)
                for tap in range(4):
                    weight = b0 if tap == 0 else (b1 if tap == 1 else (b2 if tap == 2 else b3))
                    q = apex + min(max(j + tap - 1, 0), height - 1) * stride
                    total += weight * (a0 * F[q + i0] + a1 * F[q + i] + a2 * F[q + i2] + a3 * F[q + i3])
            F[_WARPED * plane + o] = total


@numba.njit(**_OPTIONS)
def _linearise_row(F, onset, warped, above, below, u, v, rho, gx, gy, inv, width):  # type: ignore[no-untyped-def]
    left, right = warped - _ONE, warped + _ONE
    for x in range(_whole_vectors(width)):
        valid = F[inv + x]
        I_x = _HALF * (F[right + x] - F[left + x]) * valid
        I_y = _HALF * (F[below + x] - F[above + x]) * valid
        F[gx + x], F[gy + x] = I_x, I_y
        F[rho + x] = (F[warped + x] - F[onset + x]) * valid - I_x * F[u + x] - I_y * F[v + x]
        F[inv + x] = _F1 / max(I_x * I_x + I_y * I_y, _LEAST_GRADIENT)


@numba.njit(**_OPTIONS)
def _linearise(F, plane, stride, height, width):  # type: ignore[no-untyped-def]
    """Expand the data term around the present flow (equation 2): RHO, GX, GY and INV = 1 / |gradient|^2."""
    for y in range(height):
        w = _WARPED * plane + PAD + (y + 1) * stride
        F[w - 1], F[w + width] = F[w], F[w + width - 1]
    for y in range(height):
        o = PAD + (y + 1) * stride
        above = o - stride if y > 0 else o
        below = o + stride if y < height - 1 else o
        _linearise_row(
            F,
            np.uint64(_ONSET * plane + o),
            np.uint64(_WARPED * plane + o),
            np.uint64(_WARPED * plane + above),
            np.uint64(_WARPED * plane + below),
            np.uint64(o),
            np.uint64(_V * plane + o),
            np.uint64(_RHO * plane + o),
            np.uint64(_GX * plane + o),
            np.uint64(_GY * plane + o),
            np.uint64(_INV * plane + o),
            np.uint64(width),
        )


@numba.njit(**_OPTIONS)
def _median_of_five(a, b, c, d, e):  # type: ignore[no-untyped-def]
    """Return the median, by exchanges without a branch."""
    a, b = min(a, b), max(a, b)
    c, d = min(c, d), max(c, d)
    a, c = min(a, c), max(a, c)  # a is now the least of four: not the median
    b, d = min(b, d), max(b, d)  # d is now the greatest of four
    b, c = min(b, c), max(b, c)
    return max(b, min(c, e))


@numba.njit(**_OPTIONS)
def _median_rows(F, source, target, width):  # type: ignore[no-untyped-def]
    for x in range(_whole_vectors(width)):
        s = source + x
        F[target + x] = _median_of_five(F[s - np.uint64(2)], F[s - _ONE], F[s], F[s + _ONE], F[s + np.uint64(2)])


@numba.njit(**_OPTIONS)
def _median_columns(F, r0, r1, r2, r3, r4, target, width):  # type: ignore[no-untyped-def]
    for x in range(_whole_vectors(width)):
        F[target + x] = _median_of_five(F[r0 + x], F[r1 + x], F[r2 + x], F[r3 + x], F[r4 + x])


@numba.njit(**_OPTIONS)
def _median(F, plane, stride, height, width):  # type: ignore[no-untyped-def]
    """Median of five along rows, then along columns, of both components; borders repeated."""
    for component in range(2):
        for y in range(height):
            o = component * plane + PAD + (y + 1) * stride
            F[o - 2] = F[o - 1] = F[o]
            F[o + width] = F[o + width + 1] = F[o + width - 1]
            _median_rows(F, np.uint64(o), np.uint64(_SPARE * plane + PAD + (y + 1) * stride), np.uint64(width))
        spare = _SPARE * plane + PAD + stride
        for y in range(height):
            _median_columns(
                F,
                np.uint64(spare + max(y - 2, 0) * stride),
                np.uint64(spare + max(y - 1, 0) * stride),
                np.uint64(spare + y * stride),
                np.uint64(spare + min(y + 1, height - 1) * stride),
                np.uint64(spare + min(y + 2, height - 1) * stride),
                np.uint64(component * plane + PAD + (y + 1) * stride),
                np.uint64(width),
            )


@numba.njit(**_OPTIONS)
def _set_row(F, target, value, width):  # type: ignore[no-untyped-def]
    for x in range(width):
        F[target + x] = value


@numba.njit(**_OPTIONS)
def _add_row(F, target, row, weight):  # type: ignore[no-untyped-def]
    for x in range(row.shape[0]):
        F[target + np.uint64(x)] += weight * row[x]


@numba.njit(**_OPTIONS)
def _shrink(F, plane, target, stride, image, height, width):  # type: ignore[no-untyped-def]
    """Area average an image into the plane `target`; a row of SPARE holds the sums over rows in passing."""
    rows, columns = image.shape
    sums = _SPARE * plane + PAD
    for y in range(height):
        top, bottom = y * rows / height, (y + 1) * rows / height
        _set_row(F, np.uint64(sums), np.float32(0), np.uint64(columns))
        for source in range(int(top), min(int(np.ceil(bottom)), rows)):
            share = (min(bottom, source + 1) - max(top, source)) * height / rows
            _add_row(F, np.uint64(sums), image[source], np.float32(share))
        o = target * plane + PAD + (y + 1) * stride
        for x in range(width):
            left, right = x * columns / width, (x + 1) * columns / width
            total = 0.0
            for source in range(int(left), min(int(np.ceil(right)), columns)):
                total += F[sums + source] * (min(right, source + 1) - max(left, source))
            F[o + x] = total * width / columns


@numba.njit(**_OPTIONS)
def _blend_row(F, target, first, second, weight, width):  # type: ignore[no-untyped-def]
    for x in range(width):
        a = F[first + x]
        F[target + x] = a + weight * (F[second + x] - a)


@numba.njit(**_OPTIONS)
def _grow(F, plane, old_stride, old_height, old_width, stride, height, width):  # type: ignore[no-untyped-def]
    """Bring the flow of a coarser level to this one, linearly, and scale its lengths."""
    line = _RHO * plane + PAD
    for component in range(2):
        scale = np.float32(width / old_width) if component == 0 else np.float32(height / old_height)
        source = component * plane + PAD + old_stride
        for y in range(height):
            position = min(max((y + 0.5) * old_height / height - 0.5, 0.0), old_height - 1.0)
            j = min(int(position), old_height - 2)
            upper = np.uint64(source + j * old_stride)
            _blend_row(
                F, np.uint64(line), upper, upper + np.uint64(old_stride), np.float32(position - j), np.uint64(old_width)
            )
            o = _SPARE * plane + PAD + (y + 1) * stride
            for x in range(width):
                position = min(max((x + 0.5) * old_width / width - 0.5, 0.0), old_width - 1.0)
                i = min(int(position), old_width - 2)
                a = F[line + i]
                F[o + x] = scale * (a + np.float32(position - i) * (F[line + i + 1] - a))
        if component == 0:
            _copy(F, _WARPED * plane, _SPARE * plane, plane)
    _copy(F, _U * plane, _WARPED * plane, plane)
    _copy(F, _V * plane, _SPARE * plane, plane)


@numba.njit(**_OPTIONS)
def _copy(F, target, source, count):  # type: ignore[no-untyped-def]
    _blend_row(F, np.uint64(target), np.uint64(source), np.uint64(source), np.float32(0), np.uint64(count))


@numba.njit(
    "void(float32[::1], float32[:,::1], float32[:,::1], float32[:,:,::1], int64[:,::1], "
    "float32, float32, float32, int64, int64, boolean)",
    **_OPTIONS,
)
def solve(F, onset, apex, flow, sizes, tau, attachment, theta, warps, iterations, median):  # type: ignore[no-untyped-def]
    """Compute the flow of one pair.

    Parameters
    ----------
    F : (PLANES * plane_size(H, W),) float32
        The buffer; what stands in it does not matter.
    onset, apex : (H, W) float32
    flow : (2, H, W) float32
        Receives the result.
    sizes : (levels, 2) int64
        Height and width of each level, the finest (H, W) first.
    """
    height, width = onset.shape
    plane = (height + 1) * (PAD + (width + 16) // 16 * 16) + 112
    old_height, old_width, old_stride = 0, 0, 0
    for level in range(sizes.shape[0] - 1, -1, -1):
        h, w = sizes[level, 0], sizes[level, 1]
        stride = PAD + (w + 16) // 16 * 16
        if old_height == 0:
            _set_row(F, np.uint64(0), np.float32(0), np.uint64(2 * plane))
        else:
            _grow(F, plane, old_stride, old_height, old_width, stride, h, w)
        _set_row(F, np.uint64(_P11 * plane), np.float32(0), np.uint64(4 * plane))
        _shrink(F, plane, _ONSET, stride, onset, h, w)
        _shrink(F, plane, _APEX, stride, apex, h, w)
        for _ in range(warps):
            _warp(F, plane, stride, h, w)
            _linearise(F, plane, stride, h, w)
            _iterate(F, np.uint64(plane), stride, h, w, attachment * theta, theta, tau / theta, iterations)
            if median:
                _median(F, plane, stride, h, w)
        old_height, old_width, old_stride = h, w, stride
    for component in range(2):
        for y in range(height):
            o = component * plane + PAD + (y + 1) * old_stride
            for x in range(width):
                flow[component, y, x] = F[o + x]
