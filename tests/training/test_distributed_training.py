"""Folds trained on a cluster are those trained here, whoever dies."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from merprep.engines import open_engine
from merprep.store import open_features
from merprep.training import train

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")]


def kill_one(client: object, folder: Path) -> None:
    """Kill a worker once the first fold is there."""
    pids = list(client.run(os.getpid).values())  # type: ignore[attr-defined]
    until = time.monotonic() + 40
    while time.monotonic() < until and not list(folder.glob("folds/*.json")):
        time.sleep(0.01)
    os.kill(pids[0], signal.SIGKILL)


def test_a_run_on_a_cluster_of_which_a_worker_is_killed_says_what_one_process_says(
    make_features: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    features = make_features(persons=6)
    options = {"model": "ststnet", "preset": "published", "epochs": 3, "device": "cpu", "stack": 1}
    alone = train(features, run_folder=tmp_path / "alone", jobs=1, **options)
    with open_engine("dask", jobs=2) as engine:
        assert engine is not None
        killer = threading.Thread(target=kill_one, args=(engine.client, tmp_path / "spread"))  # type: ignore[attr-defined]
        killer.start()
        spread = train(features, run_folder=tmp_path / "spread", engine=engine, **options)
        killer.join()
    assert spread.full == alone.full
    assert spread.predictions.drop(columns="seconds", errors="ignore").equals(
        alone.predictions.drop(columns="seconds", errors="ignore")
    )
    assert len(list((tmp_path / "spread" / "folds").glob("*.json"))) == 6


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_maps_travel_with_no_fold_and_the_results_are_the_same(
    make_features: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip("distributed" if name == "dask" else "ray")
    features = make_features(persons=6)
    options = {"model": "svm", "preset": "default", "device": "cpu"}
    alone = train(features, run_folder=tmp_path / "alone", jobs=1, **options)
    sizes = []
    with open_engine(name, jobs=2) as engine:
        assert engine is not None
        start = engine.start

        def weighed(call: Callable[[], object], common: object) -> object:
            sizes.append(len(pickle.dumps(call)))
            return start(call, common)

        monkeypatch.setattr(engine, "start", weighed)
        spread = train(features, run_folder=tmp_path / "spread", engine=engine, **options)
    assert spread.full == alone.full
    with open_features(features) as file:
        assert len(sizes) == 6
        assert max(sizes) < file.features.nbytes / 4
