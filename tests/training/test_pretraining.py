"""The first stage on macro-expressions: what is learned, what is kept, and who must not be in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from merprep.errors import LeakError, ModelError, TrainingError
from merprep.models import Preset, build_preset, preset
from merprep.records import Clip
from merprep.store.aligned import AlignedHeader, ClipFaces, write_aligned
from merprep.training import predict, train
from merprep.training.macro import read_macros
from merprep.training.pretraining import FirstStage, stage_recipe

SIDE = 16
EMOTIONS = ("happiness", "surprise", "disgust")
Maker = Callable[..., Path]


def _preset(**recipe: object) -> Preset:
    chosen = preset("micro-attention", "tiny")
    quick = {**chosen.recipe, "iterations": 3, "step_iterations": 2, "batch_size": 4, **recipe}
    return chosen.model_copy(
        update={
            "architecture": {**chosen.architecture, "image_size": SIDE, "widths": [2, 4]},
            "input": chosen.input.model_copy(update={"size": SIDE, "train_size": 0}),
            "recipe": quick,
            "pretraining": {**quick, "iterations": 5},
        }
    )


@pytest.fixture
def make_faces(tmp_path: Path) -> Maker:
    """Write a file of aligned faces of these persons, a clip of each emotion a person."""

    def make(
        name: str, persons: Sequence[int], *, variant: str = "", emotions: Sequence[str] = EMOTIONS, seed: int = 0
    ) -> Path:
        rng = np.random.default_rng(seed)
        rows = []
        for person in persons:
            for number, emotion in enumerate(emotions):
                clip = Clip(
                    "casme2", f"sub{person:02d}", f"{variant}{number}", person=f"casme2:{person}", variant=variant,
                    onset=1, apex=2, offset=3, emotion=emotion, action_units="12" if emotion == "happiness" else "4",
                )  # fmt: skip
                frames = rng.integers(0, 255, (3, SIDE, SIDE), np.uint8)
                faces = ClipFaces(
                    frames, np.arange(1, 4), np.zeros((3, 2), np.int64), np.zeros((3, 2), np.float32), np.eye(2, 3),
                    1.0, 0.0, np.zeros(4), 1, 1, "as it is",
                )  # fmt: skip
                rows.append((clip, faces))
        path = tmp_path / name
        write_aligned(path, AlignedHeader({"made": name}, "none"), rows)
        return path

    return make


def _folder(root: Path, classes: Sequence[str] = ("joy", "fear"), count: int = 3) -> Path:
    rng = np.random.default_rng(5)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8)).save(root / name / f"{number}.png")
    return root


def _left_out(run: Path) -> list[list[str]]:
    found = []
    for file in (run / "first-stage").glob("*.safetensors"):
        with safe_open(file, framework="pt") as stored:
            found.append(json.loads(stored.metadata()["merprep"])["left_out"])
    return sorted(found)


def test_whoever_a_fold_tests_is_left_out_of_its_first_stage(make_faces: Maker, tmp_path: Path) -> None:
    target = make_faces("target.h5", [1, 2, 3, 4])
    macros = make_faces("macros.h5", [2, 3, 7, 8], variant="macro", seed=1)
    result = train(
        target, model="micro-attention", preset=_preset(), pretrain=macros, run_folder=tmp_path / "run", jobs=1
    )
    # Folds of persons 1 and 4, whom the first stage does not show, share one.
    assert _left_out(tmp_path / "run") == [[], ["casme2:2"], ["casme2:3"]]
    assert result.start.startswith("pretrained on 12 clips of 4 persons (3 classes) from macros.h5")
    assert any("2 persons are in both sets" in note for note in result.notes)
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert run["config"]["start"]["clips"] == 12
    assert run["config"]["start"]["classes"] == ["disgust", "happiness", "surprise"]
    assert run["config"]["start"]["recipe"]["iterations"] == 5
    assert result.as_json()["start"] == result.start


def test_persons_who_choose_the_epoch_are_left_out_too(make_faces: Maker, tmp_path: Path) -> None:
    target = make_faces("target.h5", [1, 2, 3, 4, 5, 6])
    macros = make_faces("macros.h5", [1, 2, 3, 4, 5, 6, 7, 8], variant="macro", seed=1)
    train(
        target, model="micro-attention", preset=_preset(), pretrain=macros, run_folder=tmp_path / "run", jobs=1,
        selection="inner", max_folds=1,
    )  # fmt: skip
    ((first, second),) = _left_out(tmp_path / "run")
    assert "casme2:1" in (first, second)
    assert first != second


def test_nothing_is_left_for_a_first_stage_of_the_tested_people_alone(make_faces: Maker, tmp_path: Path) -> None:
    target = make_faces("target.h5", [1, 2])
    macros = make_faces("macros.h5", [1], variant="macro", seed=1)
    with pytest.raises(TrainingError, match="fewer than two classes left"):
        train(target, model="micro-attention", preset=_preset(), pretrain=macros, run_folder=tmp_path / "run", jobs=1)


def test_the_second_stage_starts_from_the_first_but_for_its_head(make_faces: Maker, tmp_path: Path) -> None:
    target, macros = make_faces("target.h5", [1, 2, 3]), make_faces("macros.h5", [7, 8], variant="macro", seed=1)
    train(
        target, model="micro-attention", preset=_preset(), pretrain=macros, run_folder=tmp_path / "run", jobs=1,
        max_folds=1,
    )  # fmt: skip
    (file,) = (tmp_path / "run" / "first-stage").iterdir()
    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    stage = FirstStage(
        tmp_path / "run" / "first-stage", frozenset({"casme2:7", "casme2:8"}), frozenset({"casme2:1"}),
        run["config"]["start"],
    )  # fmt: skip
    network = build_preset(_preset(), 5)
    head = network.head.weight.clone()
    stage.start(network, {"casme2:2"})
    with safe_open(file, framework="pt") as stored:
        assert stored.get_tensor("head.weight").shape == (3, 4)
        assert (network.stem.weight == stored.get_tensor("stem.weight")).all()
        assert (network.norm.running_mean == stored.get_tensor("norm.running_mean")).all()
    assert (network.head.weight == head).all()
    # The moving averages will be those of the second stage alone.
    assert int(network.norm.num_batches_tracked) == 0


def test_training_from_scratch_is_said_and_gives_other_predictions(make_faces: Maker, tmp_path: Path) -> None:
    target, macros = make_faces("target.h5", [1, 2, 3]), make_faces("macros.h5", [7, 8], variant="macro", seed=1)
    settings = {"model": "micro-attention", "preset": _preset(), "jobs": 1}
    alone = train(target, run_folder=tmp_path / "alone", **settings)
    after = train(target, run_folder=tmp_path / "after", pretrain=macros, final=True, **settings)
    assert alone.start == "from scratch"
    assert any("trained from scratch" in note for note in alone.notes)
    assert not any("trained from scratch" in note for note in after.notes)
    assert not alone.predictions.equals(after.predictions)
    assert len(predict(tmp_path / "after", target)) == 9
    # Whom the first stage showed is nobody to test the final network on.
    others = predict(tmp_path / "after", make_faces("others.h5", [8, 9], seed=2))
    assert others["trained_on"].tolist() == [True] * 3 + [False] * 3
    # Whoever was seen in the first stage is known to the model, and no test of it.
    assert predict(tmp_path / "after", make_faces("others.h5", [7, 9], seed=2))["trained_on"].sum() == 3
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "after" / "first-stage").iterdir()}
    again = train(target, run_folder=tmp_path / "after", pretrain=macros, final=True, **settings)
    assert again.predictions.equals(after.predictions)
    assert kept == {file: file.stat().st_mtime_ns for file in kept}
    with pytest.raises(TrainingError, match="different start"):
        train(target, run_folder=tmp_path / "after", **settings)


def test_a_folder_of_labelled_faces_is_a_first_stage_whose_people_nobody_knows(
    make_faces: Maker, tmp_path: Path
) -> None:
    target = make_faces("target.h5", [1, 2, 3])
    result = train(
        target, model="micro-attention", preset=_preset(), pretrain=_folder(tmp_path / "faces"), jobs=1,
        run_folder=tmp_path / "run", max_folds=2,
    )  # fmt: skip
    assert _left_out(tmp_path / "run") == [[]]
    assert any("is not known" in note for note in result.notes)
    assert "(2 classes) from faces" in result.start


def test_a_picture_of_the_target_set_in_the_folder_is_a_leak(make_faces: Maker, tmp_path: Path) -> None:
    target = make_faces("target.h5", [1, 2, 3])
    folder = _folder(tmp_path / "faces")
    pixels = np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE), np.uint8)[1]
    Image.fromarray(pixels).save(folder / "joy" / "own.png")
    with pytest.raises(LeakError, match="inputs of the target set"):
        train(target, model="micro-attention", preset=_preset(), pretrain=folder, run_folder=tmp_path / "run", jobs=1)


def test_macro_expressions_alone_are_taken_where_a_file_has_both(make_faces: Maker) -> None:
    spec = _preset().input
    both = make_faces("both.h5", [1, 2], variant="macro")
    assert len(read_macros(both, spec).labels) == 6
    plain = read_macros(make_faces("plain.h5", [1, 2]), spec)
    assert any("no clip of the first stage is marked" in note for note in plain.notes)


def test_clips_without_an_emotion_are_counted_and_a_scheme_may_stand_in(make_faces: Maker) -> None:
    from merprep.labels import scheme

    spec = _preset().input
    some = make_faces("some.h5", [1], variant="macro", emotions=("happiness", "surprise", ""))
    found = read_macros(some, spec)
    assert found.classes == ("happiness", "surprise")
    assert any("1 clips were not pretrained on: no emotion" in note for note in found.notes)
    with pytest.raises(TrainingError, match="No macro-expression has a label"):
        read_macros(make_faces("none.h5", [1], variant="macro", emotions=("", "")), spec)
    three = read_macros(some, spec, scheme(3))
    assert three.classes == ("negative", "positive", "surprise")
    assert three.scheme == "megc2019"


def test_sets_that_cannot_be_pretrained_on_are_refused(make_faces: Maker, tmp_path: Path) -> None:
    target = make_faces("target.h5", [1, 2, 3])
    settings = {"run_folder": tmp_path / "run", "jobs": 1}
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="no labelled pictures"):
        train(target, model="micro-attention", preset=_preset(), pretrain=tmp_path / "empty", **settings)
    with pytest.raises(TrainingError, match="fewer than two classes"):
        train(
            target, model="micro-attention", preset=_preset(), pretrain=_folder(tmp_path / "one", ("joy",)), **settings
        )
    with pytest.raises(ModelError, match="cannot stand for"):
        read_macros(_folder(tmp_path / "two"), preset("hsta", "tiny").input)
    (tmp_path / "two" / "joy" / "0.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match="cannot be read"):
        read_macros(tmp_path / "two", _preset().input)
    assert not (tmp_path / "run").exists()


def test_still_pictures_are_clips_that_do_not_move(tmp_path: Path) -> None:
    found = read_macros(_folder(tmp_path / "faces"), preset("hsta").input.model_copy(update={"size": 24}))
    assert found.images.shape == (6, 3, 8, 24, 24)
    assert (found.images == found.images[:, :, :1]).all()


def test_a_baseline_has_no_first_stage(make_features: Maker, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no first stage"):
        train(make_features(), model="majority", pretrain=tmp_path, run_folder=tmp_path / "run")


def test_the_published_first_stage_takes_fifty_thousand_batches() -> None:
    assert stage_recipe(preset("micro-attention")).iterations == 50_000
    assert stage_recipe(preset("hsta")).epochs == 150


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_among_the_pictures_is_not_waited_for(tmp_path: Path) -> None:
    faces = _folder(tmp_path / "faces")
    (faces / "joy" / "0.png").unlink()
    os.mkfifo(faces / "joy" / "0.png")
    with pytest.raises(TrainingError, match="no ordinary file"):
        read_macros(faces, _preset().input)
