"""HSTA against the published implementation: golden outputs, counts, key map; and what its design promises.

The logits were computed once with the published code, weights and inputs made by formula (see `_tensor`).
"""

from __future__ import annotations

import gc
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from merprep.errors import ModelError
from merprep.models import load_published, published_shapes, to_published
from merprep.models.hsta import HSTA, sinusoids
from merprep.models.hsta_blocks import DropPath

TINY: dict[str, Any] = {
    "modules": 2, "usta": [1, 2], "num_classes": 3, "embed_dim": [24, 48], "num_heads": [2, 4], "image_size": 48,
    "patch_size": [12, 16], "frames": 6, "special": 2, "tubelet": 2,
}  # fmt: skip
TINY_LOGITS = [[0.7658243, -0.2846881, -0.3270016], [0.6125655, -0.309809, -0.3445479]]
PUBLISHED_LOGITS = [
    [-1.735588, -0.9138731, 0.4688488, -0.8586155, 1.162215, 0.4771237, -0.02047948],
    [-1.85335, -0.8484663, 0.8298245, -1.065074, 0.493056, 0.8103432, -0.2632554],
]


def _tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.05
    values = np.asarray(drawn, np.float32)
    return torch.from_numpy(values + np.float32(name.endswith(".weight") and len(shape) == 1))


def _filled(network: HSTA) -> HSTA:
    shapes = published_shapes(network)
    return load_published(network, {name: _tensor(name, shape) for name, shape in shapes.items()}).eval()


def _logits(network: HSTA) -> np.ndarray[Any, Any]:
    size = network.image_size
    shape = (2, 3, network.frames + network.special, size, size)
    clips = np.random.RandomState(7).uniform(-1, 1, shape).astype(np.float32)
    with torch.no_grad():
        return network(torch.from_numpy(clips)).numpy()


def _close(found: np.ndarray[Any, Any], expected: list[list[float]]) -> bool:
    wanted = np.array(expected)
    return bool(np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max())


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.slow
def test_published_hsta_gives_the_published_logits() -> None:
    network = _filled(HSTA())
    assert _close(_logits(network), PUBLISHED_LOGITS)
    del network
    gc.collect()


def test_small_hsta_gives_the_published_logits() -> None:
    network = _filled(HSTA(**TINY))
    assert _parameters(network) == 256_251
    assert len(published_shapes(network)) == 162
    assert _close(_logits(network), TINY_LOGITS)


def test_the_state_dict_has_the_published_names_and_no_positions() -> None:
    with torch.device("meta"):
        shapes = published_shapes(HSTA())
    assert len(shapes) == 312
    assert shapes["patch_embed.0.proj.weight"] == (384, 3, 2, 12, 12)
    assert shapes["cls_token.1"] == (1, 1, 768)
    assert shapes["blocks.3.blocks.1.1.attn.q_bias"] == (768,)
    assert shapes["blocks.0.projs.0.2.weight"] == (768, 384)
    assert shapes["blocks.0.fusion.0.attn.wq.weight"] == (768, 768)
    assert shapes["blocks.0.fusion.1.norm1.weight"] == (384,)
    assert shapes["blocks.0.revert_projs.0.2.weight"] == (384, 768)
    assert not any("pos" in name for name in shapes)


@pytest.mark.parametrize(
    ("modules", "video_blocks", "millions"),
    [(1, 2, 21.6), (2, 2, 41.7), (3, 2, 61.8), (4, 1, 53.5), (4, 2, 81.9), (4, 3, 110.2), (4, 4, 138.6), (6, 2, 122.1),
     (8, 2, 162.3)],
)  # fmt: skip
def test_parameter_counts_follow_the_published_grid(modules: int, video_blocks: int, millions: float) -> None:
    with torch.device("meta"):
        found = _parameters(HSTA(modules=modules, usta=(1, video_blocks)))
    assert round(found / 1e6, 1) == millions
    if (modules, video_blocks) == (4, 2):
        assert found == 81_887_623


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [
        ({}, (17, 28)),
        ({"image_size": 50}, (17, 28)),
        ({"image_size": 63, "patch_size": [9, 10]}, (50, 109)),
        ({"tubelet": 1}, (33, 55)),
        ({"tubelet": 3, "special": 4, "frames": 7}, (17, 19)),
        ({"frames": 16, "special": 2}, (17, 73)),
        ({"usta": [3, 1], "modules": 1}, (17, 28)),
        ({"usta": 2, "embed_dim": 12, "num_heads": 3, "patch_size": 8, "num_classes": 2}, (37, 109)),
        ({"header": "mean"}, (17, 28)),
        ({"header": "class+last"}, (17, 28)),
    ],
)
def test_every_configuration_runs_and_its_weights_go_there_and_back(
    changes: dict[str, Any], tokens: tuple[int, int]
) -> None:
    settings = {**TINY, **changes}
    network = _filled(HSTA(**settings))
    assert network.tokens == tokens
    found = _logits(network)
    assert found.shape == (2, settings["num_classes"])
    other = load_published(HSTA(**settings), to_published(network)).eval()
    assert np.array_equal(_logits(other), found)


def test_pixels_that_fill_no_patch_do_not_matter() -> None:
    network = _filled(HSTA(**{**TINY, "image_size": 50}))
    clip = torch.randn(1, 3, 8, 50, 50, generator=torch.Generator().manual_seed(0))
    other = clip.clone()
    other[..., 48:] = 7
    assert torch.equal(network(clip), network(other))


def test_tokens_of_both_branches_are_counted_as_published() -> None:
    with torch.device("meta"):
        assert HSTA(modules=1).tokens == (325, 589)


def test_patches_reach_the_other_branch_through_its_class_token_only() -> None:
    network = _filled(HSTA(**{**TINY, "modules": 1}))
    level = network.levels[0]
    branches = [torch.randn(1, 17, 24), torch.randn(1, 28, 48)]
    changed = [branches[0], branches[1] + torch.cat([torch.zeros(1, 1, 48), torch.randn(1, 27, 48)], dim=1)]
    before, after = level(branches), level(changed)
    assert torch.equal(before[0][:, 1:], after[0][:, 1:])
    assert not torch.allclose(before[0][:, 0], after[0][:, 0])


def test_positions_are_sines_and_cosines_of_falling_rates() -> None:
    table = sinusoids(5, 6)[0].numpy()
    for place in range(5):
        for column in range(6):
            angle = place / 10000 ** (2 * (column // 2) / 6)
            assert table[place, column] == pytest.approx(np.cos(angle) if column % 2 else np.sin(angle), abs=1e-6)


def test_drop_path_rises_evenly_over_all_blocks() -> None:
    network = HSTA(**{**TINY, "modules": 4})
    rates = [[[block.drop_path.rate for block in branch] for branch in level.usta] for level in network.levels]
    steps = np.linspace(0, 0.2, 8)
    assert np.allclose([branches[1] for branches in rates], steps.reshape(4, 2))
    assert np.allclose([branches[0][0] for branches in rates], steps[::2])


def test_drop_path_leaves_out_whole_clips_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropped = DropPath(0.5)(torch.ones(4000, 3))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.mean().item() == pytest.approx(1, abs=0.1)
    assert (dropped == dropped[:, :1]).all()
    assert torch.equal(DropPath(0.5).eval()(dropped), dropped)


def test_a_clip_of_another_shape_is_refused() -> None:
    with pytest.raises(ModelError, match="does not fit HSTA"):
        HSTA(**TINY)(torch.zeros(1, 3, 6, 48, 48))


@pytest.mark.parametrize(
    "changes",
    [
        {"modules": 0}, {"num_heads": [5, 4]}, {"num_classes": 0}, {"patch_size": [49, 16]}, {"tubelet": 3},
        {"usta": [1, 2, 3]}, {"usta": [0, 0]}, {"usta": [-1, 2]}, {"dropout": 1.0}, {"header": "tail"},
    ],
)  # fmt: skip
def test_numbers_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        HSTA(**{**TINY, **changes})


def test_layers_are_counted_from_the_patch_embedding_to_the_head() -> None:
    network = HSTA(**TINY)
    layers = {name: network.layer_of(name) for name, _ in network.named_parameters()}
    assert set(layers.values()) == {(0, 3), (1, 3), (2, 3), (3, 3)}
    assert layers["embeds.1.weight"] == (0, 3)
    assert layers["levels.1.csta.0.q.weight"] == (2, 3)
    # As published, though not as meant there.
    assert layers["class_tokens.0"] == (3, 3)
