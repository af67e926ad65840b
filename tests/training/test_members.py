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
CHANCES = [f"probability_{name}" for name in ("negative", "positive", "surprise")]


def _trained(features: Path, folder: Path, members: int, **options: Any) -> TrainResult:
    recipe = {**PRESET.recipe, "epochs": 2, "members": members}
    mine = PRESET.model_copy(update={"name": f"of-{members}", "recipe": recipe})
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


@pytest.mark.parametrize("members", [0, 65])
def test_the_number_of_members_is_checked(features: Path, tmp_path: Path, members: int) -> None:
    from merprep.errors import ConfigError

    with pytest.raises(ConfigError, match="members"):
        _trained(features, tmp_path / "run", members)
