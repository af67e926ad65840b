"""The published networks once more, written out from their descriptions, in double precision and without modules.

HTNet, HSTA and STSTNet take weights under the published names, RCN-A and OFF-ApexNet, which have none, under ours.
Nothing here is shared with `merprep.models`: attention is an einsum over slices, patches and tubelets are cut in loops,
norms are means and squares.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Shapes = dict[str, tuple[int, ...]]
Weights = Mapping[str, Tensor]


def by_formula(name: str, shape: tuple[int, ...]) -> Tensor:
    """Fill a tensor as the golden outputs' description says."""
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.05
    values = np.asarray(drawn, np.float32)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        values = np.abs(values) + 1
    elif name.endswith(".g") or (name.endswith(".weight") and len(shape) == 1):
        values = values + 1
    return torch.from_numpy(np.asarray(values, np.float32))


def input_of(shape: tuple[int, ...]) -> Tensor:
    """Return the golden outputs' input of some shape."""
    return torch.from_numpy(np.random.RandomState(7).uniform(-1, 1, shape).astype(np.float32))


def _gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _norm(x: Tensor, axis: int, eps: float) -> Tensor:
    mean = x.mean(axis, keepdim=True)
    return (x - mean) / torch.sqrt(((x - mean) ** 2).mean(axis, keepdim=True) + eps)


def _depths(block_repeats: int | Sequence[int], levels: int) -> list[int]:
    return [block_repeats] * levels if isinstance(block_repeats, int) else list(block_repeats)


def htnet_shapes(
    *, image_size: int, patch_size: int, dim: int, heads: int, num_hierarchies: int,
    block_repeats: int | Sequence[int], num_classes: int,
) -> Shapes:  # fmt: skip
    """Return the names and shapes of the published state dict."""
    side = image_size // patch_size // 2 ** (num_hierarchies - 1)
    found: Shapes = {"to_patch_embedding.1.weight": (dim, 3 * patch_size**2, 1, 1), "to_patch_embedding.1.bias": (dim,)}
    for level, depth in enumerate(_depths(block_repeats, num_hierarchies)):
        c, h = dim * 2**level, heads * 2**level
        inner = h * (c // h)
        found[f"layers.{level}.0.pos_emb"] = (side**2,)
        for k in range(depth):
            at = f"layers.{level}.0.layers.{k}"
            found |= {f"{at}.{part}.norm.{name}": (1, c, 1, 1) for part in (0, 1) for name in "gb"}
            found |= {f"{at}.0.fn.to_qkv.weight": (3 * inner, c, 1, 1), f"{at}.0.fn.to_out.0.weight": (c, inner, 1, 1)}
            found |= {
                f"{at}.0.fn.to_out.0.bias": (c,),
                f"{at}.1.fn.net.0.bias": (4 * c,),
                f"{at}.1.fn.net.3.bias": (c,),
            }
            found |= {f"{at}.1.fn.net.0.weight": (4 * c, c, 1, 1), f"{at}.1.fn.net.3.weight": (c, 4 * c, 1, 1)}
        if level < num_hierarchies - 1:
            at = f"layers.{level}.1"
            found |= {f"{at}.0.weight": (2 * c, c, 3, 3), f"{at}.0.bias": (2 * c,)}
            found |= {f"{at}.1.{name}": (1, 2 * c, 1, 1) for name in "gb"}
    last = dim * 2 ** (num_hierarchies - 1)
    found |= {f"mlp_head.0.{name}": (1, last, 1, 1) for name in "gb"}
    return found | {"mlp_head.2.weight": (num_classes, last), "mlp_head.2.bias": (num_classes,)}


def htnet(
    weights: Weights, x: Tensor, *, image_size: int, patch_size: int, dim: int, heads: int, num_hierarchies: int,
    block_repeats: int | Sequence[int], num_classes: int,
) -> Tensor:  # fmt: skip
    """Return the logits of (B, 3, S, S)."""
    del num_classes
    p, n = patch_size, image_size // patch_size
    patches = x.new_zeros(len(x), 3 * p * p, n, n)
    for row in range(p):
        for column in range(p):
            for colour in range(3):
                patches[:, (row * p + column) * 3 + colour] = x[:, colour, row::p, column::p]
    x = functional.conv2d(patches, weights["to_patch_embedding.1.weight"], weights["to_patch_embedding.1.bias"])

    def norm(x: Tensor, at: str) -> Tensor:
        return _norm(x, 1, 1e-5) * weights[f"{at}.g"] + weights[f"{at}.b"]

    def conv(x: Tensor, at: str, padding: int = 0) -> Tensor:
        return functional.conv2d(x, weights[f"{at}.weight"], weights.get(f"{at}.bias"), padding=padding)

    def attended(x: Tensor, at: str, count: int, width: int) -> Tensor:
        inner = count * width
        qkv = conv(norm(x, f"{at}.norm"), f"{at}.fn.to_qkv")
        q, k, v = (qkv[:, i * inner : (i + 1) * inner].reshape(len(x), count, width, -1) for i in range(3))
        scores = torch.softmax(torch.einsum("bhdi,bhdj->bhij", q, k) * width**-0.5, -1)
        mixed = torch.einsum("bhij,bhdj->bhdi", scores, v).reshape(len(x), inner, *x.shape[2:])
        return conv(mixed, f"{at}.fn.to_out.0")

    for level, depth in enumerate(_depths(block_repeats, num_hierarchies)):
        grid, count = 2 ** (num_hierarchies - 1 - level), heads * 2**level
        side, out = x.shape[2] // grid, torch.zeros_like(x)
        for i in range(grid):
            for j in range(grid):
                rows, columns = slice(i * side, (i + 1) * side), slice(j * side, (j + 1) * side)
                block = x[:, :, rows, columns] + weights[f"layers.{level}.0.pos_emb"].reshape(1, 1, side, side)
                for k in range(depth):
                    at = f"layers.{level}.0.layers.{k}"
                    block = block + attended(block, f"{at}.0", count, dim * 2**level // count)
                    hidden = _gelu(conv(norm(block, f"{at}.1.norm"), f"{at}.1.fn.net.0"))
                    block = block + conv(hidden, f"{at}.1.fn.net.3")
                out[:, :, rows, columns] = block
        x = out
        if level < num_hierarchies - 1:
            x = norm(conv(x, f"layers.{level}.1.0", padding=1), f"layers.{level}.1.1")
            x = functional.max_pool2d(x, 3, 2, 1)
    x = norm(x, "mlp_head.0").mean((2, 3))
    return x @ weights["mlp_head.2.weight"].T + weights["mlp_head.2.bias"]


def hsta_shapes(
    *, modules: int, usta: Sequence[int], num_classes: int, embed_dim: Sequence[int], patch_size: Sequence[int],
    tubelet: int, **others: Any,
) -> Shapes:  # fmt: skip
    """Return the names and shapes of the published state dict."""
    del others
    found: Shapes = {}

    def norm(at: str, width: int) -> None:
        found[f"{at}.weight"], found[f"{at}.bias"] = (width,), (width,)

    def linear(at: str, into: int, out: int) -> None:
        found[f"{at}.weight"], found[f"{at}.bias"] = (out, into), (out,)

    for i in (0, 1):
        found[f"patch_embed.{i}.proj.weight"] = (embed_dim[i], 3, tubelet, patch_size[i], patch_size[i])
        found[f"patch_embed.{i}.proj.bias"] = (embed_dim[i],)
        found[f"cls_token.{i}"] = (1, 1, embed_dim[i])
        norm(f"norm.{i}", embed_dim[i])
    for m in range(modules):
        for i in (0, 1):
            own, other = embed_dim[i], embed_dim[1 - i]
            for k in range(usta[i]):
                at = f"blocks.{m}.blocks.{i}.{k}"
                norm(f"{at}.norm1", own)
                norm(f"{at}.norm2", own)
                found |= {f"{at}.attn.q_bias": (own,), f"{at}.attn.v_bias": (own,)}
                found[f"{at}.attn.qkv.weight"] = (3 * own, own)
                linear(f"{at}.attn.proj", own, own)
                linear(f"{at}.mlp.fc1", own, 4 * own)
                linear(f"{at}.mlp.fc2", 4 * own, own)
            norm(f"blocks.{m}.projs.{i}.0", own)
            linear(f"blocks.{m}.projs.{i}.2", own, other)
            norm(f"blocks.{m}.fusion.{i}.norm1", other)
            for name in ("wq", "wk", "wv", "proj"):
                linear(f"blocks.{m}.fusion.{i}.attn.{name}", other, other)
            norm(f"blocks.{m}.revert_projs.{i}.0", other)
            linear(f"blocks.{m}.revert_projs.{i}.2", other, own)
    linear("head", sum(embed_dim), num_classes)
    return found


def hsta(
    weights: Weights, x: Tensor, *, modules: int, usta: Sequence[int], num_classes: int, embed_dim: Sequence[int],
    num_heads: Sequence[int], image_size: int, patch_size: Sequence[int], frames: int, special: int, tubelet: int,
) -> Tensor:  # fmt: skip
    """Return the logits of (B, 3, frames + special, S, S)."""
    del num_classes, embed_dim, special

    def norm(x: Tensor, at: str) -> Tensor:
        return _norm(x, -1, 1e-6) * weights[f"{at}.weight"] + weights[f"{at}.bias"]

    def linear(x: Tensor, at: str) -> Tensor:
        return x @ weights[f"{at}.weight"].T + weights[f"{at}.bias"]

    def mixed(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        batch, count, width = q.shape
        q, k, v = (t.reshape(batch, -1, heads, width // heads).permute(0, 2, 1, 3) for t in (q, k, v))
        scores = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width / heads), -1)
        return (scores @ v).permute(0, 2, 1, 3).reshape(batch, count, width)

    def embedded(clip: Tensor, i: int) -> Tensor:
        p, flat = patch_size[i], weights[f"patch_embed.{i}.proj.weight"].flatten(1)
        tokens = [weights[f"cls_token.{i}"].expand(len(clip), 1, -1)[:, 0]]
        for t in range(clip.shape[2] // tubelet):
            for row in range(image_size // p):
                for column in range(image_size // p):
                    cube = clip[:, :, t * tubelet : (t + 1) * tubelet, row * p : (row + 1) * p]
                    cube = cube[..., column * p : (column + 1) * p].reshape(len(clip), -1)
                    tokens.append(cube @ flat.T + weights[f"patch_embed.{i}.proj.bias"])
        z = torch.stack(tokens, 1)
        place = np.zeros(z.shape[1:])
        for position in range(place.shape[0]):
            for j in range(place.shape[1]):
                angle = position / 10000 ** (2 * (j // 2) / place.shape[1])
                place[position, j] = math.cos(angle) if j % 2 else math.sin(angle)
        return z + torch.from_numpy(place)

    def block(z: Tensor, at: str, heads: int) -> Tensor:
        width = z.shape[-1]
        qkv = norm(z, f"{at}.norm1") @ weights[f"{at}.attn.qkv.weight"].T
        q, k, v = qkv[..., :width], qkv[..., width : 2 * width], qkv[..., 2 * width :]
        seen = mixed(q + weights[f"{at}.attn.q_bias"], k, v + weights[f"{at}.attn.v_bias"], heads)
        z = z + linear(seen, f"{at}.attn.proj")
        return z + linear(_gelu(linear(norm(z, f"{at}.norm2"), f"{at}.mlp.fc1")), f"{at}.mlp.fc2")

    def crossed(own: Tensor, other: Tensor, m: int, i: int) -> Tensor:
        at = f"blocks.{m}.fusion.{i}"
        token = linear(_gelu(norm(own[:, :1], f"blocks.{m}.projs.{i}.0")), f"blocks.{m}.projs.{i}.2")
        y = norm(torch.cat([token, other[:, 1:]], 1), f"{at}.norm1")
        q, k, v = linear(y[:, :1], f"{at}.attn.wq"), linear(y, f"{at}.attn.wk"), linear(y, f"{at}.attn.wv")
        token = token + linear(mixed(q, k, v, num_heads[1 - i]), f"{at}.attn.proj")
        back = linear(_gelu(norm(token, f"blocks.{m}.revert_projs.{i}.0")), f"blocks.{m}.revert_projs.{i}.2")
        return torch.cat([back, own[:, 1:]], 1)

    branches = [embedded(x[:, :, frames:], 0), embedded(x[:, :, :frames], 1)]
    for m in range(modules):
        for i in (0, 1):
            for k in range(usta[i]):
                branches[i] = block(branches[i], f"blocks.{m}.blocks.{i}.{k}", num_heads[i])
        branches = [crossed(branches[i], branches[1 - i], m, i) for i in (0, 1)]
    return linear(torch.cat([norm(branches[i], f"norm.{i}")[:, 0] for i in (0, 1)], -1), "head")


def _batch_norm(x: Tensor, weights: Weights, at: str) -> Tensor:
    mean, variance, gain, shift = (
        weights[f"{at}.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(variance + 1e-5) * gain + shift


def ststnet(weights: Weights, x: Tensor) -> Tensor:
    """Return the logits of (B, C, 28, 28)."""
    streams = []
    for number in (1, 2, 3):
        y = functional.conv2d(x, weights[f"conv{number}.weight"], weights[f"conv{number}.bias"], padding=2).clamp(min=0)
        y = _batch_norm(y, weights, f"bn{number}")
        streams.append(functional.max_pool2d(y, 3, 3, 1))
    return functional.avg_pool2d(torch.cat(streams, 1), 2).flatten(1) @ weights["fc.weight"].T + weights["fc.bias"]


def rcn_a(weights: Weights, x: Tensor, pooled: int) -> Tensor:
    """Return the logits of (B, C, H, W); `pooled` is the side of the map that the classifier sees."""

    def unit(x: Tensor, at: str, padding: int = 0) -> Tensor:
        y = functional.conv2d(x, weights[f"{at}.conv.weight"], weights[f"{at}.conv.bias"], padding=padding)
        return _batch_norm(y, weights, f"{at}.norm").clamp(min=0)

    x = functional.max_pool2d(unit(x, "stem"), 2)
    y = unit(x, "recurrent.forth")
    for _ in range(2):
        y = unit(x + y, "recurrent.back", padding=1)
    seen = functional.adaptive_avg_pool2d(x, pooled)
    y = functional.adaptive_avg_pool2d(functional.max_pool2d(y, 2), pooled)
    classifier = weights["head.weight"].reshape(len(weights["head.bias"]), -1, pooled, pooled)
    logits = []
    for clip, features in zip(seen, y, strict=True):
        maps = [(own * clip).sum(0) for own in classifier]
        attention = torch.stack([(own - own.min()) / (own.max() - own.min()) for own in maps]).mean(0)
        logits.append(weights["head.weight"] @ (features * attention).flatten() + weights["head.bias"])
    return torch.stack(logits)


def off_apexnet(weights: Weights, x: Tensor) -> Tensor:
    """Return the logits of (B, 2, 28, 28), u and v."""
    streams = []
    for place, name in enumerate(("horizontal", "vertical")):
        y = x[:, place : place + 1]
        for layer in ("first", "second"):
            at = f"{name}.{layer}"
            y = functional.conv2d(y, weights[f"{at}.weight"], weights[f"{at}.bias"], padding=2).clamp(min=0)
            y = functional.max_pool2d(y, 2)
        streams.append(y.flatten(1))
    y = torch.cat(streams, 1)
    for layer in ("joint", "deep"):
        y = (y @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]).clamp(min=0)
    return y @ weights["head.weight"].T + weights["head.bias"]
