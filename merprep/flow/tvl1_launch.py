"""The steps of TV-L1 by Triton kernels: grids, tables and memory around `tvl1_triton.py`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from merprep.flow import tvl1_triton as kernels
from merprep.flow.tvl1 import CUBIC, TvL1Parameters
from merprep.flow.tvl1_pyramid import Resampling, taps

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 256
# Products are added without rounding in between, as the CPU engine does; said, since Triton's default will change.
_OPTIONS: dict[str, Any] = {"enable_fp_fusion": True}


class Tile(NamedTuple):
    """How `iterate` divides an image: a program's tile, how many iterations stay on chip, and its warps.

    Each iteration spoils a pixel more at the tile's edges, so `rows - 2 * halo` by `columns - 2 * halo` are kept.
    """

    rows: int
    columns: int
    halo: int
    warps: int


# The first keeps 56 of 64 pixels each way, so four tiles make 224; compiled for compute capability 9.0 its state stays
# in registers, with 16 KiB of shared memory for exchanges. `merprep bench flow --device cuda` times all of them.
TILES = (Tile(64, 64, 4, 16), Tile(64, 64, 4, 32), Tile(32, 64, 4, 16), Tile(32, 32, 4, 8))


class TritonSteps:
    """The steps of `merprep.flow.tvl1_batch.solve` by kernels, one launch for the whole batch.

    Parameters
    ----------
    tile : Tile, optional
        Changes the speed, not the result.
    """

    def __init__(self, tile: Tile = TILES[0]) -> None:
        self.tile = tile

    def resampled(self, planes: Tensor, kind: Resampling, height: int, width: int) -> Tensor:
        """See `Steps.resampled`."""
        count, old_height, old_width = planes.shape
        rows, row_shares = _table(kind, old_height, height, planes.device)
        columns, column_shares = _table(kind, old_width, width, planes.device)
        made = planes.new_empty((count, height, width))
        grid, blocks = _grid(count, height, width)
        kernels.resample[grid](
            planes, made, rows, row_shares, columns, column_shares, rows.shape[1], columns.shape[1],
            old_height, old_width, height, width, blocks, BLOCK=_BLOCK, **_OPTIONS,
        )  # fmt: skip
        return made

    def linearised(self, onset: Tensor, apex: Tensor, flow: Tensor) -> Tensor:
        """See `Steps.linearised`."""
        count, height, width = onset.shape
        warped = torch.empty_like(apex)
        data = onset.new_empty((count, 3, height, width))
        grid, blocks = _grid(count, height, width)
        kernels.warp[grid](
            apex, flow, warped, data, height, width, blocks, A=CUBIC, BLOCK=_BLOCK, **_OPTIONS
        )  # fmt: skip
        kernels.linearise[grid](onset, warped, flow, data, height, width, blocks, BLOCK=_BLOCK, **_OPTIONS)
        return data

    def iterated(self, flow: Tensor, duals: Tensor, data: Tensor, settings: TvL1Parameters) -> tuple[Tensor, Tensor]:
        """See `Steps.iterated`; neighbouring tiles read what was there before, so each launch writes elsewhere."""
        count, _, height, width = flow.shape
        tile = self.tile
        tiles_x = -(-width // (tile.columns - 2 * tile.halo))
        tiles = tiles_x * -(-height // (tile.rows - 2 * tile.halo))
        bound, ratio = settings.attachment * settings.tightness, settings.time_step / settings.tightness
        new_flow, new_duals = torch.empty_like(flow), torch.empty_like(duals)
        for done in range(0, settings.iterations, tile.halo):
            steps = min(tile.halo, settings.iterations - done)
            kernels.iterate[(count * tiles,)](
                flow, duals, data, new_flow, new_duals, height, width, tiles_x, tiles, steps,
                bound, settings.tightness, ratio,
                HALO=tile.halo, ROWS=tile.rows, COLUMNS=tile.columns, num_warps=tile.warps, **_OPTIONS,
            )  # fmt: skip
            flow, new_flow, duals, new_duals = new_flow, flow, new_duals, duals
        return flow, duals

    def filtered(self, flow: Tensor) -> Tensor:
        """See `Steps.filtered`."""
        count, _, height, width = flow.shape
        made = torch.empty_like(flow)
        grid, blocks = _grid(2 * count, height, width)
        kernels.median[grid](flow, made, height, width, blocks, BLOCK=_BLOCK, **_OPTIONS)
        return made


def _grid(planes: int, height: int, width: int) -> tuple[tuple[int], int]:
    blocks = -(-height * width // _BLOCK)
    return (planes * blocks,), blocks


@lru_cache(maxsize=256)
def _table(kind: Resampling, old: int, new: int, device: torch.device) -> tuple[Tensor, Tensor]:
    pixels, shares = taps(kind, old, new)
    return torch.tensor(pixels, device=device), torch.tensor(shares, device=device)
