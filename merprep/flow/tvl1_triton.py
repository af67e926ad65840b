"""The GPU kernels of TV-L1, in Triton: a whole batch of pairs at once, one program a tile of one image.

Symbols are those of `tvl1.py`, where the equations stand. Arrays are contiguous float32, planes of `height * width`:
flow (N, 2, h, w), duals (N, 4, h, w) in the order p11, p12, p21, p22, the linearised data term (N, 3, h, w) as rho and
the gradient by x and by y. Triton's interpreter (``TRITON_INTERPRET=1``) runs the same functions on the CPU.
"""

# Triton reads the annotations itself and knows its own kinds only.
# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"

from __future__ import annotations

import triton
import triton.language as tl

# Sizes are not compiled in: one compilation serves all levels, and threads keep to pixels that lie side by side, since
# with several in a row for each, the exchanges of `iterate` would meet in the same banks of shared memory.
_SIZES = ("height", "width", "old_height", "old_width", "taps_y", "taps_x", "blocks", "tiles_x", "tiles", "steps")


@triton.jit
def _block(plane, blocks, BLOCK: tl.constexpr):
    """Return the number of this program's plane (64-bit: batches are large), its pixels and which of them exist."""
    program = tl.program_id(0)
    o = program % blocks * BLOCK + tl.arange(0, BLOCK)
    return (program // blocks).to(tl.int64), o, o < plane


@triton.jit(do_not_specialize=_SIZES)
def resample(source, target, rows, row_weights, columns, column_weights, taps_y, taps_x, old_height, old_width,
             height, width, blocks, BLOCK: tl.constexpr):  # fmt: skip
    """Set each pixel of `target` to a weighted sum of `taps_y` by `taps_x` pixels of `source`, plane by plane.

    The tables `rows` (height, taps_y) and `columns` (width, taps_x) name the pixels; the weights stand beside them.
    """
    number, o, valid = _block(height * width, blocks, BLOCK)
    x = o % width
    y = o // width
    image = source + number * old_height * old_width
    value = tl.zeros((BLOCK,), tl.float32)
    for i in range(taps_y):
        row = tl.load(rows + y * taps_y + i, mask=valid, other=0)
        line = tl.zeros((BLOCK,), tl.float32)
        for j in range(taps_x):
            column = tl.load(columns + x * taps_x + j, mask=valid, other=0)
            weight = tl.load(column_weights + x * taps_x + j, mask=valid, other=0.0)
            line += weight * tl.load(image + row * old_width + column, mask=valid, other=0.0)
        value += tl.load(row_weights + y * taps_y + i, mask=valid, other=0.0) * line
    tl.store(target + number * height * width + o, value, mask=valid)


@triton.jit
def _cubic(t, A: tl.constexpr):
    """Return the weights of Keys' cubic for the four taps around a position t in [0, 1)."""
    w0 = A * (((t - 2.0) * t + 1.0) * t)
    w1 = ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0
    w3 = A * (1.0 - t) * t * t
    return w0, w1, 1.0 - w0 - w1 - w3, w3


@triton.jit
def _line(row, i0, i1, i2, i3, a0, a1, a2, a3, valid):
    value = a0 * tl.load(row + i0, mask=valid, other=0.0)
    value += a1 * tl.load(row + i1, mask=valid, other=0.0)
    value += a2 * tl.load(row + i2, mask=valid, other=0.0)
    return value + a3 * tl.load(row + i3, mask=valid, other=0.0)


@triton.jit(do_not_specialize=_SIZES)
def warp(apex, flow, warped, data, height, width, blocks, A: tl.constexpr, BLOCK: tl.constexpr):
    """Set `warped` to apex(x + flow(x)), and the first plane of `data` to 1 where that lies in the image, else 0."""
    plane = height * width
    pair, o, valid = _block(plane, blocks, BLOCK)
    x = (o % width).to(tl.float32) + tl.load(flow + 2 * pair * plane + o, mask=valid, other=0.0)
    y = (o // width).to(tl.float32) + tl.load(flow + (2 * pair + 1) * plane + o, mask=valid, other=0.0)
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    # Clamped first, so that no position, however far out, overflows an integer.
    x = tl.minimum(tl.maximum(x, 0.0), (width - 1).to(tl.float32))
    y = tl.minimum(tl.maximum(y, 0.0), (height - 1).to(tl.float32))
    i = x.to(tl.int32)
    j = y.to(tl.int32)
    a0, a1, a2, a3 = _cubic(x - i.to(tl.float32), A)
    b0, b1, b2, b3 = _cubic(y - j.to(tl.float32), A)
    i0 = tl.maximum(i - 1, 0)
    i2 = tl.minimum(i + 1, width - 1)
    i3 = tl.minimum(i + 2, width - 1)
    image = apex + pair * plane
    value = b0 * _line(image + tl.maximum(j - 1, 0) * width, i0, i, i2, i3, a0, a1, a2, a3, valid)
    value += b1 * _line(image + j * width, i0, i, i2, i3, a0, a1, a2, a3, valid)
    value += b2 * _line(image + tl.minimum(j + 1, height - 1) * width, i0, i, i2, i3, a0, a1, a2, a3, valid)
    value += b3 * _line(image + tl.minimum(j + 2, height - 1) * width, i0, i, i2, i3, a0, a1, a2, a3, valid)
    tl.store(warped + pair * plane + o, value, mask=valid)
    tl.store(data + 3 * pair * plane + o, inside.to(tl.float32), mask=valid)


@triton.jit(do_not_specialize=_SIZES)
def linearise(onset, warped, flow, data, height, width, blocks, BLOCK: tl.constexpr):
    """Expand the data term around the present flow (equation 2); the first plane of `data` holds what `warp` set."""
    plane = height * width
    pair, o, valid = _block(plane, blocks, BLOCK)
    x = o % width
    y = o // width
    image = warped + pair * plane
    left = o - (x > 0).to(tl.int32)
    right = o + (x < width - 1).to(tl.int32)
    above = o - (y > 0).to(tl.int32) * width
    below = o + (y < height - 1).to(tl.int32) * width
    inside = tl.load(data + 3 * pair * plane + o, mask=valid, other=0.0)
    gx = 0.5 * (tl.load(image + right, mask=valid, other=0.0) - tl.load(image + left, mask=valid, other=0.0))
    gy = 0.5 * (tl.load(image + below, mask=valid, other=0.0) - tl.load(image + above, mask=valid, other=0.0))
    gx, gy = gx * inside, gy * inside
    u = tl.load(flow + 2 * pair * plane + o, mask=valid, other=0.0)
    v = tl.load(flow + (2 * pair + 1) * plane + o, mask=valid, other=0.0)
    grey = tl.load(onset + pair * plane + o, mask=valid, other=0.0)
    difference = tl.load(image + o, mask=valid, other=0.0) - grey
    tl.store(data + 3 * pair * plane + o, difference * inside - gx * u - gy * v, mask=valid)
    tl.store(data + (3 * pair + 1) * plane + o, gx, mask=valid)
    tl.store(data + (3 * pair + 2) * plane + o, gy, mask=valid)


@triton.jit(do_not_specialize=_SIZES)
def iterate(flow, duals, data, new_flow, new_duals, height, width, tiles_x, tiles, steps, bound, theta, ratio,
            HALO: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    """Run `steps` iterations (equations 3 to 5; at most HALO) of one tile without leaving the chip.

    A program loads a tile of ROWS by COLUMNS and stores what lies HALO inside it. An iteration looks one pixel far:
    up and left for the divergence, down and right for the gradient; so each one spoils one more pixel at the tile's
    edges, and neighbouring tiles compute them twice instead of waiting for each other.
    """
    program = tl.program_id(0)
    pair = (program // tiles).to(tl.int64)
    tile = program % tiles
    # The tile lies in one row, so that a neighbour is a fixed step away and costs one exchange on the chip.
    cells = tl.arange(0, ROWS * COLUMNS)
    rows = cells // COLUMNS
    columns = cells % COLUMNS
    y = tile // tiles_x * (ROWS - 2 * HALO) - HALO + rows
    x = tile % tiles_x * (COLUMNS - 2 * HALO) - HALO + columns
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    plane = height * width
    o = y * width + x
    u = tl.load(flow + 2 * pair * plane + o, mask=inside, other=0.0)
    v = tl.load(flow + (2 * pair + 1) * plane + o, mask=inside, other=0.0)
    p11 = tl.load(duals + 4 * pair * plane + o, mask=inside, other=0.0)
    p12 = tl.load(duals + (4 * pair + 1) * plane + o, mask=inside, other=0.0)
    p21 = tl.load(duals + (4 * pair + 2) * plane + o, mask=inside, other=0.0)
    p22 = tl.load(duals + (4 * pair + 3) * plane + o, mask=inside, other=0.0)
    rho = tl.load(data + 3 * pair * plane + o, mask=inside, other=0.0)
    gx = tl.load(data + (3 * pair + 1) * plane + o, mask=inside, other=0.0)
    gy = tl.load(data + (3 * pair + 2) * plane + o, mask=inside, other=0.0)
    inverse = 1.0 / tl.maximum(gx * gx + gy * gy, 1e-6)

    # Where a gradient would look outside the image it is zero; the duals there then stay zero, as (4) wants them.
    has_right = inside & (x < width - 1)
    has_below = inside & (y < height - 1)
    left = tl.maximum(cells - 1, 0)
    right = tl.minimum(cells + 1, ROWS * COLUMNS - 1)
    above = tl.maximum(cells - COLUMNS, 0)
    below = tl.minimum(cells + COLUMNS, ROWS * COLUMNS - 1)
    for _ in range(steps):
        d = -(rho + gx * u + gy * v) * inverse
        d = tl.minimum(tl.maximum(d, -bound), bound)
        u += d * gx + theta * (p11 - tl.gather(p11, left, 0) + p12 - tl.gather(p12, above, 0))
        v += d * gy + theta * (p21 - tl.gather(p21, left, 0) + p22 - tl.gather(p22, above, 0))
        u_x = tl.where(has_right, tl.gather(u, right, 0) - u, 0.0)
        u_y = tl.where(has_below, tl.gather(u, below, 0) - u, 0.0)
        v_x = tl.where(has_right, tl.gather(v, right, 0) - v, 0.0)
        v_y = tl.where(has_below, tl.gather(v, below, 0) - v, 0.0)
        s = 1.0 / (1.0 + ratio * tl.sqrt(u_x * u_x + u_y * u_y))
        t = 1.0 / (1.0 + ratio * tl.sqrt(v_x * v_x + v_y * v_y))
        p11 = (p11 + ratio * u_x) * s
        p12 = (p12 + ratio * u_y) * s
        p21 = (p21 + ratio * v_x) * t
        p22 = (p22 + ratio * v_y) * t

    ours = inside & (rows >= HALO) & (rows < ROWS - HALO) & (columns >= HALO) & (columns < COLUMNS - HALO)
    tl.store(new_flow + 2 * pair * plane + o, u, mask=ours)
    tl.store(new_flow + (2 * pair + 1) * plane + o, v, mask=ours)
    tl.store(new_duals + 4 * pair * plane + o, p11, mask=ours)
    tl.store(new_duals + (4 * pair + 1) * plane + o, p12, mask=ours)
    tl.store(new_duals + (4 * pair + 2) * plane + o, p21, mask=ours)
    tl.store(new_duals + (4 * pair + 3) * plane + o, p22, mask=ours)


@triton.jit
def _median_of_five(a, b, c, d, e):
    """Return the median, by exchanges."""
    a, b = tl.minimum(a, b), tl.maximum(a, b)
    c, d = tl.minimum(c, d), tl.maximum(c, d)
    c = tl.maximum(a, c)  # the lesser is the least of four: not the median
    b = tl.minimum(b, d)  # the greater is the greatest of four
    b, c = tl.minimum(b, c), tl.maximum(b, c)
    return tl.maximum(b, tl.minimum(c, e))


@triton.jit
def _median_of_row(row, x, width, valid):
    return _median_of_five(
        tl.load(row + tl.maximum(x - 2, 0), mask=valid, other=0.0),
        tl.load(row + tl.maximum(x - 1, 0), mask=valid, other=0.0),
        tl.load(row + x, mask=valid, other=0.0),
        tl.load(row + tl.minimum(x + 1, width - 1), mask=valid, other=0.0),
        tl.load(row + tl.minimum(x + 2, width - 1), mask=valid, other=0.0),
    )


@triton.jit(do_not_specialize=_SIZES)
def median(source, target, height, width, blocks, BLOCK: tl.constexpr):
    """Median of five along rows, then along columns, plane by plane; borders repeated."""
    number, o, valid = _block(height * width, blocks, BLOCK)
    x = o % width
    y = o // width
    plane = source + number * height * width
    value = _median_of_five(
        _median_of_row(plane + tl.maximum(y - 2, 0) * width, x, width, valid),
        _median_of_row(plane + tl.maximum(y - 1, 0) * width, x, width, valid),
        _median_of_row(plane + y * width, x, width, valid),
        _median_of_row(plane + tl.minimum(y + 1, height - 1) * width, x, width, valid),
        _median_of_row(plane + tl.minimum(y + 2, height - 1) * width, x, width, valid),
    )
    tl.store(target + number * height * width + o, value, mask=valid)
