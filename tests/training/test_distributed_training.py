"""Folds trained on a cluster are those trained here, whoever dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from merprep.engines import open_engine
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
