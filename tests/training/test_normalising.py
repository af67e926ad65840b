"""Normalisation: fixed bounds, statistics of the training side alone, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from merprep.errors import ConfigError, ModelError
from merprep.models import InputSpec, Preset, preset
from merprep.training import predict, train
from merprep.training.folds import Fold
from merprep.training.inputs import denormalise, normalise
from merprep.training.job import Clips, Plan, run_fold
from merprep.training.normalising import Normaliser, fit_normalising, normalised
from merprep.training.recipe import Recipe

Maker = Callable[..., Path]
STANDARD = InputSpec(channels=("strain", "v", "u"), normalisation="train-standard")


def _images(count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).normal([[[[3.0]], [[-1.0]], [[0.5]]]], 2.0, (count, 3, 8, 8)).astype(np.float32)


def _standard(name: str = "sanity", model: str = "ststnet") -> Preset:
    chosen = preset(model, name)
    return chosen.model_copy(update={"input": chosen.input.model_copy(update={"normalisation": "train-standard"})})


def test_statistics_are_those_of_the_training_clips_and_u_is_not_shifted() -> None:
    images, train_side = _images(), np.arange(8)
    changed = normalised(STANDARD, images, train_side)
    np.testing.assert_allclose(changed[:8].mean(axis=(0, 2, 3))[:2], 0, atol=1e-5)
    np.testing.assert_allclose(np.square(changed[:8]).mean(axis=(0, 2, 3)), 1, rtol=1e-5)
    fitted = fit_normalising(STANDARD, images, train_side)
    assert fitted is not None
    assert fitted.mean[2] == 0.0


def test_clips_that_are_not_trained_on_do_not_change_the_statistics() -> None:
    images = _images()
    spoiled = images.copy()
    spoiled[8:] = 1e6
    assert fit_normalising(STANDARD, images, np.arange(8)) == fit_normalising(STANDARD, spoiled, np.arange(8))


def test_what_was_fitted_is_undone_and_survives_being_written_down() -> None:
    fitted = fit_normalising(STANDARD, _images(), np.arange(8))
    assert fitted is not None
    np.testing.assert_allclose(fitted.undo(fitted.apply(_images())), _images(), atol=1e-5)
    assert Normaliser.of_json(fitted.as_json()) == fitted


@pytest.mark.parametrize("rule", ["none", "minmax-255", "minmax-symmetric", "peak-symmetric", "fixed-bound"])
def test_every_other_normalisation_has_its_way_back(rule: str) -> None:
    bounds = {"strain": 50, "v": 50, "u": 50} if rule == "fixed-bound" else {}
    spec = InputSpec.read({"channels": ["strain", "v", "u"], "normalisation": rule, "bounds": bounds}, where="a test")
    whole = _images(3)
    np.testing.assert_allclose(denormalise(normalise(whole, whole, spec), whole, spec), whole, atol=1e-4)


def test_a_fixed_bound_is_in_the_units_of_the_channel_and_cuts_off_what_is_beyond() -> None:
    spec = InputSpec(channels=("u", "strain"), normalisation="fixed-bound", bounds={"u": 2.0, "strain": 0.1})
    values = np.array([[[1.0, -8.0]], [[0.05, 0.2]]], np.float32)
    np.testing.assert_allclose(normalise(values, values, spec), [[[0.5, -1.0]], [[0.5, 1.0]]], rtol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"normalisation": "fixed-bound"},
        {"normalisation": "fixed-bound", "bounds": {"u": 1, "v": 1}},
        {"normalisation": "fixed-bound", "bounds": {"u": 1, "v": 1, "strain": 0}},
        {"bounds": {"u": 1, "v": 1, "strain": 1}},
    ],
)
def test_bounds_that_do_not_fit_the_channels_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="bounds"):
        InputSpec.read(wrong, where="a test")


def test_nothing_to_fit_to_is_an_error() -> None:
    with pytest.raises(ModelError, match="no clip"):
        fit_normalising(STANDARD, _images(), np.zeros(0, np.int64))


@pytest.mark.parametrize("model", ["ststnet", "svm"])
def test_a_fold_is_the_same_whatever_scale_its_training_side_has(model: str, tmp_path: Path) -> None:
    chosen = _standard("sanity" if model == "ststnet" else "default", model)
    recipe = Recipe.of(chosen, epochs=2) if model == "ststnet" else None
    images, labels = _images(18).repeat(4, axis=2)[:, :, :28].repeat(4, axis=3)[..., :28], np.arange(18) % 3
    clips = Clips(images, labels, [f"p{k // 6}" for k in range(18)], ["samm"] * 18, [f"c{k}" for k in range(18)])
    fold = Fold("p2", np.arange(12), np.arange(12, 18))
    plan = Plan(chosen, recipe, ("a", "b", "c"), "last", "cpu", 1, tmp_path)
    plain = run_fold(plan, fold, 0, "one", clips)
    scaled = run_fold(plan, fold, 0, "two", replace(clips, images=clips.images * np.float32(64)))
    np.testing.assert_allclose(plain.honest.probabilities, scaled.honest.probabilities, atol=1e-4)


def test_a_final_network_keeps_its_statistics_and_predicts_with_them(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(persons=2)
    train(features, model="ststnet", preset=_standard(), run_folder=tmp_path / "run", epochs=1, max_folds=1, final=True)
    with safe_open(tmp_path / "run" / "final.safetensors", framework="pt") as stored:
        assert '"deviation"' in stored.metadata()["merprep"]
    doubled = make_features("doubled.h5", persons=2, spoil=lambda values: values * 2)
    one, two = predict(tmp_path / "run", features), predict(tmp_path / "run", doubled)
    assert (one.filter(like="probability") != two.filter(like="probability")).any(axis=None)
