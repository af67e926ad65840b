"""Classes that a side of a fold lacks: a run says so, also of the persons who choose the epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from merprep.errors import TrainingError
from merprep.training import train

Maker = Callable[..., Path]
_COMMON = ("negative", "positive")


def test_a_class_that_validation_persons_lack_is_noted_and_so_is_one_that_only_they_show(
    make_features: Maker, tmp_path: Path
) -> None:
    # One of six persons shows surprise: in most folds she is among those who are trained on, in some she validates,
    # and in her own the training side has none.
    features = make_features(persons=6, emotions=lambda n: (*_COMMON, *(("surprise",) if n == 2 else ())))
    settings = {"model": "ststnet", "preset": "sanity", "epochs": 1, "jobs": 1}
    result = train(features, selection="inner", run_folder=tmp_path / "inner", **settings)
    notes = [note for note in result.notes if note.startswith("class 'surprise'")]
    [own] = [note for note in notes if "clip on the training side of 1 of 6 folds" in note]
    assert "(casme2:2)" in own
    [chosen] = [note for note in notes if "among the validation persons of" in note]
    [left] = [note for note in notes if "once validation persons are taken out" in note]
    lacking, without = (int(note.split(" of 6 folds")[0].split()[-1]) for note in (chosen, left))
    # In her own fold neither side shows it; elsewhere exactly one of the two lacks it.
    assert lacking + without == 6 + 1
    last = train(features, run_folder=tmp_path / "last", **settings)
    assert not any("validation" in note for note in last.notes)


def test_with_several_seeds_the_seed_is_named(make_features: Maker, tmp_path: Path) -> None:
    features = make_features(persons=4, emotions=lambda n: (*_COMMON, *(("surprise",) if n == 2 else ())))
    result = train(
        features, model="ststnet", preset="sanity", epochs=1, jobs=1, seeds=2, selection="inner", max_folds=1,
        run_folder=tmp_path / "run",
    )  # fmt: skip
    assert any("with seed" in note and "of 2 folds" in note for note in result.notes)


def test_validation_persons_who_leave_one_class_to_train_on_are_refused(make_features: Maker, tmp_path: Path) -> None:
    # Whoever is left out, both classes are there to train on; but not whoever validates.
    features = make_features(persons=4, emotions=lambda n: ("positive",) if n < 2 else ("negative",))
    settings = {"model": "ststnet", "preset": "sanity", "epochs": 1, "jobs": 1}
    with pytest.raises(TrainingError, match="one class only") as caught:
        train(features, selection="inner", run_folder=tmp_path / "run", **settings)
    assert "without its validation persons" in str(caught.value)
    assert not (tmp_path / "run").exists()
    assert train(features, run_folder=tmp_path / "last", **settings).full["n"] == 4
