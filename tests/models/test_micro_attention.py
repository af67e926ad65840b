"""Micro-Attention: counts, the gate, and weights of a Caffe net against a graph built by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from merprep.errors import ModelError
from merprep.models.caffe import load_caffe, to_caffe
from merprep.models.micro_attention import BatchNorm, MicroAttention, Unit

SMALL: dict[str, Any] = {"widths": (4, 6, 8), "image_size": 45, "num_classes": 3}
Blobs = dict[str, list[np.ndarray]]


def _small() -> MicroAttention:
    torch.manual_seed(0)
    return MicroAttention(**SMALL)


def _blobs(factor: float) -> Blobs:
    """Draw the blobs of a net of the published layer names, statistics summed up by `factor`."""
    rng = np.random.default_rng(0)

    def layer(*shapes: tuple[int, ...]) -> list[np.ndarray]:
        return [rng.normal(0, 0.3, shape).astype(np.float32) for shape in shapes]

    def norm(name: str, width: int) -> Blobs:
        mean, variance = rng.normal(0, 0.3, width), rng.uniform(0.5, 2, width)
        sums = [np.asarray(values * factor, np.float32) for values in (mean, variance)]
        scale = [rng.uniform(0.5, 2, width).astype(np.float32), rng.normal(0, 0.3, width).astype(np.float32)]
        return {name: [*sums, np.array([factor], np.float32)], name.replace("bn", "scale"): scale}

    widths = SMALL["widths"]
    found = {**norm("data_bn", 1), **norm("conv1_bn", widths[0]), **norm("last_bn", widths[-1])}
    found["conv1"] = layer((widths[0], 1, 7, 7), (widths[0],))
    found["classifier-Expressions"] = layer((3, widths[-1]), (3,))
    for index, width in enumerate(widths):
        before = widths[max(index - 1, 0)]
        if index:
            found |= norm(f"layer_{width}_1_bn1", before)
            found[f"layer_{width}_1_conv_expand"] = layer((width, before, 1, 1))
        found[f"layer_{width}_1_conv1"] = layer((width, before, 3, 3))
        found |= norm(f"layer_{width}_1_bn2", width)
        found[f"layer_{width}_1_conv2"] = layer((width, width, 3, 3))
        found[f"mask_Concat_{width}_1x1"] = layer((width, 3 * width, 1, 1))
        found[f"mask_Concat_{width}_1x1_one"] = [np.full((1, width, 1, 1), 1 / width, np.float32)]
    return found


def _graph(blobs: Blobs, x: Tensor) -> Tensor:
    """Run the published layer table, layer by layer, as Caffe would."""
    weight = {name: [torch.from_numpy(blob) for blob in layer] for name, layer in blobs.items()}

    def norm(name: str, x: Tensor) -> Tensor:
        mean, variance, factor = weight[name]
        gamma, beta = (blob[:, None, None] for blob in weight[name.replace("bn", "scale")])
        scaled = (x - (mean / factor)[:, None, None]) / torch.sqrt((variance / factor)[:, None, None] + 1e-5)
        return scaled * gamma + beta

    x = functional.conv2d(norm("data_bn", x), *weight["conv1"], stride=2, padding=3)
    x = functional.max_pool2d(functional.relu(norm("conv1_bn", x)), 3, 2, ceil_mode=True)
    for index, width in enumerate(SMALL["widths"]):
        p, k = x, x
        if index:
            p = functional.relu(norm(f"layer_{width}_1_bn1", x))
            k = functional.conv2d(p, *weight[f"layer_{width}_1_conv_expand"], stride=2)
        a = functional.conv2d(p, *weight[f"layer_{width}_1_conv1"], stride=2 if index else 1, padding=1)
        a = functional.relu(norm(f"layer_{width}_1_bn2", a))
        b = functional.conv2d(a, *weight[f"layer_{width}_1_conv2"], padding=1)
        mask = functional.conv2d(torch.cat([k, a, b], 1), *weight[f"mask_Concat_{width}_1x1"])
        mask = functional.conv2d(mask, *weight[f"mask_Concat_{width}_1x1_one"]).sigmoid()
        x = (b + k) + mask * (b + k)
    x = functional.relu(norm("last_bn", x)).mean(dim=(2, 3))
    return functional.linear(x, *weight["classifier-Expressions"])


def test_the_network_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = MicroAttention(num_classes=5)
    assert sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) == 5_944_839
    units = [sum(parameter.numel() for parameter in unit.parameters()) for unit in network.units]
    assert units == [86_144, 278_912, 1_114_880, 4_457_984]
    attention = sum(parameter.numel() for name, parameter in network.named_parameters() if ".attention." in name)
    assert attention == 1_044_480


def test_maps_have_the_published_sizes() -> None:
    with torch.device("meta"):
        gates = MicroAttention().eval().gates(torch.empty(1, 1, 224, 224))
    assert [tuple(gate.shape[1:]) for gate in gates] == [(1, 56, 56), (1, 28, 28), (1, 14, 14), (1, 7, 7)]


def test_the_gate_lies_between_one_and_two_and_multiplies_the_residual_sum() -> None:
    network = _small()
    for gate in network.train().gates(torch.rand(2, 1, 45, 45) * 255):
        assert gate.min() > 1
        assert gate.max() < 2
    network.eval()
    unit = network.units[1]
    assert isinstance(unit, Unit)
    x = torch.randn(2, 4, 11, 11)
    z, gate = unit.summed(x)
    assert torch.equal(unit(x), z * gate)
    unit.attention.weight.data.zero_()
    assert torch.equal(unit(x), 1.5 * z)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("scale", [0.0, 1.0, 255.0, 1e6])
def test_the_gate_never_reaches_one_or_two_however_far_from_zero_its_sum_is(scale: float, training: bool) -> None:
    # Fresh from its start, a network in evaluation has no idea yet how large its input is.
    network = _small().train(training)
    for gate in network.gates(torch.rand(2, 1, 45, 45, generator=torch.Generator().manual_seed(0)) * scale):
        assert gate.dtype == torch.float32
        assert gate.min() > 1
        assert gate.max() < 2


@pytest.mark.parametrize("factor", [1.0, 7.3, 999.9])
def test_caffe_weights_give_what_their_own_graph_gives(factor: float) -> None:
    blobs = _blobs(factor)
    network = load_caffe(_small(), blobs).eval()
    images = torch.from_numpy(np.random.default_rng(1).uniform(0, 255, (2, 1, 45, 45)).astype(np.float32))
    with torch.no_grad():
        expected, found = _graph(blobs, images), network(images)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_weights_survive_the_way_to_caffe_and_back() -> None:
    network = _small()
    for _ in range(3):
        network.train()(torch.rand(4, 1, 45, 45) * 255)
    blobs = to_caffe(network)
    other = load_caffe(_small(), blobs)
    for (name, ours), theirs in zip(network.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5), name
    assert blobs["data_bn"][2][0] == pytest.approx(1 + 0.999 + 0.999**2)
    images = torch.rand(2, 1, 45, 45) * 255
    assert torch.allclose(network.eval()(images), other.eval()(images), rtol=1e-4, atol=1e-5)


def test_blobs_of_another_configuration_are_refused_and_nothing_is_loaded() -> None:
    network = _small()
    before = network.stem.weight.clone()
    blobs = _blobs(1.0)
    blobs["other"] = blobs.pop("conv1_bn")
    blobs["conv1"] = [blobs["conv1"][0][:2], blobs["conv1"][1]]
    with pytest.raises(ModelError) as caught:
        load_caffe(network, blobs)
    for text in ("conv1_bn is missing", "other is unknown", "conv1 holds [98, 4] numbers, not [196, 4]"):
        assert text in str(caught.value)
    assert torch.equal(network.stem.weight, before)


def test_an_attention_map_that_is_no_mean_is_refused() -> None:
    blobs = _blobs(1.0)
    blobs["mask_Concat_4_1x1_one"][0][0, 0] = 1
    with pytest.raises(ModelError, match="no plain mean"):
        load_caffe(_small(), blobs)


def test_moving_averages_are_freed_from_their_start() -> None:
    norm = BatchNorm(1).train()
    batches = [torch.full((8, 1, 2, 2), value) for value in (3.0, 5.0, 1.0)]
    for batch in batches:
        norm(batch)
    weights = np.array([0.999**2, 0.999, 1.0])
    assert norm.running_mean is not None
    assert norm.running_mean.item() == pytest.approx(float(weights @ [3, 5, 1] / weights.sum()), rel=1e-5)
    continued = BatchNorm(1)
    continued.load_state_dict(norm.state_dict())
    assert torch.equal(continued.train()(batches[0]), norm(batches[0]))
    assert torch.equal(continued.running_mean, norm.running_mean)


def test_an_input_of_another_size_and_impossible_numbers_are_refused() -> None:
    with pytest.raises(ModelError, match="does not fit Micro-Attention"):
        _small()(torch.zeros(1, 3, 45, 45))
    with pytest.raises(ModelError, match="cannot be built"):
        MicroAttention(widths=())
