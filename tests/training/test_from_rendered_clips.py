"""Networks that see pictures, from raw folders to a score: they learn what is shown, and nothing where nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from merprep import stages
from merprep.store import Workspace
from merprep.store.aligned import open_aligned
from merprep.synthetic import write_database
from merprep.training import newest_input, train

# Expressions of several pixels, as macro-expressions are: one person's apex alone must tell what he shows.
AMPLITUDE, SIZE = 6.0, (160, 120)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, mesh_weights: list[Path]) -> Workspace:
    assert mesh_weights
    root = tmp_path_factory.mktemp("rendered")
    write_database(
        "casme2", root / "casme2", subjects=10, clips_per_class=2, n_frames=6, frame_size=SIZE, amplitude=AMPLITUDE
    )
    workspace = Workspace(root / "workspace")
    stages.ingest(workspace, "casme2", root / "casme2")
    aligned = stages.align(workspace, frames="all", jobs=1)
    assert aligned.counts()["done"] == 60
    _, report = stages.flow(workspace, jobs=1)
    assert report.counts()["done"] == 60
    return workspace


@pytest.mark.slow
@pytest.mark.parametrize("model", ["hsta", "micro-attention"])
def test_tiny_networks_learn_what_rendered_clips_show_and_nothing_from_permuted_labels(
    study: Workspace, tmp_path: Path, model: str
) -> None:
    seen = newest_input(study, model, "tiny")
    with open_aligned(seen) as file:
        # The flow stage, which needs key frames only, has kept the others.
        assert {len(file.numbers(name)) for name in file.clips["id"]} == {6}
    settings = {"model": model, "preset": "tiny", "jobs": 1}
    learned = train(seen, run_folder=tmp_path / "run", protocol="kfold-3", **settings)
    permuted = train(
        seen, run_folder=tmp_path / "permuted", protocol="kfold-2", permute_labels_within_persons=1, **settings
    )
    assert learned.full["n"] == 60
    assert learned.full["uf1"] >= 0.8
    assert permuted.full["uf1"] < 0.55
