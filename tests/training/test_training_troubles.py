"""What goes wrong while training: told clearly, and what is finished is kept."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import merprep
from merprep.errors import DeviceError, ModelError, TrainingError, UsageError
from merprep.models import build, preset
from merprep.training import Recipe, train
from merprep.training.augment import Mirror
from merprep.training.fit import fit

Maker = Callable[..., Path]


class _Killed:
    """A progress under which the run is interrupted once so many folds are done."""

    def __init__(self, after: int) -> None:
        self.left = after + 1

    def start(self, description: str, total: int) -> None:
        """Nothing."""

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        """Interrupt when enough is done; the first call tells how many folds were kept."""
        self.left -= 1
        if self.left <= 0:
            raise KeyboardInterrupt

    def finish(self) -> None:
        """Nothing."""


def _same(first: object, second: object) -> bool:
    values = [{**result.as_json(), "seconds": 0, "run": ""} for result in (first, second)]
    return values[0] == values[1] and first.predictions.equals(second.predictions)


@pytest.mark.parametrize("model", ["svm", "majority"])
def test_a_run_that_was_killed_at_any_fold_and_resumed_gives_the_same_result(
    make_features: Maker, tmp_path: Path, model: str
) -> None:
    features = make_features(persons=3, noise=1.0)
    whole = train(features, model=model, seeds=2, run_folder=tmp_path / "whole", jobs=1)
    for after in range(6):
        run = tmp_path / f"killed-{after}"
        with pytest.raises(KeyboardInterrupt):
            train(features, model=model, seeds=2, run_folder=run, jobs=1, progress=_Killed(after))
        assert not (run / "scores.json").exists()
        assert _same(train(features, model=model, seeds=2, run_folder=run, jobs=1), whole)


def test_a_network_that_was_killed_and_resumed_gives_the_same_result(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(persons=3)
    settings = {"model": "ststnet", "preset": "sanity", "epochs": 2, "jobs": 1}
    whole = train(features, run_folder=tmp_path / "whole", **settings)
    for after in (1, 2):
        run = tmp_path / f"killed-{after}"
        with pytest.raises(KeyboardInterrupt):
            train(features, run_folder=run, progress=_Killed(after), **settings)
        assert _same(train(features, run_folder=run, **settings), whole)


@pytest.mark.parametrize(
    "damage",
    ["", "{", "null", '{"fold": "x"}', "cut", "nan", "short"],
)
def test_a_damaged_fold_is_trained_anew(make_features: Maker, tmp_path: Path, damage: str) -> None:
    features, run = make_features(persons=3), tmp_path / "run"
    before = train(features, model="majority", run_folder=run)
    path = sorted((run / "folds").iterdir())[0]
    text = path.read_text(encoding="utf-8")
    changes = {
        "cut": text[: len(text) // 2],
        "nan": text.replace("0.3333333333333333", "NaN", 1),
        "short": text.replace('"truth": [0, ', '"truth": [', 1),
    }
    path.write_text(changes.get(damage, damage), encoding="utf-8")
    assert _same(train(features, model="majority", run_folder=run), before)
    assert path.read_text(encoding="utf-8").startswith('{"fold"')


@pytest.mark.parametrize("unsealed", [False, True])
def test_a_fold_with_a_flipped_bit_is_trained_anew(make_features: Maker, tmp_path: Path, unsealed: bool) -> None:
    features, run = make_features(persons=3), tmp_path / "run"
    before = train(features, model="svm", run_folder=run)
    path = sorted((run / "folds").iterdir())[0]
    text = path.read_text(encoding="utf-8")
    if unsealed:  # as earlier versions wrote them: no seal, but other people's clips and answers are still noticed
        values = {name: value for name, value in json.loads(text).items() if name != "seal"}
        text = json.dumps(values)
    wrong = ('"casme2/s0/c0"', '"casme2/s0/d0"'), ('"truth": [0, 1', '"truth": [1, 1')
    for old, new in (
        *wrong,
        *(
            ()
            if unsealed
            else (('"honest": {"epoch": 0, "probabilities": [[0.', '"honest": {"epoch": 0, "probabilities": [[1.'),)
        ),
    ):
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        assert _same(train(features, model="svm", run_folder=run), before)
    rng = np.random.default_rng(0)
    whole = path.read_bytes()
    for place in rng.integers(0, len(whole) - 1, 40).tolist():
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        assert _same(train(features, model="svm", run_folder=run), before)


def test_a_run_file_that_cannot_be_read_is_told_and_how_to_go_on(make_features: Maker, tmp_path: Path) -> None:
    features, run = make_features(), tmp_path / "run"
    train(features, model="majority", run_folder=run)
    (run / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"run\.json cannot be read") as caught:
        train(features, model="majority", run_folder=run)
    assert "remove" in str(caught.value)
    (run / "run.json").unlink()
    assert train(features, model="majority", run_folder=run).full["n"] == 24


class _Hungry(nn.Module):
    """Asks for more memory than any device has, as a network that is too large does."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has none left.")


def _fit(network: nn.Module, **changes: object) -> float:
    recipe = Recipe.of(preset("ststnet"), epochs=2).model_copy(update=changes)
    return fit(
        network, torch.ones(8, 3, 28, 28), torch.arange(8) % 2, recipe, n_classes=3,
        mirror=Mirror.of(preset("ststnet").input), generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def test_a_device_without_memory_is_told_with_what_to_do() -> None:
    with pytest.raises(DeviceError, match="no memory left") as caught:
        _fit(_Hungry())
    assert "--jobs 1" in str(caught.value)
    assert "2.00" in str(caught.value) or "CUDA out of memory" in str(caught.value)


def test_a_loss_that_is_no_number_is_told_with_the_epoch_and_what_to_do() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, 3))
    with torch.no_grad():
        network[1].weight.fill_(float("inf"))
    with pytest.raises(TrainingError, match="no longer a number") as caught:
        _fit(network)
    assert "epoch 1" in str(caught.value)
    assert "learning rate" in str(caught.value)


@pytest.mark.parametrize("stack", [1, 4])
def test_a_run_whose_loss_is_no_number_names_the_fold(make_features: Maker, tmp_path: Path, stack: int) -> None:
    chosen = preset("ststnet", "sanity")
    wild = chosen.model_copy(update={"recipe": {**chosen.recipe, "learning_rate": 1e30, "epochs": 3}})
    with pytest.raises(TrainingError, match="no longer a number") as caught:
        train(make_features(persons=3), model="ststnet", preset=wild, run_folder=tmp_path / "run", jobs=1, stack=stack)
    assert "fold " in str(caught.value.where)
    assert not (tmp_path / "run" / "scores.json").exists()


def test_a_class_without_a_training_clip_changes_no_loss_into_nan(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(
        persons=3, emotions=lambda n: ("negative", "positive") * 2 + (("surprise",) if n == 1 else ())
    )
    result = train(features, model="ststnet", preset="sanity", epochs=2, jobs=1, run_folder=tmp_path / "run")
    assert np.isfinite(result.full["uf1"])
    assert any("'surprise'" in note and "1 of 3 folds" in note for note in result.notes)
    assert any("ingest more subjects" in note for note in result.notes)


def test_no_file_that_a_user_may_be_given_is_unpickled() -> None:
    found = []
    for path in Path(merprep.__file__).parent.rglob("*.py"):
        if path.parts[-2:] == ("engines", "backend.py"):
            continue  # packs what a run hands to its own workers: no file is (see tests/trust)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.partition(".")[0] for name in names} & {"pickle", "dill", "cloudpickle", "shelve", "marshal"}:
                found.append(f"{path.name}: {names}")
            call = node.func if isinstance(node, ast.Call) else None
            if not isinstance(call, ast.Attribute) or not isinstance(call.value, ast.Name):
                continue
            options = {word.arg: word.value for word in node.keywords}
            safe = isinstance(options.get("weights_only"), ast.Constant) and options["weights_only"].value is True
            if (call.value.id, call.attr) == ("torch", "load") and not safe:
                found.append(f"{path.name}: torch.load")
            unsafe = isinstance(options.get("allow_pickle"), ast.Constant) and options["allow_pickle"].value is True
            if (call.value.id, call.attr) in {("joblib", "load"), ("pd", "read_pickle")} or unsafe:
                found.append(f"{path.name}: {call.attr}")
    assert not found


def test_what_a_network_lacks_names_the_command_that_makes_it(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(channels=("u", "v", "magnitude"))
    with pytest.raises(ModelError) as caught:
        train(features, model="svm", run_folder=tmp_path / "run")
    assert "`merprep flow --channels u,v,magnitude,strain`" in str(caught.value)
    with pytest.raises(ModelError, match="merprep flow --size 56"):
        build("htnet", preset="sanity", image_size=56)(torch.zeros(1, 3, 28, 28))


def test_a_preset_of_another_model_is_refused(make_features: Maker, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="preset is of another model"):
        train(make_features(), model="svm", preset=preset("ststnet", "sanity"), run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
