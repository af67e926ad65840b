"""HTNet: a hierarchical transformer over four facial areas of one optical-flow map.

Wang et al., "HTNet for micro-expression recognition", Neurocomputing 602:128196, 2024 (arXiv 2307.14637).
The structure is that of NesT (Zhang et al., AAAI 2022): attention inside the blocks of a grid, the grid halved from
level to level by a convolution and a max-pool.

The published configuration (28 x 28 input, patch 7, three levels) leaves ONE token in every block of every level.
A softmax over one element is 1, so queries and keys have no influence there: the network is a per-token perceptron
with two aggregating convolutions. Patch 1 gives 49 tokens a block, and attention that works.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.errors import ModelError

CHANNELS = 3


class Projection(nn.Linear):
    """A linear layer that can be asked for its later outputs alone."""

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        """Map (..., in) to (..., out - first)."""
        return functional.linear(x, self.weight[first:], None if self.bias is None else self.bias[first:])


class Position(nn.Module):
    """One learnable scalar a token, added to all channels of it."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tokens))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, S, C) to (B, S, C)."""
        return x + self.weight[:, None]


class Attention(nn.Module):
    """Pre-normed multi-head self-attention over the tokens of a block.

    The inner width is ``heads * floor(width / heads)``, which is not `width` where heads do not divide it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.inner = heads, heads * (width // heads)
        inner = self.inner
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.qkv = Projection(width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, S, C) to (B, S, C)."""
        batch, tokens, _ = x.shape
        if tokens == 1:
            # A softmax over one token is 1 whatever queries and keys say: the token gets its own value.
            return cast("Tensor", self.out(self.qkv(self.norm(x), first=2 * self.inner)))
        qkv = self.qkv(self.norm(x)).view(batch, tokens, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        # Written out: for so few tokens this is faster than the fused kernel, and it can be vectorised over folds.
        weights = ((q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, tokens, -1)
        return cast("Tensor", self.out(mixed))


class FeedForward(nn.Module):
    """Pre-normed perceptron on every token: width, four times width, width, with exact GELU."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, S, C) to (B, S, C)."""
        hidden = self.dropout(functional.gelu(self.up(self.norm(x))))
        return cast("Tensor", self.dropout(self.down(hidden)))


class Layer(nn.Module):
    """One transformer layer: attention and perceptron, each added to its input."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.feed_forward = FeedForward(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, S, C) to (B, S, C)."""
        x = x + self.attention(x)
        return cast("Tensor", x + self.feed_forward(x))


class Level(nn.Module):
    """One level of the hierarchy: transformer layers inside each of `grid` x `grid` blocks.

    The position is one learnable scalar a token, shared by all channels and blocks.
    """

    def __init__(self, width: int, heads: int, depth: int, grid: int, side: int, dropout: float) -> None:
        super().__init__()
        self.grid, self.side = grid, side
        self.position = Position(side * side)
        self.layers = nn.ModuleList(Layer(width, heads, dropout) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, grid * side, grid * side, C) to the same shape."""
        batch, height, width, channels = x.shape
        g, n = self.grid, self.side
        x = x.view(batch, g, n, g, n, channels).transpose(2, 3).reshape(batch * g * g, n * n, channels)
        x = self.position(x)
        for layer in self.layers:
            x = layer(x)
        return x.view(batch, g, g, n, n, channels).transpose(2, 3).reshape(batch, height, width, channels)


class Aggregate(nn.Module):
    """Between levels: a 3 x 3 convolution to twice the width, channel norm, max-pool to half the size.

    The convolution runs over the whole map, so this is the only place where blocks meet.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm = nn.LayerNorm(2 * width, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to (B, H / 2, W / 2, 2 C)."""
        x = self.norm(self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        pooled = functional.max_pool2d(x.permute(0, 3, 1, 2), 3, stride=2, padding=1)
        return pooled.permute(0, 2, 3, 1).contiguous()


class HTNet(nn.Module):
    """The hierarchical transformer, with the published argument names.

    Parameters
    ----------
    image_size : int
        Side of the square input in pixels.
    patch_size : int
        Side of a token's patch; must divide `image_size` into a grid that halves ``num_hierarchies - 1`` times.
    dim, heads : int
        Width and heads of the first level; both double from level to level.
    num_hierarchies : int
        Levels.
    block_repeats : int or sequence of int
        Transformer layers a level.
    num_classes : int
    channels : int
        Input channels.
    dropout : float
        0 as published.

    Raises
    ------
    ModelError
        Where the sizes do not divide, or a number is not positive.

    Examples
    --------
    >>> network = HTNet(dim=48, patch_size=1, block_repeats=(1, 1, 2), num_classes=5)
    >>> network(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 5])
    >>> network.tokens_per_block
    49
    """

    stackable = True

    def __init__(
        self,
        *,
        image_size: int = 28,
        patch_size: int = 7,
        dim: int = 256,
        heads: int = 3,
        num_hierarchies: int = 3,
        block_repeats: int | Sequence[int] = (2, 2, 10),
        num_classes: int = 3,
        channels: int = CHANNELS,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        repeats = _check(image_size, patch_size, dim, heads, num_hierarchies, block_repeats, num_classes)
        _check_others(channels, dropout)
        self.image_size, self.patch_size, self.channels = image_size, patch_size, channels
        self.tokens_per_block = _side(image_size, patch_size, num_hierarchies) ** 2
        side = _side(image_size, patch_size, num_hierarchies)
        self.embed = nn.Linear(channels * patch_size**2, dim)
        self.levels = nn.ModuleList(
            Level(dim << index, heads << index, depth, 1 << (num_hierarchies - 1 - index), side, dropout)
            for index, depth in enumerate(repeats)
        )
        self.aggregates = nn.ModuleList(Aggregate(dim << index) for index in range(num_hierarchies - 1))
        self.norm = nn.LayerNorm(dim << (num_hierarchies - 1), eps=1e-5)
        self.head = nn.Linear(dim << (num_hierarchies - 1), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, image_size, image_size) float32 to logits (B, num_classes)."""
        self._check_input(x)
        x = self.embed(self._patches(x))
        for index, level in enumerate(self.levels):
            x = level(x)
            if index < len(self.aggregates):
                x = self.aggregates[index](x)
        return cast("Tensor", self.head(self.norm(x).mean(dim=(1, 2))))

    def _patches(self, x: Tensor) -> Tensor:
        # The index inside a patch runs over rows, then columns, then channels, as in the published weights.
        batch, channels, size, _ = x.shape
        p, n = self.patch_size, size // self.patch_size
        x = x.view(batch, channels, n, p, n, p).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(batch, n, n, p * p * channels)

    def _check_input(self, x: Tensor) -> None:
        expected = (self.channels, self.image_size, self.image_size)
        if x.dim() != 4 or tuple(x.shape[1:]) != expected:
            raise ModelError(
                "The input does not fit HTNet",
                expected=f"(B, {', '.join(map(str, expected))})",
                found=str(tuple(x.shape)),
                mend=f"compute features at this size (`merprep flow --size {self.image_size}`), or build the network "
                "with the image_size that they have",
            )

    @staticmethod
    def published_name(name: str) -> str:
        """Return the published implementation's name of one of our tensors.

        Examples
        --------
        >>> HTNet.published_name("levels.2.layers.9.attention.qkv.weight")
        'layers.2.0.layers.9.0.fn.to_qkv.weight'
        """
        for pattern, replacement in _NAMES:
            renamed, count = pattern.subn(replacement, name)
            if count:
                name = renamed
        return re.sub(
            r"(?<=\.norm\.)(weight|bias)$|(?<=^mlp_head\.0\.)(weight|bias)$|(?<=\.1\.1\.)(weight|bias)$", _gb, name
        )

    @staticmethod
    def published_shape(name: str, shape: torch.Size) -> tuple[int, ...]:
        """Return the published shape of one of our tensors: linear maps there are 1 x 1 convolutions."""
        theirs = HTNet.published_name(name)
        if theirs.endswith((".g", ".b")):
            return (1, shape[0], 1, 1)
        if len(shape) == 2 and not theirs.startswith("mlp_head"):
            return (*shape, 1, 1)
        return tuple(shape)


def _gb(match: re.Match[str]) -> str:
    return "g" if match.group(0) == "weight" else "b"


_NAMES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^embed\.", "to_patch_embedding.1."),
        (r"^norm\.", "mlp_head.0."),
        (r"^head\.", "mlp_head.2."),
        (r"^levels\.(\d+)\.position\.weight$", r"layers.\1.0.pos_emb"),
        (r"^aggregates\.(\d+)\.conv\.", r"layers.\1.1.0."),
        (r"^aggregates\.(\d+)\.norm\.", r"layers.\1.1.1."),
        (r"^levels\.(\d+)\.layers\.(\d+)\.attention\.", r"layers.\1.0.layers.\2.0."),
        (r"^levels\.(\d+)\.layers\.(\d+)\.feed_forward\.", r"layers.\1.0.layers.\2.1."),
        (r"\.qkv\.", ".fn.to_qkv."),
        (r"\.out\.", ".fn.to_out.0."),
        (r"\.up\.", ".fn.net.0."),
        (r"\.down\.", ".fn.net.3."),
    )
)


def _side(image_size: int, patch_size: int, num_hierarchies: int) -> int:
    return image_size // patch_size >> (num_hierarchies - 1)


def _check(
    image_size: int, patch_size: int, dim: int, heads: int, levels: int, repeats: int | Sequence[int], classes: int
) -> tuple[int, ...]:
    depths = (repeats,) * levels if isinstance(repeats, int) else tuple(repeats)
    sizes = {"image_size": image_size, "patch_size": patch_size, "dim": dim, "heads": heads, "num_hierarchies": levels}
    wrong: dict[str, object] = {name: size for name, size in (sizes | {"num_classes": classes}).items() if size < 1}
    if min(depths, default=1) < 1:
        wrong["block_repeats"] = list(depths)
    if wrong:
        raise ModelError(
            "HTNet's sizes must be positive", found=", ".join(f"{name}={size}" for name, size in wrong.items())
        )
    if len(depths) != levels:
        raise ModelError(
            "HTNet needs one block_repeats number a level", expected=f"{levels} numbers", found=str(list(depths))
        )
    if heads > dim:
        raise ModelError("HTNet has more heads than channels", expected=f"heads <= {dim}", found=f"heads={heads}")
    blocks = 1 << (levels - 1)
    if image_size % patch_size or (image_size // patch_size) % blocks:
        raise ModelError(
            "HTNet's patches do not fit the image and its levels",
            expected=f"image_size divisible by patch_size * {blocks}",
            found=f"image_size={image_size}, patch_size={patch_size}, num_hierarchies={levels}",
            mend=f"choose patch_size among {_fitting(image_size, blocks)}, or another number of levels",
        )
    return depths


def _check_others(channels: int, dropout: float) -> None:
    if channels < 1 or not 0 <= dropout < 1:
        raise ModelError(
            "HTNet cannot be built with these numbers",
            expected="channels >= 1, 0 <= dropout < 1",
            found=f"channels={channels}, dropout={dropout}",
        )


def _fitting(image_size: int, blocks: int) -> list[int]:
    return [p for p in range(1, image_size + 1) if image_size % p == 0 and (image_size // p) % blocks == 0]
