"""Nothing of a fold's test side reaches its model: changed test clips and test labels change no other prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from merprep.models import preset
from merprep.models.presets import Preset
from merprep.records import Clip
from merprep.store import ClipFeatures, FeatureHeader, write_features
from merprep.training import train

CLASSES = ("negative", "positive", "surprise")
PERSON = "samm:1"


def _write(path: Path, *, changed: bool = False, relabelled: bool = False) -> Path:
    """Four people, six maps each; one clip of one person may be `changed`, and that person's labels `relabelled`."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(4):
        database = ("casme2", "samm")[number % 2]
        for index, emotion in enumerate(CLASSES * 2):
            maps = rng.normal(0, 0.5, (3, 28, 28)).astype(np.float32)
            maps[:, 9 * CLASSES.index(emotion) :][:, :9] += 1
            person = f"{database}:{number}"
            if changed and (person, index) == (PERSON, 0):
                maps = -50 * maps[:, ::-1]
            shift = 1 if relabelled and person == PERSON else 0
            told = CLASSES[(CLASSES.index(emotion) + shift) % 3]
            clip = Clip(database, f"s{number}", f"c{index}", person=person, emotion=told)
            rows.append((clip, ClipFeatures(maps)))
    header = FeatureHeader(("u", "v", "strain"), ("px", "px", "1/px"), "none", {"made": "by a test"})
    write_features(path, header, rows, len(rows))
    return path


def _standardised(model: str, name: str) -> Preset:
    """The preset with a normalisation that is fitted on the training side."""
    chosen = preset(model, name)
    spec = chosen.input.model_copy(update={"normalisation": "train-standard"})
    return chosen.model_copy(update={"input": spec})


def _chances(features: Path, chosen: Preset, run: Path, selection: str, stack: int) -> pd.DataFrame:
    options = {"epochs": 3, "stack": stack, "jobs": 1} if chosen.kind == "network" else {}
    result = train(features, model=chosen.model, preset=chosen, selection=selection, run_folder=run, **options)
    table = result.predictions
    return table[table["person"] == PERSON].set_index("id").filter(like="probability_")


@pytest.mark.parametrize(
    ("model", "name", "selection", "stack"),
    [
        ("svm", "default", "last", 1),
        ("majority", "default", "last", 1),
        ("ststnet", "sanity", "last", 1),
        ("ststnet", "sanity", "last", 4),
        ("ststnet", "sanity", "inner", 4),
        ("flow-cnn", "sanity", "last", 4),
    ],
)
def test_the_test_side_teaches_a_fold_nothing(
    tmp_path: Path, model: str, name: str, selection: str, stack: int
) -> None:
    chosen = _standardised(model, name)
    before = _chances(_write(tmp_path / "a.h5"), chosen, tmp_path / "a", selection, stack)
    changed = _chances(_write(tmp_path / "b.h5", changed=True), chosen, tmp_path / "b", selection, stack)
    others = before.index.difference(["samm/s1/c0"])
    assert np.allclose(before.loc[others], changed.loc[others], atol=1e-6)
    if model != "majority":
        assert not np.allclose(before, changed, atol=1e-6)
    relabelled = _chances(_write(tmp_path / "c.h5", relabelled=True), chosen, tmp_path / "c", selection, stack)
    assert np.allclose(before, relabelled, atol=1e-6)


def test_a_planted_leak_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from merprep.training import job, normalising

    everybody = lambda spec, images, train: normalising.normalised(spec, images, np.arange(len(images)))  # noqa: E731
    monkeypatch.setattr(job, "normalised", everybody)
    chosen = _standardised("ststnet", "sanity")
    before = _chances(_write(tmp_path / "a.h5"), chosen, tmp_path / "a", "last", 1)
    changed = _chances(_write(tmp_path / "b.h5", changed=True), chosen, tmp_path / "b", "last", 1)
    others = before.index.difference(["samm/s1/c0"])
    assert not np.allclose(before.loc[others], changed.loc[others], atol=1e-6)
