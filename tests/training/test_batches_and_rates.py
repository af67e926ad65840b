"""Who stands in which batch, and how fast which parameter learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from merprep.errors import ConfigError, TrainingError
from merprep.models import build, preset
from merprep.training import Recipe
from merprep.training.augment import Mirror
from merprep.training.batches import batch_count, batches_of
from merprep.training.fit import fit
from merprep.training.optimisers import optimiser_of, rate_factor

LABELS = torch.tensor([0] * 30 + [1] * 6 + [3] * 4)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _epoch(recipe: Recipe) -> list[torch.Tensor]:
    return list(batches_of(LABELS, recipe, _generator()))


def test_balanced_draws_make_classes_equally_likely_and_repeat_clips() -> None:
    recipe = Recipe(order="balanced", batch_size=8)
    drawn = torch.cat([torch.cat(_epoch_of(recipe, seed)) for seed in range(100)])
    counts = torch.bincount(LABELS[drawn], minlength=4).numpy()
    assert counts[2] == 0
    assert np.allclose(counts[[0, 1, 3]] / counts.sum(), 1 / 3, atol=0.02)
    assert sum(map(len, _epoch(recipe))) == len(LABELS)


def _epoch_of(recipe: Recipe, seed: int) -> list[torch.Tensor]:
    return list(batches_of(LABELS, recipe, torch.Generator().manual_seed(seed)))


def test_equalised_classes_have_equal_counts_and_no_clip_is_left_out() -> None:
    recipe = Recipe(order="equalised", batch_size=16)
    drawn = torch.cat(_epoch(recipe))
    assert torch.bincount(LABELS[drawn]).tolist() == [30, 30, 0, 30]
    assert set(drawn.tolist()) == set(range(len(LABELS)))
    assert len(_epoch(recipe)) == batch_count(LABELS, recipe) == 6


def test_a_batch_that_is_not_full_is_dropped_unless_it_is_the_only_one() -> None:
    assert [len(batch) for batch in _epoch(Recipe(batch_size=16, drop_last=True))] == [16, 16]
    assert [len(batch) for batch in _epoch(Recipe(batch_size=16))] == [16, 16, 8]
    assert [len(batch) for batch in _epoch(Recipe(batch_size=64, drop_last=True))] == [40]


def test_iterations_end_the_last_epoch_early() -> None:
    seen: list[int] = []
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
    network.register_forward_hook(lambda *_: seen.append(1) if network.training else None)
    epochs: list[int] = []
    recipe = Recipe(iterations=7, batch_size=16, optimiser="sgd")
    mean = fit(
        network, torch.randn(40, 1, 2, 2), LABELS, recipe, n_classes=4, mirror=Mirror((), 0.0), generator=_generator(),
        observe=lambda epoch, _: epochs.append(epoch),
    )  # fmt: skip
    assert len(seen) == 7
    assert epochs == [0, 1, 2]
    assert np.isfinite(mean)


def test_epochs_asked_for_replace_iterations() -> None:
    recipe = Recipe.of(preset("micro-attention"), epochs=3)
    assert recipe.steps(10) == 30
    assert Recipe.of(preset("micro-attention")).steps(10) == 2500


def test_hsta_learns_layer_by_layer_as_published() -> None:
    with torch.device("meta"):
        network = build("hsta")
    recipe = Recipe.of(preset("hsta"))
    rates = {
        id(p): (g["lr"], g["weight_decay"]) for g in optimiser_of(network, recipe).param_groups for p in g["params"]
    }
    names = {name: rates[id(parameter)] for name, parameter in network.named_parameters()}
    assert len(rates) == len(names) == 312
    scales = {name: rate / 6.25e-5 for name, (rate, _) in names.items()}
    assert scales["embeds.0.weight"] == pytest.approx(0.59049)
    assert [scales[f"levels.{m}.csta.0.q.weight"] for m in range(4)] == pytest.approx([0.6561, 0.729, 0.81, 0.9])
    assert scales["head.weight"] == scales["norms.0.weight"] == scales["class_tokens.1"] == 1
    assert names["class_tokens.0"][1] == names["head.weight"][1] == 0.05
    assert {decay for name, (_, decay) in names.items() if name.endswith("bias") or "norm" in name} == {0.0}


def test_biases_of_micro_attention_learn_twice_as_fast() -> None:
    network = build("micro-attention", preset="tiny")
    groups = optimiser_of(network, Recipe.of(preset("micro-attention"))).param_groups
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert rates[id(network.head.bias)] == 0.02
    assert rates[id(network.head.weight)] == 0.01


def test_the_warm_up_is_linear_and_the_cosine_ends_at_the_lowest_rate() -> None:
    recipe = Recipe.of(preset("hsta"), epochs=15)
    factor = rate_factor(recipe, 10)
    rates = np.array([factor(step) for step in range(150)]) * recipe.learning_rate
    assert np.allclose(rates[:50], np.linspace(0, 6.25e-5, 50))
    assert rates[50] == pytest.approx(6.25e-5)
    assert (np.diff(rates[50:]) < 0).all()
    assert factor(150) * recipe.learning_rate == pytest.approx(1.25e-7)


def test_micro_attention_falls_tenfold_every_five_hundred_batches() -> None:
    factor = rate_factor(Recipe.of(preset("micro-attention")), 47)
    assert [factor(step) for step in (0, 499, 500, 1000, 2499)] == pytest.approx([1, 1, 0.1, 0.01, 1e-4])


def test_a_network_without_layers_cannot_learn_layer_by_layer() -> None:
    with pytest.raises(TrainingError, match="no layers"):
        optimiser_of(nn.Linear(2, 2), Recipe(layer_decay=0.9))


@pytest.mark.parametrize("values", [{"schedule": "step"}, {"step_iterations": 5}, {"layer_decay": 0.0}])
def test_recipes_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Recipe.read(values, where="a test")
