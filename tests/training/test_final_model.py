"""A final model on new clips, as somebody who did not make the run would use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from merprep.errors import DeviceError, MerprepError, ModelError, StoreError, TrainingError
from merprep.models import preset
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, write_features
from merprep.training import predict, read_final, scores_of_new, train

Maker = Callable[..., Path]
CLASSES = ("negative", "positive", "surprise")


def _new_clips(path: Path, make_features: Maker, **changes: object) -> Path:
    """The bumps of the fixture as other people's clips, with what `changes` says of channels, size, units, emotions."""
    from merprep.store import open_features

    channels = changes.get("channels", ("u", "v", "strain"))
    size = int(changes.get("size", 28))
    units = changes.get("units", tuple({"strain": "1/px"}.get(name, "px") for name in channels))
    with open_features(make_features(f"source-{path.stem}.h5", persons=2, noise=0.05)) as file:
        maps, clips = file.features[:], file.records()
    emotions = changes.get("emotions", CLASSES)
    rows = []
    for values, clip in zip(maps, clips, strict=True):
        planes = {"u": values[0], "v": values[1], "strain": values[2], "magnitude": np.hypot(values[0], values[1])}
        picked = np.stack([planes[name] for name in channels])[:, :size, :size].astype(np.float32)
        number = CLASSES.index(clip.emotion)
        new = Clip("mmew", clip.subject, clip.clip, person=f"mmew:{clip.subject}", emotion=emotions[number])
        rows.append((new, ClipFeatures(picked)))
    header = FeatureHeader(channels, units, changes.get("normalisation", "none"), {"made": path.name})
    write_features(path, header, rows, len(rows))
    return path


def _svm(make_features: Maker, run: Path) -> Path:
    train(make_features("training.h5", noise=0.05), model="svm", run_folder=run, final=True)
    return run


def test_a_baseline_is_kept_and_predicts_new_people(make_features: Maker, tmp_path: Path) -> None:
    run = _svm(make_features, tmp_path / "run")
    table = predict(run, _new_clips(tmp_path / "new.h5", make_features))
    assert (table["prediction"] == table["truth"]).mean() > 0.9
    assert not table["trained_on"].any()
    assert table.attrs["notes"] == []
    scores = scores_of_new(table)
    assert scores.full.n == 12
    assert scores.full.uf1 > 0.9
    assert np.allclose(table.filter(like="probability_").sum(axis=1), 1)


def test_channels_are_found_by_name_whatever_their_order_and_company(make_features: Maker, tmp_path: Path) -> None:
    run = _svm(make_features, tmp_path / "run")
    plain = predict(run, _new_clips(tmp_path / "a.h5", make_features))
    other = predict(run, _new_clips(tmp_path / "b.h5", make_features, channels=("magnitude", "strain", "v", "u")))
    assert plain.equals(other)


def test_people_of_the_training_are_told_and_not_scored(make_features: Maker, tmp_path: Path) -> None:
    run = _svm(make_features, tmp_path / "run")
    table = predict(run, make_features("again.h5", persons=2))
    assert table["trained_on"].all()
    assert "12 of 12 clips show people that the model was fitted on (12 are the very clips)" in table.attrs["notes"][0]
    assert scores_of_new(table) is None


def test_new_clips_without_a_class_of_the_run_have_no_truth_and_a_prediction(
    make_features: Maker, tmp_path: Path
) -> None:
    run = _svm(make_features, tmp_path / "run")
    table = predict(run, _new_clips(tmp_path / "new.h5", make_features, emotions=("disgust", "others", "")))
    assert table["truth"].tolist() == ["negative", "", ""] * 4
    assert (table["prediction"] != "").all()
    assert "8 of 12 clips have no class in megc2019" in table.attrs["notes"]
    assert scores_of_new(table).full.n == 4


@pytest.mark.parametrize("model", ["svm", "htnet"])
def test_maps_of_another_size_are_refused_with_the_command_that_makes_them(
    make_features: Maker, tmp_path: Path, model: str
) -> None:
    settings = {"preset": "sanity", "epochs": 1, "max_folds": 1, "jobs": 1}
    train(make_features("training.h5"), model=model, run_folder=tmp_path / "run", final=True, **settings)
    with pytest.raises(ModelError, match="another size") as caught:
        predict(tmp_path / "run", _new_clips(tmp_path / "new.h5", make_features, size=20))
    assert "--size 28" in str(caught.value)


def test_a_file_without_a_channel_or_a_region_set_is_refused(make_features: Maker, tmp_path: Path) -> None:
    run = _svm(make_features, tmp_path / "run")
    with pytest.raises(ModelError, match="no channel 'strain'"):
        predict(run, _new_clips(tmp_path / "new.h5", make_features, channels=("u", "v")))
    whole = preset("svm")
    mosaic = whole.model_copy(update={"input": whole.input.model_copy(update={"representation": "mosaic:anatomical"})})
    train(make_features("training.h5"), model="svm", preset=mosaic, run_folder=tmp_path / "mosaic", final=True)
    with pytest.raises(ModelError, match="no regions 'anatomical'"):
        predict(tmp_path / "mosaic", _new_clips(tmp_path / "other.h5", make_features))


def test_values_in_other_units_are_refused_unless_each_clip_is_scaled_by_itself(
    make_features: Maker, tmp_path: Path
) -> None:
    plain = preset("svm")
    raw = plain.model_copy(update={"input": plain.input.model_copy(update={"normalisation": "none"})})
    features = make_features("training.h5")
    train(features, model="svm", preset=raw, run_folder=tmp_path / "raw", final=True)
    levels = _new_clips(tmp_path / "new.h5", make_features, units=("level",) * 3, normalisation="per-image")
    with pytest.raises(ModelError, match="not of the kind") as caught:
        predict(tmp_path / "raw", levels)
    assert "u in level" in str(caught.value)
    free = plain.model_copy(update={"input": plain.input.model_copy(update={"normalisation": "peak-symmetric"})})
    train(features, model="svm", preset=free, run_folder=tmp_path / "free", final=True)
    assert len(predict(tmp_path / "free", levels)) == 12


def test_a_final_model_says_what_it_is(make_features: Maker, tmp_path: Path) -> None:
    model = read_final(_svm(make_features, tmp_path / "run"))
    assert (model.preset.model, model.classes, model.scheme) == ("svm", CLASSES, "megc2019")
    assert model.shape == (3, 28, 28)
    assert len(model.persons) == 4
    assert json.loads(json.dumps(model.about())) == model.about()


def test_a_damaged_model_is_told_and_how_to_mend_it(make_features: Maker, tmp_path: Path) -> None:
    run = _svm(make_features, tmp_path / "run")
    path = run / "final.safetensors"
    whole = path.read_bytes()
    for broken in (b"", whole[:100], b"\x80\x04" + whole):
        path.write_bytes(broken)
        with pytest.raises(TrainingError, match="cannot be read") as caught:
            predict(run, make_features("new.h5"))
        assert "--final" in str(caught.value)
    with pytest.raises(TrainingError, match="no final network"):
        predict(tmp_path, make_features("new.h5"))


def _changed(path: Path, change: dict[str, Any], *, sealed: bool) -> None:
    """Change what a final model says of itself, a preset part by part; with or without making its seal anew."""
    from safetensors.torch import load_file, save_file

    from merprep.training.sealed import write_sealed

    with safe_open(path, framework="pt") as stored:
        about = json.loads(stored.metadata()["merprep"])
    tensors = load_file(path)
    if sealed:
        del about["seal"]
    parts = change.get("preset") or {}
    about = {**about, **change, **({"preset": {**about["preset"], **parts}} if parts else {})}
    if sealed:
        write_sealed(path, tensors, about)
    else:
        save_file(tensors, path, metadata={"merprep": json.dumps(about)})


def test_no_flipped_bit_of_a_final_model_goes_unnoticed(make_features: Maker, tmp_path: Path) -> None:
    run, features = tmp_path / "run", make_features()
    train(features, model="ststnet", preset="sanity", run_folder=run, epochs=1, max_folds=1, jobs=1, final=True)
    path = run / "final.safetensors"
    whole = path.read_bytes()
    before = predict(run, features)
    rng = np.random.default_rng(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    # Blanks behind the header say nothing, whatever becomes of them.
    said = len(whole[:header].rstrip())
    for place in (*rng.integers(0, said, 60).tolist(), *rng.integers(header, len(whole), 60).tolist()):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        with pytest.raises(TrainingError, match="cannot be read"):
            predict(run, features)
    path.write_bytes(whole)
    assert predict(run, features).equals(before)


def test_a_changed_configuration_breaks_the_seal(make_features: Maker, tmp_path: Path) -> None:
    run = _svm(make_features, tmp_path / "run")
    _changed(run / "final.safetensors", {"classes": ["a", "b", "c"]}, sealed=False)
    with pytest.raises(TrainingError, match="seal is broken"):
        predict(run, make_features("new.h5"))


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["a", "b"]}, {"classes": 3}, {"scheme": [1]}, {"persons": None}, {"normaliser": {"mean": [1]}},
        {"preset": None}, {"preset": {"model": "htnet"}}, {"preset": {"model": "nope"}},
        {"preset": {"kind": "baseline"}}, {"preset": {"recipe": {"members": "x"}}},
        {"preset": {"recipe": {"members": 3}}}, {"preset": {"architecture": {"z": 3}}},
        {"preset": {"model": "off-apexnet", "architecture": {"hidden": 10**9}}},
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_is_refused_even_under_a_seal(
    make_features: Maker, tmp_path: Path, change: dict[str, Any]
) -> None:
    run, features = tmp_path / "run", make_features()
    train(features, model="ststnet", preset="sanity", run_folder=run, epochs=1, max_folds=1, jobs=1, final=True)
    _changed(run / "final.safetensors", change, sealed=True)
    with pytest.raises(MerprepError):
        predict(run, features)


def test_a_final_model_may_be_read_by_whoever_may_read_the_run(make_features: Maker, tmp_path: Path) -> None:
    run = _svm(make_features, tmp_path / "run")
    assert (run / "final.safetensors").stat().st_mode == (run / "scores.json").stat().st_mode


def test_weights_of_another_configuration_are_refused(make_features: Maker, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    run, features = tmp_path / "run", make_features()
    train(features, model="ststnet", preset="sanity", run_folder=run, epochs=1, max_folds=1, jobs=1, final=True)
    about = read_final(run).about()
    tensors = load_file(run / "final.safetensors")
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, run / "final.safetensors", metadata={"merprep": json.dumps(about)})
    with pytest.raises(TrainingError, match="not those of its configuration"):
        predict(run, features)


def test_a_missing_file_or_device_is_told(make_features: Maker, tmp_path: Path) -> None:
    run = _svm(make_features, tmp_path / "run")
    with pytest.raises(StoreError):
        predict(run, tmp_path / "nowhere.h5")
    with pytest.raises(DeviceError):
        predict(run, make_features("new.h5"), device="tpu")
