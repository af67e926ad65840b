"""Several networks of one fold, whose probabilities are averaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from merprep.models import preset
from merprep.training import TrainResult, predict, train


@pytest.fixture
def features(make_features: Callable[..., Path]) -> Path:
    return make_features()


PRESET = preset("flow-cnn", "sanity")
# Epochs, and how many of them are averaged.
ENDS = [(2, 1), (3, 1), (3, 2)]
CHANCES = [f"probability_{name}" for name in ("negative", "positive", "surprise")]


def _trained(
    features: Path,
    folder: Path,
    members: int,
    epochs: int = 2,
    averaged: int = 1,
    schedule: str = "cosine",
    **options: Any,
) -> TrainResult:
    changed = {"epochs": epochs, "members": members, "averaged_epochs": averaged, "schedule": schedule}
    recipe = {**PRESET.recipe, **changed}
    mine = PRESET.model_copy(update={"name": f"of-{members}-{averaged}", "recipe": recipe})
    return train(features, model="flow-cnn", preset=mine, run_folder=folder, max_folds=3, jobs=1, **options)


def _chances(result: TrainResult) -> np.ndarray[Any, np.dtype[np.float64]]:
    return result.predictions[CHANCES].to_numpy("f8")


def test_side_by_side_and_alone_the_members_are_the_same(features: Path, tmp_path: Path) -> None:
    beside, alone = (_trained(features, tmp_path / str(stack), 3, stack=stack) for stack in (4, 1))
    assert np.abs(_chances(beside) - _chances(alone)).max() < 0.02


def test_the_first_member_is_the_network_of_a_run_with_one(features: Path, tmp_path: Path) -> None:
    one, two = (_chances(_trained(features, tmp_path / str(count), count)) for count in (1, 2))
    # The mean of two: as far from the first as from the second, and each is a distribution.
    second = 2 * two - one
    assert np.abs(two - one).max() > 1e-3
    assert second.min() > -1e-4
    assert np.allclose(two.sum(axis=1), 1, atol=1e-5)


def test_the_final_model_averages_its_members(features: Path, tmp_path: Path) -> None:
    from merprep.training.final import read_final

    _trained(features, tmp_path / "run", 2, final=True)
    model = read_final(tmp_path / "run")
    assert {name.partition("/")[0] for name in model.tensors if "/" in name} == {"member 1"}
    table = predict(tmp_path / "run", features)
    assert np.allclose(table[CHANCES].sum(axis=1), 1)


def test_the_last_epochs_are_averaged(features: Path, tmp_path: Path) -> None:
    # With a constant rate, the first two of three epochs are what two epochs would have been.
    two, three = (_chances(_trained(features, tmp_path / str(n), 1, n, schedule="constant")) for n in (2, 3))
    both = _chances(_trained(features, tmp_path / "both", 1, 3, 2, schedule="constant"))
    assert np.abs(two - three).max() > 1e-3
    assert np.allclose(both, (two + three) / 2, atol=1e-6)


@pytest.mark.parametrize("stack", [1, 4])
def test_more_epochs_than_there_are_average_all(features: Path, tmp_path: Path, stack: int) -> None:
    few, many = (_trained(features, tmp_path / str(n), 2, 2, n, stack=stack) for n in (2, 9))
    assert np.array_equal(_chances(few), _chances(many))


def test_the_final_model_averages_its_last_epochs(features: Path, tmp_path: Path) -> None:
    from merprep.training.final import count_of, read_final

    runs = [tmp_path / f"{n}-{k}" for n, k in ENDS]
    for run, (epochs, averaged) in zip(runs, ENDS, strict=True):
        _trained(features, run, 1, epochs, averaged, schedule="constant", final=True)
    assert [count_of(read_final(run).tensors) for run in runs] == [1, 1, 2]
    two, three, both = (predict(run, features)[CHANCES].to_numpy("f8") for run in runs)
    assert np.abs(two - three).max() > 1e-3
    assert np.allclose(both, (two + three) / 2, atol=1e-6)


def test_averaged_epochs_do_not_go_with_iterations() -> None:
    from merprep.training import Recipe

    with pytest.raises(ValueError, match="whole epochs"):
        Recipe(iterations=5, averaged_epochs=2)


@pytest.mark.parametrize("members", [0, 65])
def test_the_number_of_members_is_checked(features: Path, tmp_path: Path, members: int) -> None:
    from merprep.errors import ConfigError

    with pytest.raises(ConfigError, match="members"):
        _trained(features, tmp_path / "run", members)
