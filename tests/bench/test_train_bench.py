"""The cost of folds is measured on maps that anybody can make."""

import pytest
import torch

from merprep.bench.train import random_features, train_cost
from merprep.bench.train_steps import random_clips, step_cost
from merprep.models import build, preset
from merprep.store import open_features


def test_random_features_have_the_composites_persons(tmp_path):
    with open_features(random_features(tmp_path / "f.h5", clips=12, persons=4)) as file:
        assert len(file) == 12
        assert file.clips["person"].nunique() == 4


@pytest.mark.slow
def test_folds_alone_and_side_by_side_are_timed_and_compared_in_one_run():
    (row,) = train_cost([("flow-cnn", "sanity")], folds=2, epochs=1, jobs=1)
    assert (row.model, row.folds, row.epochs, row.jobs) == ("flow-cnn", 2, 1, 1)
    assert row.ratio == row.alone / row.together
    assert row.difference < 0.02


def test_steps_one_after_the_other_and_captured_are_timed_by_turns_and_are_the_same():
    rows = step_cost([("ststnet", "sanity")], epochs=2, rounds=1, clips=70)
    assert [(row.model, row.device, row.precision) for row in rows] == [
        ("ststnet", "cpu", "float32"),
        ("ststnet", "cpu", "bfloat16"),
    ]
    epochs = preset("ststnet", "sanity").recipe["epochs"]
    for row in rows:
        assert (row.parameters, row.difference, row.trouble) == (1683, 0.0, "")
        assert row.ratio == row.plain / row.captured
        assert row.hours == pytest.approx(68 * (row.setup + row.captured / 1000 * epochs) / 3600)


def test_random_clips_are_what_a_network_sees():
    whole = random_clips(preset("hsta", "published-random"), 2)
    assert whole.images.shape == (2, 3, 9, 224, 224)
    assert len(set(random_clips(preset("htnet"), 442).persons)) == 68
    tiny = preset("micro-attention", "tiny")
    assert random_clips(tiny, 3).images.shape == (3, 1, 52, 52)
    assert build("micro-attention", "tiny").image_size == tiny.input.size


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_on_a_gpu_htnet_as_published_is_captured_and_its_whole_training_is_reckoned():
    rows = step_cost(device="cuda", epochs=4, rounds=1)
    assert [(row.preset, row.precision) for row in rows] == [("published", "float32"), ("published", "bfloat16")]
    for row in rows:
        assert row.trouble == ""
        assert row.parameters == 139_582_982
        assert row.ratio > 0
