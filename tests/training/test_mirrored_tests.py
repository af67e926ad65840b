"""Clips that are tested a second time as their mirror image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from merprep.errors import ModelError
from merprep.models import build_preset, preset
from merprep.models.presets import InputSpec, Preset
from merprep.training import Recipe, predict, train
from merprep.training.augment import Mirror, mirror_for_tests
from merprep.training.final import prefix_of, read_final
from merprep.training.watching import probabilities

Maker = Callable[..., Path]
MAP = InputSpec(representation="map", channels=("u", "v", "strain"))
CHANCES = [f"probability_{name}" for name in ("negative", "positive", "surprise")]


def _preset(mirrored: bool, members: int = 2) -> Preset:
    chosen = preset("flow-cnn", "sanity")
    recipe = {**chosen.recipe, "epochs": 3, "members": members, "test_mirrored": mirrored}
    return chosen.model_copy(update={"name": f"mirrored-{mirrored}", "recipe": recipe})


def test_a_clip_and_its_mirror_image_are_said_to_be_the_same() -> None:
    torch.manual_seed(0)
    network = build_preset(preset("flow-cnn", "sanity"), 3).eval()
    images, mirror = torch.randn(5, 3, 28, 28), Mirror.of(MAP)
    both = probabilities(network, images, mirror=mirror)
    assert torch.allclose(both, probabilities(network, mirror(images), mirror=mirror), atol=1e-6)
    alone = [probabilities(network, each) for each in (images, mirror(images))]
    assert torch.allclose(both, (alone[0] + alone[1]) / 2, atol=1e-6)
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)


def test_side_by_side_and_alone_the_mean_is_the_same_and_not_that_of_the_clip(
    make_features: Maker, tmp_path: Path
) -> None:
    features = make_features()

    def chances(mirrored: bool, stack: int) -> np.ndarray[Any, Any]:
        settings: dict[str, Any] = {"model": "flow-cnn", "max_folds": 2, "jobs": 1, "stack": stack}
        folder = tmp_path / f"{mirrored}-{stack}"
        found = train(features, preset=_preset(mirrored), run_folder=folder, **settings)
        return found.predictions[CHANCES].to_numpy("f8")

    beside, alone, plain = chances(True, 4), chances(True, 1), chances(False, 4)
    assert np.abs(beside - alone).max() < 0.02
    assert np.abs(beside - plain).max() > 0.005


def test_new_clips_are_predicted_by_every_member_both_ways(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    train(features, model="flow-cnn", preset=_preset(True), run_folder=tmp_path, max_folds=1, jobs=1, final=True)
    model, said = read_final(tmp_path), predict(tmp_path, features)
    from merprep.training import FeatureDataset

    images = torch.from_numpy(FeatureDataset(features, 3, spec=model.preset.input).images())
    expected = torch.zeros(len(images), 3)
    for member in range(2):
        prefix = prefix_of(member)
        own = {name: value for name, value in model.tensors.items() if ("/" in name) == bool(prefix)}
        network = build_preset(model.preset, 3)
        network.load_state_dict({name.removeprefix(prefix): value for name, value in own.items()})
        for each in (images, Mirror.of(model.preset.input)(images)):
            expected += probabilities(network.eval(), each) / 4
    assert np.allclose(said[CHANCES].to_numpy("f8"), expected.numpy(), atol=1e-5)


def test_members_see_the_same_batches_with_weights_of_their_own(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    train(features, model="flow-cnn", preset=_preset(False), run_folder=tmp_path, max_folds=1, jobs=1, final=True)
    first, second = (
        {name.removeprefix(prefix): value for name, value in read_final(tmp_path).tensors.items()
         if ("/" in name) == bool(prefix)}
        for prefix in ("", prefix_of(1))
    )  # fmt: skip
    assert set(first) == set(second)
    assert not torch.allclose(first["head.weight"], second["head.weight"], atol=1e-3)


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        (InputSpec(representation="mosaic:htnet-published", channels=("strain", "v", "u")), "transposed"),
        (InputSpec(representation="map", channels=("u", "curl")), "curl"),
        (InputSpec(representation="apex", channels=("gray",), size=8), "Only maps"),
    ],
)
def test_what_has_no_mirror_image_is_refused(spec: InputSpec, match: str) -> None:
    assert mirror_for_tests(Recipe(), spec) is None
    with pytest.raises(ModelError, match=match) as told:
        mirror_for_tests(Recipe(test_mirrored=True), spec)
    assert "test_mirrored" in str(told.value)


def test_a_run_that_cannot_mirror_says_so_before_it_trains(make_features: Maker, tmp_path: Path) -> None:
    chosen = preset("htnet", "published")
    other = chosen.model_copy(update={"recipe": {**chosen.recipe, "test_mirrored": True}})
    with pytest.raises(ModelError, match="transposed"):
        train(make_features(), model="htnet", preset=other, run_folder=tmp_path / "run", jobs=1)
    assert not (tmp_path / "run").exists()
