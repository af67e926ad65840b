"""Our networks against the published implementations: golden outputs, parameter counts, key maps.

The logits were computed once with the published code, weights and inputs made by formula (see `_filled`).
"""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from merprep.errors import ModelError, UnknownNameError
from merprep.models import build, load_published, names, preset, presets, published_shapes, to_published

LIVE = {"patch_size": 1, "dim": 48, "heads": 3, "block_repeats": [1, 1, 2], "num_classes": 5}
HTNET_LOGITS = [[1.265804, 1.819975, 0.4434595], [3.003068, -0.4737421, 1.235573]]
LIVE_LOGITS = [
    [0.6657525, 0.4711082, 0.2656257, 0.1355639, -2.200593],
    [0.6703014, 0.4669105, 0.2747908, 0.1323964, -2.197782],
]
STSTNET_LOGITS = [[0.0838295, 0.3552315, -0.09415157], [-0.02702492, 0.2799852, -0.1482635]]


def _tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.05
    values = np.asarray(drawn, np.float32)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        values = np.abs(values) + 1
    elif name.endswith(".g") or (name.endswith(".weight") and len(shape) == 1):
        values = values + 1
    return torch.from_numpy(np.asarray(values, np.float32))


def _filled(network: nn.Module) -> nn.Module:
    shapes = published_shapes(network)
    return load_published(network, {name: _tensor(name, shape) for name, shape in shapes.items()}).eval()


def _logits(network: nn.Module) -> np.ndarray[Any, Any]:
    images = np.random.RandomState(7).uniform(-1, 1, (2, 3, 28, 28)).astype(np.float32)
    with torch.no_grad():
        return network(torch.from_numpy(images)).numpy()


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _randomise_queries_and_keys(network: nn.Module) -> None:
    generator = torch.Generator().manual_seed(1)
    for name, parameter in network.named_parameters():
        if name.endswith("qkv.weight"):
            inner = parameter.shape[0] // 3
            parameter.data[: 2 * inner] = torch.randn(2 * inner, parameter.shape[1], generator=generator)


@pytest.fixture(scope="module")
def published_htnet() -> Iterator[nn.Module]:
    network = _filled(build("htnet"))
    yield network
    del network
    gc.collect()


def _close(found: np.ndarray[Any, Any], expected: list[list[float]]) -> bool:
    wanted = np.array(expected)
    return bool(np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max())


def test_htnet_gives_the_published_logits(published_htnet: nn.Module) -> None:
    assert _parameters(published_htnet) == 139_582_982
    assert len(published_htnet.state_dict()) == 171
    assert _close(_logits(published_htnet), HTNET_LOGITS)


def test_htnet_with_small_patches_gives_the_published_logits() -> None:
    network = _filled(build("htnet", **LIVE))
    assert _parameters(network) == 1_238_168
    assert len(network.state_dict()) == 61
    assert _close(_logits(network), LIVE_LOGITS)


def test_ststnet_gives_the_published_logits() -> None:
    network = _filled(build("ststnet"))
    assert _parameters(network) == 1_683
    assert len(network.state_dict()) == 23
    assert _close(_logits(network), STSTNET_LOGITS)


def test_queries_and_keys_of_published_htnet_change_nothing_for_a_block_holds_one_token(
    published_htnet: nn.Module,
) -> None:
    # A softmax over one token is 1 whatever the score, so the output is the value of that token.
    assert published_htnet.tokens_per_block == 1
    before = _logits(published_htnet)
    _randomise_queries_and_keys(published_htnet)
    assert np.array_equal(_logits(published_htnet), before)


def test_queries_and_keys_matter_where_blocks_hold_many_tokens() -> None:
    network = _filled(build("htnet", **LIVE))
    assert network.tokens_per_block == 49
    before = _logits(network)
    _randomise_queries_and_keys(network)
    assert np.abs(_logits(network) - before).max() > 1e-3


def test_no_gradient_reaches_queries_and_keys_at_one_token() -> None:
    network = build("htnet", preset="sanity")
    network(torch.randn(2, 3, 28, 28)).sum().backward()
    for name, parameter in network.named_parameters():
        if name.endswith("qkv.weight"):
            inner = parameter.shape[0] // 3
            assert parameter.grad is not None
            assert not parameter.grad[: 2 * inner].any()
            assert parameter.grad[2 * inner :].any()


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"patch_size": 1}, 139_546_262),
        ({"dim": 56}, 6_640_000),
        ({"block_repeats": (2, 2, 8)}, 114_400_000),
        ({"heads": 6}, 139_060_000),
    ],
)
def test_parameter_counts_follow_the_published_sizes(settings: dict[str, Any], count: int) -> None:
    with torch.device("meta"):
        found = _parameters(build("htnet", **settings))
    # The longer numbers are exact, the round ones are given to three or four digits.
    assert found == count if count % 10_000 else abs(found - count) <= 50_000


def test_every_preset_builds_and_maps_an_image_to_one_logit_a_class() -> None:
    for model in ("htnet", "ststnet"):
        for name in presets(model):
            with torch.device("meta"):
                network = build(model, preset=name, num_classes=7)
                assert network(torch.empty(2, 3, 28, 28)).shape == (2, 7)


@pytest.mark.parametrize("model", ["htnet", "ststnet"])
def test_weights_survive_the_way_to_published_names_and_back(model: str) -> None:
    settings = {"dim": 16, "heads": 2} if model == "htnet" else {}
    first, second = build(model, **settings), build(model, **settings)
    load_published(second, to_published(first))
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_weights_saved_from_data_parallel_training_load() -> None:
    network = build("ststnet")
    theirs = {f"module.{name}": tensor for name, tensor in to_published(network).items()}
    load_published(build("ststnet"), theirs)


def test_weights_of_another_configuration_are_refused_and_nothing_is_loaded() -> None:
    network = build("ststnet")
    before = network.head.weight.clone()
    wrong = to_published(build("ststnet", num_classes=5))
    wrong["extra"] = wrong.pop("bn1.bias")
    with pytest.raises(ModelError) as caught:
        load_published(network, wrong)
    message = str(caught.value)
    assert "bn1.bias is missing" in message
    assert "extra is unknown" in message
    assert "fc.weight is (5, 400), not (3, 400)" in message
    assert torch.equal(network.head.weight, before)


@pytest.mark.parametrize(
    "settings",
    [
        {"patch_size": 5},
        {"patch_size": 4},
        {"image_size": 30},
        {"heads": 300},
        {"dim": 0},
        {"num_hierarchies": 2},
        {"block_repeats": (1, 0, 1)},
        {"num_classes": 0},
    ],
)
def test_sizes_that_do_not_fit_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        build("htnet", **settings)


def test_the_refusal_names_patch_sizes_that_fit() -> None:
    with pytest.raises(ModelError, match=r"choose patch_size among \[1, 7\]"):
        build("htnet", patch_size=4)


def test_an_input_of_another_size_is_refused() -> None:
    with pytest.raises(ModelError, match="does not fit HTNet"):
        build("htnet", preset="sanity")(torch.zeros(1, 3, 56, 56))
    with pytest.raises(ModelError, match="does not fit STSTNet"):
        build("ststnet")(torch.zeros(1, 3, 56, 56))


def test_unknown_names_are_refused_with_the_nearest_spelling() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'htnet'"):
        build("htnett")
    with pytest.raises(UnknownNameError, match="did you mean 'sanity'"):
        build("htnet", preset="sanety")
    with pytest.raises(UnknownNameError, match="did you mean 'patch_size'"):
        build("htnet", patchsize=7)


def test_a_baseline_cannot_be_built_as_a_network() -> None:
    with pytest.raises(ModelError, match="majority is a baseline"):
        build("majority")


def test_every_preset_is_valid_and_its_recipe_too() -> None:
    from merprep.training import Recipe

    for model in names():
        for name in presets(model):
            chosen = preset(model, name)
            assert chosen.description.strip()
            assert chosen.kind == "baseline" or Recipe.of(chosen).epochs > 0
