"""Networks in configurations without golden outputs, against the same networks written out; counts; refusals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import written_out
from torch import Tensor, nn

from merprep.errors import ModelError, UnknownNameError
from merprep.models import build, load_published, network_class, published_shapes, to_published

HTNET: dict[str, Any] = {
    "image_size": 28, "patch_size": 7, "dim": 32, "heads": 3, "num_hierarchies": 3, "block_repeats": [1, 1, 2],
    "num_classes": 3,
}  # fmt: skip
HSTA: dict[str, Any] = {
    "modules": 2, "usta": [1, 2], "num_classes": 3, "embed_dim": [24, 48], "num_heads": [2, 4], "image_size": 48,
    "patch_size": [12, 16], "frames": 6, "special": 2, "tubelet": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    # Thousands of tiny operations: threads would only wait for each other.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _agrees(network: nn.Module, shapes: written_out.Shapes, x: Tensor, forward: Callable[..., Tensor]) -> bool:
    """Whether a network, filled by formula, gives what `forward` does, to 1e-5 of the largest logit."""
    assert published_shapes(network) == {name: shapes[name] for name in published_shapes(network)}
    assert set(published_shapes(network)) == set(shapes)
    weights = {name: written_out.by_formula(name, shape) for name, shape in shapes.items()}
    with torch.no_grad():
        expected = forward({name: tensor.double() for name, tensor in weights.items()}, x.double())
        found = load_published(network, weights).eval()(x).double()
    assert found.shape == expected.shape
    return bool((found - expected).abs().max() <= 1e-5 * expected.abs().max())


@pytest.mark.parametrize(
    "changes",
    [
        {"heads": 1}, {"heads": 2}, {"heads": 4}, {"heads": 5, "dim": 56}, {"heads": 6}, {"num_classes": 7},
        {"dim": 56, "block_repeats": [2, 2, 8]}, {"block_repeats": 2}, {"block_repeats": [2, 1, 3], "num_classes": 5},
        {"num_hierarchies": 2, "block_repeats": [2, 3]},
        {"num_hierarchies": 2, "block_repeats": [1, 2], "patch_size": 2, "dim": 20, "heads": 3},
        {"num_hierarchies": 2, "block_repeats": [1, 2], "patch_size": 1, "dim": 12, "heads": 5},
        {"num_hierarchies": 2, "block_repeats": [1, 1], "patch_size": 14}, {"patch_size": 1, "dim": 20},
        {"num_hierarchies": 1, "block_repeats": [3], "patch_size": 4},
        {"num_hierarchies": 4, "block_repeats": [1, 1, 1, 1], "image_size": 32, "patch_size": 2, "dim": 8},
        {"image_size": 56}, {"image_size": 224, "patch_size": 28, "dim": 12},
    ],
)  # fmt: skip
def test_htnet_agrees_with_the_network_written_out(changes: dict[str, Any]) -> None:
    settings = HTNET | changes
    x = written_out.input_of((2, 3, settings["image_size"], settings["image_size"]))
    forward = lambda weights, x: written_out.htnet(weights, x, **settings)  # noqa: E731
    assert _agrees(build("htnet", **settings), written_out.htnet_shapes(**settings), x, forward)


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"modules": 1}, {"modules": 4, "usta": [1, 1]}, {"usta": [2, 1]}, {"usta": [1, 4]},
        {"usta": [3, 3], "num_classes": 7}, {"embed_dim": [36, 30], "num_heads": [3, 5]}, {"image_size": 64},
        {"image_size": 50, "patch_size": [8, 16]}, {"patch_size": [16, 12]}, {"frames": 8}, {"frames": 7},
        {"frames": 4, "special": 4}, {"special": 4}, {"special": 3, "tubelet": 1}, {"num_heads": [6, 12]},
        {"frames": 9, "special": 3, "tubelet": 3}, {"embed_dim": [48, 24], "num_heads": [4, 2], "num_classes": 5},
        {"special": 3, "frames": 5},
    ],
)  # fmt: skip
def test_hsta_agrees_with_the_network_written_out(changes: dict[str, Any]) -> None:
    settings = HSTA | changes
    length, size = settings["frames"] + settings["special"], settings["image_size"]
    forward = lambda weights, x: written_out.hsta(weights, x, **settings)  # noqa: E731
    x = written_out.input_of((2, 3, length, size, size))
    assert _agrees(build("hsta", **settings), written_out.hsta_shapes(**settings), x, forward)


@pytest.mark.parametrize("settings", [{}, {"num_classes": 5}, {"num_classes": 7}, {"channels": 2}])
def test_ststnet_agrees_with_the_network_written_out(settings: dict[str, int]) -> None:
    network = build("ststnet", **settings)
    x = written_out.input_of((2, settings.get("channels", 3), 28, 28))
    assert _agrees(network, published_shapes(network), x, written_out.ststnet)


def _seen(network: nn.Module, channels: int) -> dict[str, Tensor]:
    """Let batch norms see something, and return the weights in double precision."""
    for _ in range(3):
        network.train()(torch.randn(8, channels, 28, 28))
    return {name: tensor.double() for name, tensor in network.eval().state_dict().items()}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"filters": 32, "pooled": 5, "num_classes": 5},
        {"filters": 16, "pooled": 5, "num_classes": 7},
        {"channels": 2},
    ],
)
def test_rcn_a_agrees_with_the_network_written_out(settings: dict[str, int]) -> None:
    torch.manual_seed(0)
    network, channels = build("rcn-a", **settings), settings.get("channels", 3)
    weights, x = _seen(network, channels), torch.randn(4, channels, 28, 28)
    expected = written_out.rcn_a(weights, x.double(), settings.get("pooled", 7))
    assert (network(x) - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("settings", [{}, {"num_classes": 5, "hidden": 40}])
def test_off_apexnet_agrees_with_the_network_written_out(settings: dict[str, int]) -> None:
    torch.manual_seed(0)
    network = build("off-apexnet", **settings)
    weights, x = _seen(network, 2), torch.randn(4, 2, 28, 28)
    expected = written_out.off_apexnet(weights, x.double())
    assert (network(x) - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize(
    ("settings", "millions", "digits"),
    [
        ({"dim": 56}, 6.64, 2), ({"dim": 112}, 26.7, 1), ({"dim": 196}, 81.8, 1), ({"dim": 256}, 139.6, 1),
        ({"dim": 392}, 327, 0), ({"dim": 512}, 558, 0), ({"heads": 1}, 139.76, 2), ({"heads": 2}, 139.76, 2),
        ({"heads": 3}, 139.58, 2), ({"heads": 4}, 139.76, 2), ({"heads": 5}, 139.58, 2), ({"heads": 6}, 139.06, 2),
        ({"block_repeats": (2, 2, 8)}, 114.4, 1), ({"block_repeats": (2, 2, 20)}, 265.4, 1),
        ({"patch_size": 1}, 139.546262, 6), ({}, 139.582982, 6),
    ],
)  # fmt: skip
def test_parameters_of_htnet_are_counted_as_published(settings: dict[str, Any], millions: float, digits: int) -> None:
    with torch.device("meta"):
        found = sum(parameter.numel() for parameter in build("htnet", **settings).parameters())
    assert round(found / 1e6, digits) == millions


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        ("htnet", {"dim": "256"}, "dim='256'"), ("htnet", {"dim": 25.6}, "whole number"),
        ("htnet", {"block_repeats": "abc"}, "whole numbers"), ("htnet", {"num_classes": True}, "whole number"),
        ("htnet", {"dropout": 2}, "0 <= dropout < 1"), ("htnet", {"channels": 0}, "channels=0"),
        ("htnet", {"heads": 0, "dim": -1}, "dim=-1, heads=0"), ("htnet", {"block_repeats": [1, 0, 1]}, "block_repeats"),
        ("hsta", {"tubelet": 0, "modules": 0}, "modules=0; tubelet=0"), ("hsta", {"usta": "usta21"}, "whole numbers"),
        ("hsta", {"modules": 2.5}, "whole number"), ("hsta", {"header": 3}, "word"),
        ("ststnet", {"dropout": "a"}, "a number"),
        ("micro-attention", {"widths": 64}, "cannot be built"), ("rcn-a", {"pooled": None}, "whole number"),
    ],
)  # fmt: skip
def test_a_setting_of_the_wrong_kind_is_named(model: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError) as caught:
        build(model, **settings)
    assert words in str(caught.value)
    assert "not supported between" not in str(caught.value)


def test_numpys_numbers_are_numbers() -> None:
    assert build("htnet", preset="sanity", num_classes=np.int64(5), heads=np.int32(1)).head.out_features == 5


@pytest.mark.parametrize("model", ["htnet", "hsta", "ststnet"])
def test_every_published_setting_is_taken_and_an_unknown_one_lists_them(model: str) -> None:
    settings = {"htnet": HTNET, "hsta": HSTA, "ststnet": {"num_classes": 3}}[model]
    with torch.device("meta"):
        assert isinstance(build(model, "published", **settings), network_class(model))
    with pytest.raises(UnknownNameError) as caught:
        build(model, mlp=4)
    assert all(name in str(caught.value) for name in settings)


def _bare() -> OrderedDict[str, Tensor]:
    return OrderedDict(to_published(build("ststnet")))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: {"state_dict": weights, "epoch": 800},
        lambda weights: {"model": weights, "optimizer": {}, "epoch": 3},
        lambda weights: {"model_state_dict": {f"module.{name}": tensor for name, tensor in weights.items()}},
        lambda weights: {name: nn.Parameter(t, t.is_floating_point()) for name, t in weights.items()},
        lambda weights: {name: t.double() if t.is_floating_point() else t for name, t in weights.items()},
    ],
)
def test_checkpoints_are_unwrapped(wrap: Callable[[OrderedDict[str, Tensor]], dict[str, Any]]) -> None:
    weights = _bare()
    network = load_published(build("ststnet"), wrap(weights))
    assert all(torch.equal(theirs, weights[name]) for name, theirs in to_published(network).items())
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}


def test_half_precision_is_read_as_what_it_says() -> None:
    weights = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in _bare().items()}
    network = load_published(build("ststnet"), weights)
    assert torch.equal(network.head.weight, weights["fc.weight"].float())


@pytest.mark.parametrize(
    ("checkpoint", "words"),
    [
        (None, "NoneType"), ([1, 2], "list"), ({"fc.bias": 3}, "int fc.bias"), ({"state_dict": {"a": "b"}}, "str a"),
        ({}, "is missing"), ({1: torch.zeros(1)}, "1 is unknown"),
        ({"fc.bias": np.zeros(3)}, "ndarray fc.bias"),
    ],
)  # fmt: skip
def test_what_is_no_state_dict_is_refused(checkpoint: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        load_published(build("ststnet"), checkpoint)


def test_weights_that_are_no_numbers_and_merpreps_own_names_are_told() -> None:
    broken = _bare()
    broken["fc.bias"] = broken["fc.bias"] * torch.nan
    with pytest.raises(ModelError, match=r"no numbers[\s\S]*fc\.bias"):
        load_published(build("ststnet"), broken)
    with pytest.raises(ModelError, match="load_state_dict"):
        load_published(build("ststnet"), build("ststnet").state_dict())
    with pytest.raises(ModelError, match=r"merprep\.models\.caffe"):
        load_published(build("micro-attention", preset="tiny"), {})
