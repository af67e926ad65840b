"""HSTA: a hierarchical transformer that lets a pair of key frames and a clip look at each other.

Hao et al., "Hierarchical space-time attention for micro-expression recognition", arXiv 2405.03202, 2024.
The frame is that of CrossViT (Chen et al., ICCV 2021): two branches of different width, here the special frames (onset
and apex) and the video, both cut into tubelets. In every module each branch attends to itself (USTA), then the class
token of each goes over to the other branch, looks at its patches and comes back (CSTA).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from merprep.errors import ModelError
from merprep.models.hsta_blocks import EPS, Module

CHANNELS = 3
_INITIAL_SPREAD = 0.02

Pair = int | Sequence[int]


class HSTA(nn.Module):
    """The two-branch transformer. Pairs are (special frames, video).

    Parameters
    ----------
    modules : int
        Levels of the hierarchy.
    usta : int or pair
        USTA blocks a module in each branch.
    embed_dim, num_heads, patch_size : int or pair
        Width, heads and side of a patch in pixels; an image that is no multiple of the patch loses its last pixels.
    image_size : int
        Side of the frames in pixels.
    frames, special : int
        Frames of the video, and special frames behind them (onset and apex).
    tubelet : int
        Frames a token spans; frames that fill none are left out.
    num_classes, channels : int
    mlp_ratio, dropout, drop_path : float
        `drop_path` is the rate of the last block; it rises evenly from 0.
    header : {"class", "class+last", "mean"}
        What the classifier sees of both branches: the class tokens (as published), these and the last tokens, or the
        mean of all tokens.

    Raises
    ------
    ModelError
        Where the sizes do not fit together, or a number is not positive.

    Examples
    --------
    >>> network = HSTA(modules=1, embed_dim=(8, 16), num_heads=2, image_size=32, patch_size=(8, 16), num_classes=5)
    >>> network(torch.zeros(2, 3, 8, 32, 32)).shape
    torch.Size([2, 5])
    >>> network.tokens
    (17, 13)
    """

    def __init__(
        self,
        *,
        modules: int = 4,
        usta: Pair = (1, 2),
        embed_dim: Pair = (384, 768),
        num_heads: Pair = (12, 12),
        image_size: int = 224,
        patch_size: Pair = (12, 16),
        frames: int = 6,
        special: int = 2,
        tubelet: int = 2,
        num_classes: int = 7,
        channels: int = CHANNELS,
        mlp_ratio: float = 4.0,
        dropout: float = 0.2,
        drop_path: float = 0.2,
        header: str = "class",
    ) -> None:
        super().__init__()
        depths, widths = _pair("usta", usta), _pair("embed_dim", embed_dim)
        heads, patches = _pair("num_heads", num_heads), _pair("patch_size", patch_size)
        _check(modules, depths, widths, heads, patches, image_size, (special, frames), tubelet, num_classes, channels)
        _check_rates(mlp_ratio, dropout, drop_path, header)
        self.image_size, self.frames, self.special, self.channels = image_size, frames, special, channels
        self.module_count, self.header = modules, header
        self.tokens = _tokens((special, frames), tubelet, image_size, patches)
        self.embeds = nn.ModuleList(
            nn.Conv3d(channels, widths[i], (tubelet, patches[i], patches[i]), (tubelet, patches[i], patches[i]))
            for i in range(2)
        )
        for i in range(2):
            # Fixed, and in no state dict: positions follow from the sizes alone.
            self.register_buffer(f"places_{i}", sinusoids(self.tokens[i], widths[i]), persistent=False)
        self.class_tokens = nn.ParameterList(nn.Parameter(torch.zeros(1, 1, width)) for width in widths)
        self.dropout = nn.Dropout(dropout)
        longest = max(depths)
        rates = torch.linspace(0, drop_path, modules * longest, device="cpu").tolist()
        self.levels = nn.ModuleList(
            Module(widths, heads, depths, mlp_ratio, dropout, rates[m * longest : (m + 1) * longest])
            for m in range(modules)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=EPS) for width in widths)
        self.head = nn.Linear(sum(widths) * (2 if header == "class+last" else 1), num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for token in self.class_tokens:
            nn.init.trunc_normal_(token, std=_INITIAL_SPREAD)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=_INITIAL_SPREAD)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, frames + special, image_size, image_size) float32 to logits (B, num_classes).

        Along the time axis: the video's frames, then the special ones.
        """
        self._check_input(x)
        branches = [self._embedded(i, part) for i, part in enumerate((x[:, :, self.frames :], x[:, :, : self.frames]))]
        for level in self.levels:
            branches = level(branches)
        normed = [norm(tokens) for norm, tokens in zip(self.norms, branches, strict=True)]
        return cast("Tensor", self.head(_read_out(normed, self.header)))

    def _embedded(self, branch: int, x: Tensor) -> Tensor:
        tokens = self.embeds[branch](x).flatten(2).transpose(1, 2)
        token = self.class_tokens[branch].expand(len(x), -1, -1)
        tokens = torch.cat([token, tokens], dim=1)
        places = self.get_buffer(f"places_{branch}").to(tokens.device, tokens.dtype)
        return cast("Tensor", self.dropout(tokens + places))

    def _check_input(self, x: Tensor) -> None:
        expected = (self.channels, self.frames + self.special, self.image_size, self.image_size)
        if x.dim() != 5 or tuple(x.shape[1:]) != expected:
            raise ModelError(
                "The input does not fit HSTA",
                expected=f"(B, {', '.join(map(str, expected))})",
                found=str(tuple(x.shape)),
                mend="give the network image_size, frames and special as its input has them, or change the input",
            )

    def layer_of(self, name: str) -> tuple[int, int]:
        """Return the layer of a parameter for layer-wise learning rates, and the number of the top layer.

        Patch embeddings are layer 0, modules follow, and all that is behind them is the top layer. So are the class
        tokens: the published code looks for one named ``cls_token`` where there are two, and misses both.

        Examples
        --------
        >>> HSTA(modules=1, embed_dim=4, num_heads=1).layer_of("class_tokens.0")
        (2, 2)
        """
        top = self.module_count + 1
        if name.startswith("embeds."):
            return 0, top
        found = re.match(r"levels\.(\d+)\.", name)
        return (int(found[1]) + 1 if found else top), top

    @staticmethod
    def published_name(name: str) -> str:
        """Return the published implementation's name of one of our tensors.

        Examples
        --------
        >>> HSTA.published_name("levels.3.csta.0.q.weight")
        'blocks.3.fusion.0.attn.wq.weight'
        """
        for pattern, replacement in _NAMES:
            renamed, count = pattern.subn(replacement, name)
            if count:
                return renamed
        return name

    @staticmethod
    def published_shape(name: str, shape: torch.Size) -> tuple[int, ...]:
        """Return the published shape of one of our tensors: the same."""
        del name
        return tuple(shape)


_NAMES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^embeds\.(\d)\.", r"patch_embed.\1.proj."),
        (r"^class_tokens\.(\d)$", r"cls_token.\1"),
        (r"^norms\.(\d)\.", r"norm.\1."),
        (r"^levels\.(\d+)\.usta\.(\d)\.(\d+)\.attention\.norm\.", r"blocks.\1.blocks.\2.\3.norm1."),
        (r"^levels\.(\d+)\.usta\.(\d)\.(\d+)\.attention\.out\.", r"blocks.\1.blocks.\2.\3.attn.proj."),
        (r"^levels\.(\d+)\.usta\.(\d)\.(\d+)\.attention\.", r"blocks.\1.blocks.\2.\3.attn."),
        (r"^levels\.(\d+)\.usta\.(\d)\.(\d+)\.feed_forward\.norm\.", r"blocks.\1.blocks.\2.\3.norm2."),
        (r"^levels\.(\d+)\.usta\.(\d)\.(\d+)\.feed_forward\.up\.", r"blocks.\1.blocks.\2.\3.mlp.fc1."),
        (r"^levels\.(\d+)\.usta\.(\d)\.(\d+)\.feed_forward\.down\.", r"blocks.\1.blocks.\2.\3.mlp.fc2."),
        (r"^levels\.(\d+)\.csta\.(\d)\.into_norm\.", r"blocks.\1.projs.\2.0."),
        (r"^levels\.(\d+)\.csta\.(\d)\.into\.", r"blocks.\1.projs.\2.2."),
        (r"^levels\.(\d+)\.csta\.(\d)\.norm\.", r"blocks.\1.fusion.\2.norm1."),
        (r"^levels\.(\d+)\.csta\.(\d)\.out\.", r"blocks.\1.fusion.\2.attn.proj."),
        (r"^levels\.(\d+)\.csta\.(\d)\.([qkv])\.", r"blocks.\1.fusion.\2.attn.w\3."),
        (r"^levels\.(\d+)\.csta\.(\d)\.back_norm\.", r"blocks.\1.revert_projs.\2.0."),
        (r"^levels\.(\d+)\.csta\.(\d)\.back\.", r"blocks.\1.revert_projs.\2.2."),
    )
)


def sinusoids(count: int, width: int) -> Tensor:
    r"""Return fixed positions, (1, count, width) float32: sines on even columns, cosines on odd ones.

    Column j has the angle :math:`p / 10000^{2 \lfloor j/2 \rfloor / d}` at place p (Vaswani et al., 2017).

    Examples
    --------
    >>> sinusoids(2, 2)[0].tolist()  # doctest: +ELLIPSIS
    [[0.0, 1.0], [0.84..., 0.54...]]
    """
    with torch.device("cpu"):
        columns = torch.arange(width)
        rates = 10000 ** (-(2 * (columns // 2)).double() / width)
        angles = torch.arange(count).double()[:, None] * rates
        return torch.where(columns % 2 == 0, angles.sin(), angles.cos()).float()[None]


def _read_out(branches: Sequence[Tensor], header: str) -> Tensor:
    if header == "mean":
        return torch.cat([tokens.mean(dim=1) for tokens in branches], dim=1)
    places = (0,) if header == "class" else (0, -1)
    return torch.cat([tokens[:, place] for place in places for tokens in branches], dim=1)


def _tokens(frames: Sequence[int], tubelet: int, size: int, patches: Sequence[int]) -> tuple[int, int]:
    special, video = (1 + (frames[i] // tubelet) * (size // patches[i]) ** 2 for i in range(2))
    return special, video


def _pair(name: str, value: Pair) -> tuple[int, int]:
    values = (value, value) if isinstance(value, int) else tuple(value)
    if len(values) != 2:
        raise ModelError(
            f"HSTA needs two numbers for {name}", expected="(special frames, video)", found=str(list(values))
        )
    return values[0], values[1]


def _check(
    modules: int,
    depths: tuple[int, int],
    widths: tuple[int, int],
    heads: tuple[int, int],
    patches: tuple[int, int],
    size: int,
    frames: tuple[int, int],
    tubelet: int,
    classes: int,
    channels: int,
) -> None:
    sizes: dict[str, tuple[int, ...]] = {"modules": (modules,), "embed_dim": widths, "num_heads": heads}
    sizes |= {
        "patch_size": patches,
        "image_size": (size,),
        "special": frames[:1],
        "frames": frames[1:],
        "tubelet": (tubelet,),
    }
    sizes |= {"num_classes": (classes,), "channels": (channels,), "usta": (max(depths),)}
    wrong = [f"{name}={', '.join(map(str, values))}" for name, values in sizes.items() if min(values) < 1]
    if wrong:
        raise ModelError("HSTA's sizes must be positive", found="; ".join(wrong))
    if min(depths) < 0:
        raise ModelError("A branch of HSTA cannot have less than no USTA block", found=f"usta={depths}")
    for width, count in zip(widths, heads, strict=True):
        if width % count:
            raise ModelError(
                "HSTA's heads do not divide its width",
                expected=f"num_heads among {[n for n in range(1, width + 1) if width % n == 0][:12]} at width {width}",
                found=f"num_heads={count}",
            )
    if max(patches) > size or tubelet > min(frames):
        raise ModelError(
            "A branch of HSTA has no token",
            expected="patch_size <= image_size, and tubelet <= frames and special",
            found=f"image_size={size}, patch_size={patches}, tubelet={tubelet}, special and frames={frames}",
        )


def _check_rates(mlp_ratio: float, dropout: float, drop_path: float, header: str) -> None:
    if mlp_ratio <= 0 or not (0 <= dropout < 1 and 0 <= drop_path < 1):
        raise ModelError(
            "HSTA cannot be built with these numbers",
            expected="mlp_ratio > 0, 0 <= dropout < 1, 0 <= drop_path < 1",
            found=f"mlp_ratio={mlp_ratio}, dropout={dropout}, drop_path={drop_path}",
        )
    if header not in ("class", "class+last", "mean"):
        raise ModelError("HSTA has no such header", expected="class, class+last or mean", found=repr(header))
