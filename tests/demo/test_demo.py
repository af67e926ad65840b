"""The whole line on the demonstration's databases: it learns what is there, and nothing where nothing is."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.demo import CLIPS_PER_CLASS, DEMO_DATABASES, SUBJECTS, make_demo_features
from merprep.store import open_features, read_manifest
from merprep.training import train

CLIPS = len(DEMO_DATABASES) * SUBJECTS * 3 * CLIPS_PER_CLASS


@pytest.fixture(scope="module")
def demo(tmp_path_factory, mesh_weights):
    return make_demo_features(tmp_path_factory.mktemp("demo"))


@pytest.mark.slow
def test_every_rendered_clip_reaches_the_feature_file(demo):
    workspace, features, _ = demo
    manifest = read_manifest(workspace)
    with open_features(features) as file:
        assert len(manifest.clips) == len(manifest.usable) == len(file) == CLIPS
        assert np.isfinite(file.features[:]).all()
        assert file.channels == ("u", "v", "strain")


@pytest.mark.slow
def test_htnet_learns_the_expressions_of_persons_that_it_has_not_seen(demo, tmp_path):
    result = train(demo[1], model="htnet", preset="sanity", run_folder=tmp_path / "run")
    assert result.full["n"] == CLIPS
    assert result.folds == len(DEMO_DATABASES) * SUBJECTS
    assert result.full["uf1"] >= 0.80
    assert result.optimistic["full"]["uf1"] >= result.full["uf1"]


@pytest.mark.slow
def test_htnet_learns_nothing_from_labels_permuted_within_persons(demo, tmp_path):
    scores = [
        train(
            demo[1], model="htnet", preset="sanity", run_folder=tmp_path / str(seed), permute_labels_within_persons=seed
        ).full["uf1"]
        for seed in range(5)
    ]
    assert np.mean(scores) < 0.45, scores


@pytest.mark.slow
def test_show_draws_a_clip_of_the_demonstration(demo, tmp_path):
    workspace = demo[0]
    clip = read_manifest(workspace).usable[0]
    target = tmp_path / "figure.png"
    result = CliRunner().invoke(
        app, ["show", clip.id, "--workspace", str(workspace.folder), "--out", str(target), "--json"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["figure"] == str(target)
    assert target.stat().st_size > 50_000
