"""Training runs: honest and optimistic scores, resuming, controls, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from merprep.errors import ConfigError, DeviceError, ModelError, TrainingError, UnknownNameError, UsageError
from merprep.models import preset
from merprep.training import inner_epoch, oracle_epoch, predict, train
from merprep.training.device import resolve_device, workers

Maker = Callable[..., Path]


def _without_time(result: object) -> dict[str, object]:
    values = result.as_json()
    return {name: value for name, value in values.items() if name not in ("seconds", "run")}


class _Told:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.total, self.done, self.ended = 0, 0, False

    def start(self, description: str, total: int) -> None:
        self.total = total

    def advance(self, amount: int = 1, *, failed: bool = False) -> None:
        self.done += amount

    def finish(self) -> None:
        self.ended = True


def test_majority_scores_what_arithmetic_says(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(emotions=lambda _: ("negative",) * 3 + ("positive", "surprise"))
    result = train(features, model="majority", run_folder=tmp_path / "run")
    assert result.full["accuracy"] == pytest.approx(0.6)
    assert result.full["uar"] == pytest.approx(1 / 3)
    assert result.confusion.tolist() == [[12, 0, 0], [4, 0, 0], [4, 0, 0]]
    assert result.optimistic is None


def test_svm_learns_the_bumps(make_features: Maker, tmp_path: Path) -> None:
    result = train(make_features(), model="svm", run_folder=tmp_path / "run")
    assert result.full["uf1"] > 0.9


def test_a_run_leaves_what_the_surface_promises(make_features: Maker, tmp_path: Path) -> None:
    told = _Told()
    result = train(
        make_features(), model="htnet", preset="sanity", run_folder=tmp_path / "run", seeds=2, epochs=2, jobs=1,
        progress=told,
    )  # fmt: skip
    values = result.as_json()
    assert {"model", "preset", "protocol", "selection", "seeds", "full", "databases", "optimistic", "run"} <= set(
        values
    )
    assert set(values["databases"]) == {"casme2", "samm"}
    assert {"uf1", "uar", "accuracy", "n", "sd"} <= set(values["full"])
    assert values["full"]["n"] == 24
    assert {"full", "databases"} <= set(values["optimistic"])
    assert json.loads(json.dumps(values)) == values
    assert (told.total, told.done, told.ended) == (8, 8, True)
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert run["config"]["preset"]["recipe"]["epochs"] == 2
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert len(table) == 48
    assert set(table["person"]) == {"casme2:0", "samm:1", "casme2:2", "samm:3"}
    assert np.allclose(table.filter(like="probability_").sum(axis=1), 1, atol=1e-4)
    assert json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))["full"] == values["full"]


def test_the_optimistic_score_is_never_below_the_honest_accuracy(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(noise=0.8)
    result = train(features, model="ststnet", preset="sanity", run_folder=tmp_path / "run", epochs=8, jobs=1)
    assert result.optimistic is not None
    assert result.optimistic["full"]["accuracy"] >= result.full["accuracy"]


def test_workers_and_resuming_do_not_change_a_result(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    settings = {"model": "htnet", "preset": "sanity", "epochs": 2, "seeds": 1}
    alone = train(features, run_folder=tmp_path / "alone", jobs=1, **settings)
    shared = train(features, run_folder=tmp_path / "shared", jobs=2, **settings)
    assert _without_time(alone) == _without_time(shared)
    assert alone.predictions.equals(shared.predictions)
    part = train(features, run_folder=tmp_path / "part", jobs=1, max_folds=2, **settings)
    assert any("first 2 of 4" in note for note in part.notes)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "part" / "folds").iterdir()}
    broken = sorted(kept)[0]
    broken.write_text("{", encoding="utf-8")
    whole = train(features, run_folder=tmp_path / "part", jobs=1, **settings)
    assert whole.predictions.equals(alone.predictions)
    assert [path.stat().st_mtime_ns == before for path, before in sorted(kept.items())] == [False, True]


def test_inner_selection_needs_two_training_persons(make_features: Maker, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="at least two persons"):
        train(make_features(persons=2), model="htnet", preset="sanity", selection="inner", runs_folder=tmp_path, jobs=1)


def test_training_leaves_the_callers_random_state_and_threads_alone(make_features: Maker, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(make_features(), model="ststnet", run_folder=tmp_path / "run", epochs=1, jobs=1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_a_folder_with_another_run_is_refused(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    train(features, model="majority", run_folder=tmp_path / "run")
    with pytest.raises(TrainingError, match="different preset"):
        train(features, model="svm", run_folder=tmp_path / "run")
    with pytest.raises(TrainingError, match="different protocol"):
        train(features, model="majority", protocol="kfold-2", run_folder=tmp_path / "run")


def test_labels_are_permuted_inside_persons_only_and_the_run_says_so(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(persons=3, emotions=lambda n: (("negative", "positive"), ("surprise",) * 3)[n % 2] * 2)
    plain = train(features, model="majority", run_folder=tmp_path / "a").predictions
    result = train(features, model="majority", run_folder=tmp_path / "b", permute_labels_within_persons=3)
    for person, part in result.predictions.groupby("person"):
        assert sorted(part["truth"]) == sorted(plain[plain["person"] == person]["truth"])
    assert result.predictions["truth"].tolist() != plain["truth"].tolist()
    assert any("control" in note for note in result.notes)
    run = json.loads((tmp_path / "b" / "run.json").read_text(encoding="utf-8"))
    assert run["config"]["permute_labels_within_persons"] == 3


def test_kfold_and_inner_selection_test_every_clip_once(make_features: Maker, tmp_path: Path) -> None:
    result = train(
        make_features(), model="htnet", preset="sanity", protocol="kfold-2", selection="inner", epochs=3, jobs=1,
        run_folder=tmp_path / "run",
    )  # fmt: skip
    assert sorted(result.predictions["id"]) == sorted(set(result.predictions["id"]))
    assert result.full["n"] == 24
    assert result.selection == "inner"


def test_the_oracle_takes_the_latest_epoch_that_ties_and_inner_selection_the_best_uf1() -> None:
    truth = np.array([0, 1, 1])
    epochs = np.array([[1, 1, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    assert oracle_epoch(epochs, truth) == 2
    assert inner_epoch(np.array([[0, 1, 1], [1, 0, 0]]), truth, 2) == 0


def test_a_class_that_only_one_person_shows_is_noted(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(emotions=lambda n: ("negative", "positive", *(("surprise",) if n == 1 else ())))
    result = train(features, model="majority", run_folder=tmp_path / "run")
    assert any("'surprise'" in note and "1 of 4 folds (samm:1)" in note for note in result.notes)


def test_a_final_network_predicts_new_clips_and_is_kept_without_pickle(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    run = tmp_path / "run"
    settings = {"model": "htnet", "preset": "sanity", "run_folder": run, "epochs": 12, "max_folds": 1, "jobs": 1}
    train(features, **settings)
    with pytest.raises(TrainingError, match="no final network"):
        predict(run, features)
    train(features, final=True, **settings)
    table = predict(run, make_features("new.h5", persons=2))
    assert list(table.columns[:4]) == ["id", "person", "database", "prediction"]
    assert (table["prediction"] == ["negative", "positive", "surprise"] * 4).mean() > 0.8
    assert not list(run.rglob("*.pth"))


def test_published_htnet_reads_the_published_mosaic_class_by_class() -> None:
    chosen = preset("htnet")
    assert chosen.input.representation == "mosaic:htnet-published"
    assert chosen.recipe["order"] == "by-class"


@pytest.mark.slow
def test_published_htnet_of_full_width_runs_one_epoch(make_features: Maker, tmp_path: Path) -> None:
    result = train(make_features(persons=2), model="htnet", run_folder=tmp_path / "run", epochs=1, max_folds=1)
    assert result.full["n"] == 6


def test_a_diverging_loss_is_told_with_what_to_do(make_features: Maker, tmp_path: Path) -> None:
    chosen = preset("htnet", "sanity")
    wild = chosen.model_copy(update={"recipe": {**chosen.recipe, "optimiser": "sgd", "learning_rate": 1e30}})
    with pytest.raises(TrainingError, match="no longer a number") as caught:
        train(make_features(), model="htnet", preset=wild, run_folder=tmp_path / "run", jobs=1)
    assert "lower the learning rate" in str(caught.value)


def test_values_that_are_no_numbers_are_refused_before_training(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(spoil=lambda values: np.where(values > 1, np.nan, values).astype(np.float32))
    with pytest.raises(TrainingError, match="not numbers"):
        train(features, model="majority", run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_person_only_is_refused(make_features: Maker, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one person"):
        train(make_features(persons=1), model="majority", run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_training_side_of_one_class_is_refused(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(persons=2, emotions=lambda n: ("negative",) if n else ("positive",))
    with pytest.raises(TrainingError, match="one class only"):
        train(features, model="majority", run_folder=tmp_path / "run")


def test_a_run_is_named_after_what_it_depends_on(make_features: Maker, tmp_path: Path) -> None:
    features = make_features()
    first = train(features, model="majority", runs_folder=tmp_path)
    again = train(features, model="majority", runs_folder=tmp_path, seeds=2)
    other = train(features, model="majority", runs_folder=tmp_path, protocol="kfold-2")
    assert first.run == again.run != other.run
    assert first.run.name.startswith("majority-default-")
    with pytest.raises(UsageError, match="one place to go"):
        train(features, model="majority")


def test_the_table_shows_honest_and_optimistic_scores_and_the_gap(make_features: Maker, tmp_path: Path) -> None:
    result = train(
        make_features(), model="htnet", preset="sanity", runs_folder=tmp_path, epochs=1, seeds=2, max_folds=2, jobs=1
    )
    columns, rows = result.table()
    assert [row[0] for row in rows] == ["all", "casme2", "samm"]
    assert all(len(row) == len(columns) for row in rows)
    assert {"UF1", "optimistic UF1", "gap in UF1"} <= set(columns)
    assert "2 seeds" in result.title()
    assert any("Optimistic" in line for line in result.remarks())
    assert any("only the first 2" in line.lower() for line in result.remarks())


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"model": "htnett"}, UnknownNameError),
        ({"preset": "sanety"}, UnknownNameError),
        ({"scheme": "megc2091"}, UnknownNameError),
        ({"protocol": "losso"}, UsageError),
        ({"selection": "best"}, UsageError),
        ({"seeds": 0}, UsageError),
        ({"max_folds": 0}, UsageError),
        ({"epochs": 0}, ConfigError),
        ({"device": "tpu"}, DeviceError),
    ],
)
def test_settings_that_make_no_sense_are_refused_and_nothing_is_written(
    make_features: Maker, tmp_path: Path, settings: dict[str, object], error: type[Exception]
) -> None:
    values = {"model": "htnet", "preset": "sanity", "run_folder": tmp_path / "run", **settings}
    with pytest.raises(error):
        train(make_features(), **values)
    assert not (tmp_path / "run").exists()


def test_a_network_whose_size_does_not_fit_is_refused_before_training(make_features: Maker, tmp_path: Path) -> None:
    chosen = preset("htnet", "sanity")
    other = chosen.model_copy(update={"architecture": {**chosen.architecture, "image_size": 56, "patch_size": 14}})
    with pytest.raises(ModelError, match="does not fit HTNet"):
        train(make_features(), model="htnet", preset=other, run_folder=tmp_path / "run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_missing_gpu_is_told() -> None:
    with pytest.raises(DeviceError, match="no CUDA device"):
        resolve_device("cuda")
    assert resolve_device("auto") == "cpu"


def test_small_networks_get_one_thread_whatever_the_number_of_workers() -> None:
    assert {workers(jobs, 1683, "cpu", 68)[1] for jobs in (None, 1, 2, 5)} == {1}
    assert workers(None, 139_582_982, "cpu", 68)[0] == 1
    assert workers(8, 1683, "cpu", 3)[0] == 3


@pytest.mark.slow
def test_htnet_learns_bumps_and_learns_nothing_from_permuted_labels(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(persons=8, noise=0.3)
    settings = {"model": "htnet", "preset": "sanity", "jobs": 1}
    learned = train(features, run_folder=tmp_path / "run", **settings)
    permuted = [
        train(features, run_folder=tmp_path / f"permuted{seed}", permute_labels_within_persons=seed, **settings)
        for seed in range(5)
    ]
    assert learned.full["uf1"] >= 0.8
    assert np.mean([result.full["uf1"] for result in permuted]) < 0.45
