"""Computing in bfloat16: what stays in float32, what a run says of it, and that nothing mixes the two."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from merprep.errors import ConfigError, TrainingError, UsageError
from merprep.models import build_preset, preset
from merprep.models.presets import InputSpec
from merprep.training import FeatureDataset, Recipe, compare_runs, predict, read_final, train
from merprep.training.augment import Mirror
from merprep.training.fit import fit
from merprep.training.precision import computing, precision_notes, resolve_precision
from merprep.training.preparing import attach
from merprep.training.recipe import Augmentation
from merprep.training.watching import probabilities

Maker = Callable[..., Path]
_HTNET = {"model": "htnet", "preset": "sanity", "epochs": 3, "jobs": 1, "device": "cpu"}
_LARGE = 139_582_982


def test_large_networks_compute_in_bfloat16_on_a_gpu_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert resolve_precision("auto", "cuda", _LARGE) == "bfloat16"
    assert resolve_precision("auto", "cuda:1", 1683) == "float32"
    assert resolve_precision("auto", "cpu", _LARGE) == "float32"
    assert resolve_precision("float32", "cuda", _LARGE) == "float32"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert resolve_precision("auto", "cuda", _LARGE) == "float32"
    with pytest.raises(UsageError, match="no such precision"):
        resolve_precision("float16", "cpu", _LARGE)


class _Spying(nn.Module):
    """Remembers in which numbers its product was computed."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.kinds = nn.Linear(12, 3), set[torch.dtype]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x.flatten(1))
        self.kinds.add(y.dtype)
        return y


def _fitted(precision: str) -> tuple[_Spying, float]:
    network, generator = _Spying(), torch.Generator().manual_seed(0)
    images, labels = torch.randn(8, 3, 2, 2, generator=generator), torch.arange(8) % 3
    loss = fit(
        network, images, labels, Recipe(epochs=5, batch_size=8), n_classes=3, mirror=Mirror((), 0.0),
        generator=generator, precision=precision,
    )  # fmt: skip
    return network, loss


def test_weights_and_gradients_stay_in_float32() -> None:
    half, loss = _fitted("bfloat16")
    whole, other = _fitted("float32")
    assert half.kinds == {torch.bfloat16}
    assert whole.kinds == {torch.float32}
    assert {half.linear.weight.dtype, half.linear.weight.grad.dtype} == {torch.float32}
    assert loss != other
    assert loss == pytest.approx(other, rel=0.02)


def test_pictures_are_turned_in_whole_numbers_whatever_the_network_computes_in() -> None:
    spec = InputSpec(representation="apex", channels=("gray",), size=48, train_size=52)
    pictures = torch.randint(0, 255, (4, 1, 60, 60), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    network = attach(nn.Identity(), spec, Augmentation(rotation=20.0))
    found = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        with computing(precision, torch.device("cpu")):
            found.append(network(pictures))
    assert torch.equal(*found)


def test_a_run_says_and_stores_its_precision_and_is_not_resumed_with_another(
    make_features: Maker, tmp_path: Path
) -> None:
    features, run = make_features(), tmp_path / "run"
    result = train(features, run_folder=run, precision="bfloat16", **_HTNET)
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["config"]["precision"] == "bfloat16"
    assert result.as_json()["precision"] == "bfloat16"
    assert any("bfloat16" in note for note in result.notes)
    assert any("bfloat16" in line for line in result.remarks())
    assert any("one by one" in note for note in result.notes), "stacks compute in float32"
    with pytest.raises(TrainingError, match="different precision"):
        train(features, run_folder=run, **_HTNET)
    again = train(features, run_folder=run, precision="bfloat16", **_HTNET)
    assert again.predictions.equals(result.predictions)
    plain = train(features, run_folder=tmp_path / "plain", stack=1, **_HTNET)
    assert plain.as_json()["precision"] == "float32"
    assert not any("bfloat16" in note for note in plain.notes)
    assert not plain.predictions.equals(result.predictions)
    assert "The runs differ in precision: float32 and bfloat16." in compare_runs(plain.run, run, resamples=10).notes
    # The same networks, but for rounding.
    difference = plain.predictions.filter(like="probability") - result.predictions.filter(like="probability")
    assert np.abs(difference.to_numpy()).max() < 0.1


def test_a_preset_may_name_its_precision_and_what_is_asked_for_goes_before(
    make_features: Maker, tmp_path: Path
) -> None:
    chosen = preset("htnet", "sanity")
    named = chosen.model_copy(update={"recipe": {**chosen.recipe, "precision": "bfloat16"}})
    settings = {**_HTNET, "preset": named, "max_folds": 1, "runs_folder": tmp_path}
    by_name = train(make_features(), **settings)
    asked = train(make_features(), precision="float32", **settings)
    assert (by_name.precision, asked.precision) == ("bfloat16", "float32")
    assert by_name.run != asked.run
    same = train(make_features(), precision="float32", **{**settings, "preset": chosen})
    assert same.precision == "float32"
    with pytest.raises(ConfigError, match="precision"):
        train(make_features(), precision="float64", **settings)


def test_a_final_network_predicts_in_the_precision_that_it_was_fitted_in(make_features: Maker, tmp_path: Path) -> None:
    features, run = make_features(), tmp_path / "run"
    train(features, run_folder=run, precision="bfloat16", final=True, max_folds=1, **_HTNET)
    final = read_final(run)
    assert final.precision == "bfloat16"
    network = build_preset(final.preset, 3)
    network.load_state_dict(final.tensors)
    dataset = FeatureDataset(features, 3, spec=final.preset.input)
    images = torch.from_numpy(dataset.images())
    dataset.close()
    told = predict(run, features).filter(like="probability").to_numpy()
    half, whole = (probabilities(network.eval(), images, precision=kind).numpy() for kind in ("bfloat16", "float32"))
    assert np.array_equal(told, half.astype(np.float64))
    assert not np.array_equal(told, whole.astype(np.float64))


def test_nothing_is_said_of_single_precision() -> None:
    assert precision_notes("float32") == []
