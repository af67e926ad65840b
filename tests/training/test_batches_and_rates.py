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


@pytest.mark.parametrize("batches", [3, 7])
def test_rcn_halves_its_step_every_ten_epochs_however_many_batches_they_have(batches: int) -> None:
    factor = rate_factor(Recipe.of(preset("rcn-a")), batches)
    assert [factor(step) for step in (0, 10 * batches - 1, 10 * batches, 35 * batches)] == [1, 1, 0.5, 0.125]


# What the published code does, in the words of the recipe; what is not named must be off.
OFF = {"weight_decay": 0.0, "layer_decay": 1.0, "bias_rate": 1.0, "schedule": "constant", "warmup_epochs": 0.0,
       "iterations": 0, "drop_last": False, "label_smoothing": 0.0, "class_weight_power": 0.0, "members": 1,
       "decay_matrices_only": False}  # fmt: skip
AS_PUBLISHED = {
    "htnet": {"optimiser": "adam", "learning_rate": 5e-5, "batch_size": 256, "epochs": 800, "order": "by-class"},
    "ststnet": {"optimiser": "adam", "learning_rate": 5e-5, "batch_size": 256, "epochs": 800, "order": "by-class"},
    "off-apexnet": {"optimiser": "adam", "learning_rate": 1e-4, "batch_size": 64, "epochs": 3000},
    "rcn-a": {"optimiser": "sgd", "learning_rate": 5e-4, "momentum": 0.9, "schedule": "step", "step_factor": 0.5,
              "step_epochs": 10, "batch_size": 64, "epochs": 100, "order": "shuffled"},
    "hsta": {"optimiser": "adamw", "learning_rate": 6.25e-5, "weight_decay": 0.05, "decay_matrices_only": True,
             "layer_decay": 0.9, "schedule": "cosine", "warmup_epochs": 5.0, "minimum_learning_rate": 1.25e-7,
             "epochs": 150, "batch_size": 32, "order": "balanced", "drop_last": True},
    "micro-attention": {"optimiser": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-6,
                        "bias_rate": 2.0, "schedule": "step", "step_factor": 0.1, "step_iterations": 500,
                        "iterations": 2500, "batch_size": 16, "order": "equalised"},
}  # fmt: skip
EATS = {
    "htnet": ("mosaic:htnet-published", ("strain", "v", "u"), "minmax-255"),
    "ststnet": ("map", ("strain", "v", "u"), "minmax-255"),
    "off-apexnet": ("map", ("u", "v"), "minmax-255"),
    "hsta": ("frames:6+onset+apex", ("r", "g", "b"), "imagenet"),
    "micro-attention": ("apex", ("gray",), "none"),
}


@pytest.mark.parametrize("model", AS_PUBLISHED)
def test_published_recipes_are_the_published_ones(model: str) -> None:
    chosen = preset(model)
    found = Recipe.of(chosen)
    assert found.augmentation.is_off
    for name, value in (OFF | AS_PUBLISHED[model]).items():
        assert getattr(found, name) == value, name
    if model in EATS:
        assert (chosen.input.representation, chosen.input.channels, chosen.input.normalisation) == EATS[model]
    sizes = {"hsta": (224, 0), "micro-attention": (224, 240)}.get(model, (0, 0))
    assert (chosen.input.size, chosen.input.train_size) == sizes


def test_a_network_without_layers_cannot_learn_layer_by_layer() -> None:
    with pytest.raises(TrainingError, match="no layers"):
        optimiser_of(nn.Linear(2, 2), Recipe(layer_decay=0.9))


@pytest.mark.parametrize(
    "values",
    [
        {"schedule": "step"},
        {"step_iterations": 5},
        {"step_epochs": 5},
        {"schedule": "step", "step_epochs": 1, "step_iterations": 5},
        {"layer_decay": 0.0},
    ],
)
def test_recipes_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Recipe.read(values, where="a test")
