"""OFF-ApexNet, RCN-A and flow-cnn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from merprep.errors import ModelError
from merprep.models import build, preset, presets
from merprep.models.htnet import HTNet
from merprep.models.rcn import class_attention


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("model", "settings", "count"),
    [
        ("off-apexnet", {}, 2_664_475),
        ("rcn-a", {}, 55_747),
        ("rcn-a", {"filters": 32, "pooled": 5}, 15_331),
        ("off-apexnet", {"num_classes": 5}, 2_664_475 + 2 * 1025),
    ],
)
def test_parameter_counts_are_the_published_ones(model: str, settings: dict[str, Any], count: int) -> None:
    with torch.device("meta"):
        assert _parameters(build(model, "published", **settings)) == count


@pytest.mark.parametrize("model", ["off-apexnet", "rcn-a", "flow-cnn"])
def test_every_preset_maps_a_clip_to_one_logit_a_class(model: str) -> None:
    for name in presets(model):
        channels = len(preset(model, name).input.channels)
        network = build(model, name, num_classes=5).eval()
        assert network(torch.randn(2, channels, 28, 28)).shape == (2, 5)
        with pytest.raises(ModelError, match="does not fit"):
            network(torch.randn(2, channels + 1, 28, 28))
    with pytest.raises(ModelError, match="cannot be built"):
        build(model, "sanity", num_classes=0)


def test_each_stream_of_off_apexnet_sees_one_direction_of_flow() -> None:
    network = build("off-apexnet")
    clip = torch.randn(1, 2, 28, 28)
    vertical = clip.clone()
    vertical[:, 1] += 1
    assert torch.equal(network.horizontal(clip[:, :1]), network.horizontal(vertical[:, :1]))
    assert not torch.equal(network.vertical(clip[:, 1:]), network.vertical(vertical[:, 1:]))


def test_pooling_before_cutting_is_cutting_before_pooling() -> None:
    values = torch.randn(2, 3, 8, 8)
    first = functional.relu(functional.max_pool2d(values, 2))
    assert torch.equal(first, functional.max_pool2d(functional.relu(values), 2))


def test_attention_of_rcn_lies_between_0_and_1_and_forgets_the_size_of_what_it_sees() -> None:
    x, weight = torch.randn(4, 8, 5, 5), torch.randn(3, 200)
    attention = class_attention(x, weight)
    assert attention.shape == (4, 1, 5, 5)
    assert attention.min() >= 0
    assert attention.max() <= 1
    assert torch.allclose(class_attention(7 * x, weight), attention, atol=1e-5)
    assert torch.isfinite(class_attention(torch.zeros_like(x), weight)).all()


def test_attention_of_stacked_classifiers_is_that_of_each() -> None:
    x, weights = torch.randn(6, 2, 3, 3), torch.randn(2, 4, 18)
    together = class_attention(x, weights)
    assert torch.allclose(together[:3], class_attention(x[:3], weights[0]), atol=1e-6)
    assert torch.allclose(together[3:], class_attention(x[3:], weights[1]), atol=1e-6)


def test_the_recurrent_layer_of_rcn_uses_its_weights_twice() -> None:
    network = build("rcn-a", filters=4, pooled=3)
    calls: list[int] = []
    network.recurrent.back.register_forward_hook(lambda *_: calls.append(1))
    network(torch.randn(2, 3, 28, 28))
    assert len(calls) == 2


def test_one_token_is_given_its_own_value_as_the_whole_formula_says() -> None:
    torch.manual_seed(0)
    attention = HTNet(dim=8, heads=2, block_repeats=1).levels[0].layers[0].attention
    x = torch.randn(5, 1, 8)
    short = attention(x)
    # Written out: queries, keys and values of four numbers a head, and a softmax over the one score that there is.
    q, k, v = attention.qkv(attention.norm(x)).view(5, 1, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
    whole = (((q @ k.transpose(-1, -2)) / 2).softmax(dim=-1) @ v).transpose(1, 2).reshape(5, 1, 8)
    assert torch.allclose(attention.out(whole), short, atol=1e-6)
