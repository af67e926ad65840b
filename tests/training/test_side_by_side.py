"""Networks that are trained side by side, against the same networks trained alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from merprep.models import build, preset
from merprep.training import Recipe, train
from merprep.training.augment import Mirror
from merprep.training.fit import fit
from merprep.training.recipe import Augmentation
from merprep.training.stacked import StackedNetwork, dropout_generator, is_stackable, with_own_dropout
from merprep.training.stacked_fit import Side, batch_shape, fit_stacked
from merprep.training.stacked_layers import Stack, StackedBatchNorm2d, StackedConv2d, StackedDropout
from merprep.training.stacked_streams import StackedStreams

Maker = Callable[..., Path]
SMALL = {
    "htnet": {"dim": 8, "heads": 2, "block_repeats": (1, 1, 1)},
    "ststnet": {},
    "rcn-a": {"filters": 4, "pooled": 3},
    "off-apexnet": {"hidden": 16},
    "flow-cnn": {"filters": (4, 6)},
}
MIRROR = Mirror((0,), 0.0, (1,))
CHANGES = Augmentation(flip=0.5, shift=2, noise=0.1, rotation=10, flow_noise=0.1, blend=0.5)


@pytest.fixture
def doubles() -> Iterator[None]:
    """Count in double precision, in which a difference of method cannot hide behind rounding."""
    before = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(before[0])
    torch.set_num_threads(before[1])


def _network(model: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build(model, "sanity", **SMALL[model])


def _sides(model: str, sizes: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
    made = []
    for number, size in enumerate(sizes):
        generator = torch.Generator().manual_seed(number)
        channels = 2 if model == "off-apexnet" else 3
        images = torch.randn(size, channels, 28, 28, generator=generator)
        made.append((images, torch.randint(0, 3, (size,), generator=generator)))
    return made


def _alone(model: str, recipe: Recipe, sizes: tuple[int, ...]) -> tuple[list[nn.Module], list[float]]:
    networks, losses = [], []
    for number, (images, labels) in enumerate(_sides(model, sizes)):
        network = with_own_dropout(_network(model, number), dropout_generator("cpu", number))
        generator = torch.Generator().manual_seed(number)
        losses.append(fit(network, images, labels, recipe, n_classes=3, mirror=MIRROR, generator=generator))
        networks.append(network.eval())
    return networks, losses


def _together(model: str, recipe: Recipe, sizes: tuple[int, ...]) -> tuple[list[nn.Module], list[float]]:
    networks = [_network(model, number) for number in range(len(sizes))]
    sides = [
        Side(images, labels, torch.Generator().manual_seed(number))
        for number, (images, labels) in enumerate(_sides(model, sizes))
    ]
    dropout = [dropout_generator("cpu", number) for number in range(len(sizes))]
    losses = fit_stacked(networks, sides, recipe, n_classes=3, mirror=MIRROR, dropout=dropout)
    return [network.eval() for network in networks], losses


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("model", sorted(SMALL))
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_side_by_side_and_alone_are_the_same_training(model: str, optimiser: str) -> None:
    # Sizes differ, so last batches are of 3, 6 and 8 clips, filled up to one length: no filling may leave a trace.
    sizes = (19, 22, 24)
    recipe = Recipe(
        optimiser=optimiser, learning_rate=1e-3, epochs=2, batch_size=16, label_smoothing=0.1, class_weight_power=0.5,
        weight_decay=0.01, schedule="cosine", augmentation=CHANGES,
    )  # fmt: skip
    alone, losses = _alone(model, recipe, sizes)
    together, others = _together(model, recipe, sizes)
    assert np.allclose(losses, others, rtol=1e-9)
    images = torch.randn(5, 2 if model == "off-apexnet" else 3, 28, 28)
    for one, other in zip(alone, together, strict=True):
        assert torch.allclose(one(images), other(images), atol=1e-6)
        for name, values in other.state_dict().items():
            assert torch.allclose(one.state_dict()[name].double(), values.double(), atol=1e-5), name


@pytest.mark.parametrize("model", sorted(SMALL))
def test_a_result_does_not_depend_on_who_else_is_in_the_stack(model: str, make_features: Maker, tmp_path: Path) -> None:
    chosen = preset(model, "sanity")
    chosen = chosen.model_copy(update={"architecture": {**chosen.architecture, **SMALL[model]}})
    settings = {"model": model, "preset": chosen, "epochs": 4, "jobs": 1}
    features = make_features(persons=5, emotions=lambda n: ("negative", "positive", "surprise") * (2 + n % 2))
    found = [train(features, run_folder=tmp_path / str(n), stack=n, **settings) for n in (1, 2, 5)]
    alone, two, five = (result.predictions.filter(like="probability").to_numpy() for result in found)
    assert np.abs(two - five).max() < 1e-5
    # Alone, sums run in another order, and Adam makes much of gradients that are nothing but rounding.
    assert np.abs(alone - five).max() < 0.02
    assert found[0].full["n"] == found[2].full["n"]


def test_the_same_seed_gives_the_same_predictions_and_another_seed_others(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    settings = {"model": "flow-cnn", "preset": "sanity", "epochs": 2, "jobs": 1}
    first, again = (train(features, run_folder=tmp_path / name, **settings).predictions for name in "ab")
    assert first.equals(again)
    seeds = train(features, run_folder=tmp_path / "c", seeds=2, **settings).predictions
    assert seeds[seeds["seed"] == 0].reset_index(drop=True).equals(first)
    assert (
        not seeds[seeds["seed"] == 1]["probability_negative"]
        .reset_index(drop=True)
        .equals(first["probability_negative"])
    )


def test_one_batched_product_convolves_as_one_network_after_another() -> None:
    layers = [nn.Conv2d(3, 5, 3, padding=2), nn.Conv2d(3, 5, 3, padding=2)]
    stacked = StackedConv2d(Stack(2), layers)
    x = torch.randn(8, 3, 7, 9)
    expected = torch.cat([layer(part) for layer, part in zip(layers, x.split(4), strict=True)])
    assert torch.allclose(stacked.one_by_one(x), expected, atol=1e-6)
    assert torch.allclose(stacked.in_one(x), expected, atol=1e-5)


@pytest.mark.parametrize("sizes", [[4, 4], [3, 2]])
def test_batch_norm_counts_true_clips_only_both_ways(sizes: list[int]) -> None:
    layers = [nn.BatchNorm2d(3), nn.BatchNorm2d(3)]
    x = torch.randn(8, 3, 5, 5)
    expected = [layer(part[:size]) for layer, part, size in zip(layers, x.split(4), sizes, strict=True)]
    for way in ("one_by_one", "in_one"):
        fresh = [nn.BatchNorm2d(3), nn.BatchNorm2d(3)]
        stacked = StackedBatchNorm2d(Stack(2, sizes=sizes), fresh)
        given = x.clone().requires_grad_()
        found = getattr(stacked, way)(given)
        found.square().sum().backward()
        for number, size in enumerate(sizes):
            assert torch.allclose(found[4 * number : 4 * number + size], expected[number], atol=1e-5)
            assert not found[4 * number + size : 4 * number + 4].any()
            assert torch.allclose(stacked.running_var[number], layers[number].running_var, atol=1e-5)
            assert torch.allclose(stacked.running_mean[number], layers[number].running_mean, atol=1e-5)
        stacked.eval()
        assert torch.allclose(getattr(stacked, way)(x)[:4], layers[0].eval()(x[:4]), atol=1e-5)
        layers[0].train()


def test_dropout_keeps_its_share_and_the_mean_and_draws_by_network() -> None:
    generators = [torch.Generator().manual_seed(number) for number in (3, 4)]
    layer = StackedDropout(Stack(2, generators), [nn.Dropout(0.2), nn.Dropout(0.2)])
    x = torch.ones(200, 50, 3)
    found = layer(x)
    assert (found == 0).float().mean() == pytest.approx(0.2, abs=0.01)
    assert found.mean() == pytest.approx(1.0, abs=0.01)
    alone = StackedDropout(Stack(1, [torch.Generator().manual_seed(4)]), [nn.Dropout(0.2)])
    assert torch.equal(alone(x[:100]), found[100:])
    assert torch.equal(layer.eval()(x), x)


def test_gradients_of_one_network_do_not_reach_another() -> None:
    networks = [_network("flow-cnn", 0), _network("flow-cnn", 1)]
    stacked = StackedNetwork(networks, [torch.Generator(), torch.Generator()])
    stacked(torch.randn(2, 4, 3, 28, 28))[0].sum().backward()
    for parameter in stacked.parameters():
        assert parameter.grad is None or not parameter.grad[1].any()
    assert any(parameter.grad is not None and parameter.grad[0].any() for parameter in stacked.parameters())


def test_networks_that_cannot_be_stacked_are_trained_alone_and_the_run_says_so(
    make_features: Maker, tmp_path: Path
) -> None:
    assert not is_stackable(nn.Sequential(nn.Linear(2, 2)))
    chosen = preset("ststnet", "sanity")
    other = chosen.model_copy(update={"recipe": {**chosen.recipe, "decay_matrices_only": True}})
    result = train(make_features(), model="ststnet", preset=other, run_folder=tmp_path / "run", epochs=1, jobs=1)
    assert any("one by one" in note for note in result.notes)
    plain = train(make_features(), model="ststnet", preset=chosen, run_folder=tmp_path / "plain", epochs=1, jobs=1)
    assert not any("one by one" in note for note in plain.notes)


def test_batches_of_like_length_have_one_shape() -> None:
    shapes = {batch_shape(torch.zeros(count, dtype=torch.int64), Recipe(batch_size=64)) for count in range(417, 442)}
    assert shapes == {(7, 64)}


@pytest.mark.usefixtures("doubles")
def test_streams_that_stay_in_the_cache_are_the_streams_where_a_scale_falls_too() -> None:
    torch.manual_seed(0)
    plain = [build("ststnet").streams for _ in range(2)]
    for streams in plain:
        for stream in streams:
            nn.init.normal_(stream.norm.weight)
            nn.init.normal_(stream.norm.bias)
    x, sizes = torch.randn(40, 3, 28, 28), [20, 17]
    together = StackedStreams(Stack(2, sizes=sizes), plain)
    found = together(x.contiguous(memory_format=torch.channels_last))
    weights = torch.randn(20, 16, 10, 10)
    expected = [streams(part[:size]) for streams, part, size in zip(plain, x.split(20), sizes, strict=True)]
    for number, (values, size) in enumerate(zip(expected, sizes, strict=True)):
        own = found[20 * number : 20 * number + size]
        assert torch.allclose(own, values, atol=1e-9)
        torch.autograd.backward((own * weights[:size]).sum(), retain_graph=True)
        torch.autograd.backward((values * weights[:size]).sum())
        for name, grad in (("conv.weight", together.conv.weight.grad), ("norm.weight", together.norm.weight.grad),
                           ("conv.bias", together.conv.bias.grad), ("norm.bias", together.norm.bias.grad)):  # fmt: skip
            theirs = torch.cat([stream.get_parameter(name).grad for stream in plain[number]])
            assert torch.allclose(grad[number], theirs, atol=1e-7), name
    learnt = [build("ststnet").streams for _ in range(2)]
    for number, streams in enumerate(learnt):
        together.give_back(number, streams)
        for name, values in plain[number].state_dict().items():
            assert torch.allclose(streams.state_dict()[name].double(), values.double(), atol=1e-9), name


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("model", sorted(SMALL))
def test_in_one_product_as_on_a_gpu_and_one_after_another_are_the_same(model: str) -> None:
    images = torch.randn(2, 6, 2 if model == "off-apexnet" else 3, 28, 28)
    found = []
    for in_one in (False, True):
        generators = [torch.Generator().manual_seed(number) for number in (5, 6)]
        stacked = StackedNetwork([_network(model, 0), _network(model, 1)], generators)
        stacked.in_one = in_one
        logits = stacked(images, [6, 4])
        torch.autograd.backward(logits[0].square().sum() + logits[1, :4].square().sum())
        trained = [parameter.grad for parameter in stacked.parameters()]
        found.append([logits[0], logits[1, :4], *trained, *stacked.buffers(), stacked.eval()(images)])
    for one, other in zip(*found, strict=True):
        assert one is other is None or torch.allclose(one.double(), other.double(), atol=1e-8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_gives_the_scores_of_a_cpu(make_features: Maker, tmp_path: Path) -> None:
    settings = {"model": "flow-cnn", "epochs": 20}
    on_cpu, on_gpu = (
        train(make_features(), run_folder=tmp_path / name, device=name, **settings).full for name in ("cpu", "cuda")
    )
    assert on_gpu["uf1"] == pytest.approx(on_cpu["uf1"], abs=0.15)


@pytest.mark.parametrize("model", ["ststnet", "rcn-a"])
def test_a_run_that_lost_any_folds_gives_to_the_bit_what_one_that_lost_none_does(
    make_features: Maker, tmp_path: Path, model: str
) -> None:
    # Large enough for sums whose order depends on who stands beside.
    features = make_features(persons=7, clips_per_class=4, noise=0.5)
    settings = {"model": model, "preset": "sanity", "epochs": 3, "jobs": 1, "stack": 5}
    whole = train(features, run_folder=tmp_path / "run", **settings)
    folds = sorted((tmp_path / "run" / "folds").iterdir())
    for lost in ((0,), (2, 5), (1, 2, 3, 4, 6)):
        for number in lost:
            folds[number].unlink()
        again = train(features, run_folder=tmp_path / "run", **settings)
        assert again.predictions.equals(whole.predictions)


def test_a_seed_gives_to_the_bit_what_it_gives_beside_others(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(persons=5, noise=0.5)
    settings = {"model": "ststnet", "preset": "sanity", "epochs": 2, "jobs": 1, "stack": 3}
    alone = train(features, run_folder=tmp_path / "one", **settings).predictions
    beside = train(features, run_folder=tmp_path / "three", seeds=3, **settings).predictions
    assert beside[beside["seed"] == 0].reset_index(drop=True).equals(alone)
