"""The blocks of HSTA: attention inside a branch, attention across branches, and the module of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-6


class DropPath(nn.Module):
    """Leaves out the whole branch for some clips of a batch while training, and scales up the others."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, ...) to the same shape."""
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) >= self.rate
        return x * kept / (1 - self.rate)


class SelfAttention(nn.Module):
    """Pre-normed multi-head self-attention over all tokens of a branch; the keys have no bias."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, D) to (B, N, D)."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = functional.linear(self.norm(x), self.qkv.weight, bias)
        q, k, v = (_split(part, self.heads) for part in qkv.chunk(3, dim=-1))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return cast("Tensor", self.dropout(self.out(_joined(mixed))))


class FeedForward(nn.Module):
    """Pre-normed perceptron on every token: width, `ratio` times width, width, with exact GELU."""

    def __init__(self, width: int, ratio: float, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.up = nn.Linear(width, int(width * ratio))
        self.down = nn.Linear(int(width * ratio), width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, D) to (B, N, D)."""
        return cast("Tensor", self.dropout(self.down(functional.gelu(self.up(self.norm(x))))))


class USTA(nn.Module):
    """Unimodal space-time attention: one transformer block over all tokens of one branch."""

    def __init__(self, width: int, heads: int, ratio: float, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads, dropout)
        self.feed_forward = FeedForward(width, ratio, dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, D) to (B, N, D)."""
        x = x + self.drop_path(self.attention(x))
        return cast("Tensor", x + self.drop_path(self.feed_forward(x)))


class CSTA(nn.Module):
    """Cross-modal space-time attention: one branch's class token looks at the other branch's patches.

    The token is brought to the other branch's width, attends to itself and those patches there, and is brought back.
    Nothing of it is kept beside this way.
    """

    def __init__(self, width: int, other: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.into_norm = nn.LayerNorm(width, eps=EPS)
        self.into = nn.Linear(width, other)
        self.norm = nn.LayerNorm(other, eps=EPS)
        self.q = nn.Linear(other, other)
        self.k = nn.Linear(other, other)
        self.v = nn.Linear(other, other)
        self.out = nn.Linear(other, other)
        self.back_norm = nn.LayerNorm(other, eps=EPS)
        self.back = nn.Linear(other, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, token: Tensor, patches: Tensor) -> Tensor:
        """Map a class token (B, 1, D) and the other branch's patches (B, N, D') to a class token (B, 1, D)."""
        moved = self.into(functional.gelu(self.into_norm(token)))
        seen = self.norm(torch.cat([moved, patches], dim=1))
        q, k, v = (_split(part, self.heads) for part in (self.q(seen[:, :1]), self.k(seen), self.v(seen)))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        moved = moved + self.dropout(self.out(_joined(mixed)))
        return cast("Tensor", self.back(functional.gelu(self.back_norm(moved))))


class Module(nn.Module):
    """One level of the hierarchy: USTA on each branch, then CSTA both ways at once."""

    def __init__(
        self,
        widths: Sequence[int],
        heads: Sequence[int],
        depths: Sequence[int],
        ratio: float,
        dropout: float,
        drop_paths: Sequence[float],
    ) -> None:
        super().__init__()
        self.usta = nn.ModuleList(
            nn.ModuleList(USTA(widths[i], heads[i], ratio, dropout, drop_paths[k]) for k in range(depths[i]))
            for i in range(2)
        )
        self.csta = nn.ModuleList(CSTA(widths[i], widths[1 - i], heads[1 - i], dropout) for i in range(2))

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Map the tokens of both branches, (B, N_i, D_i), to the same shapes."""
        seen = []
        for tokens, blocks in zip(branches, self.usta, strict=True):
            for block in cast("nn.ModuleList", blocks):
                tokens = block(tokens)  # noqa: PLW2901
            seen.append(tokens)
        return [torch.cat([self.csta[i](seen[i][:, :1], seen[1 - i][:, 1:]), seen[i][:, 1:]], dim=1) for i in range(2)]


def _split(x: Tensor, heads: int) -> Tensor:
    batch, count, _ = x.shape
    return x.view(batch, count, heads, -1).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)
