"""What reads the files of a workspace that somebody else made: each command that users give, on one spoilt file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from merprep.store.workspace import Workspace

_CLIPS, _SIZE = 12, 28


def write_workspace(folder: Path) -> None:
    """Lay out a small study that went through all stages; the raw files, in ``tree``, are not mutated."""
    from merprep import stages
    from merprep.bench.scale import write_tiny
    from merprep.training import train

    write_tiny(folder / "tree", _CLIPS, side=_SIZE + 12, subjects=3, annotated=2)
    workspace = Workspace(folder / "study")
    config = _config(folder)
    stages.ingest(workspace, "casme2", folder / "tree", verify="hash")
    features, _ = stages.flow(workspace, config, jobs=1, device="cpu")
    train(features, model="svm", preset="default", runs_folder=workspace.runs)
    train(features, model="ststnet", epochs=1, final=True, device="cpu", jobs=1, runs_folder=workspace.runs)


def _config(folder: Path) -> Any:
    from merprep.bench.scale import tiny_config

    return tiny_config(folder / "tree" / "landmarks.csv", size=_SIZE)


def read_as_reported(folder: Path, path: Path) -> object:
    """Write the report, with faces."""
    from merprep.report import write_report

    return write_report(Workspace(folder / "study"), faces=True)


def read_as_listed(folder: Path, path: Path) -> object:
    """Count labels, verify, list what could be cleaned, and say what is still to be done."""
    from merprep import stages
    from merprep.labels import count_table, scheme
    from merprep.planning import plan_flow
    from merprep.store.manifest import read_manifest

    workspace = Workspace(folder / "study")
    clips = read_manifest(workspace).clips
    found: list[object] = [count_table(clips, scheme(name)) for name in (3, 5, "objective-5")]
    found.append(stages.verify(workspace, jobs=1).lines())
    found.append(stages.clean(workspace, weights=folder / "none"))
    return [*found, plan_flow(workspace, _config(folder))]


def read_as_worked_on(folder: Path, path: Path) -> object:
    """Run stages again over what is there."""
    from merprep import stages

    workspace, config = Workspace(folder / "study"), _config(folder)
    stages.align(workspace, config.align, jobs=1)
    return stages.flow(workspace, config, jobs=1, device="cpu")


def read_as_exported(folder: Path, path: Path) -> object:
    """Write every form of export, into an empty folder each."""
    from merprep.stages import export
    from merprep.stages.exports import TARGETS

    workspace = Workspace(folder / "study")
    return [export(workspace.latest_features(), form, folder / "out" / form, workspace=workspace) for form in TARGETS]


def read_as_trained_on(folder: Path, path: Path) -> object:
    """Train on the features; runs that are there already continue."""
    from merprep.training import train

    workspace = Workspace(folder / "study")
    return train(workspace.latest_features(), model="svm", preset="default", runs_folder=workspace.runs).as_json()


def read_as_predicted(folder: Path, path: Path) -> object:
    """Predict with each run, and compare both."""
    from merprep.training import compare_runs, predict, scores_of_new

    workspace = Workspace(folder / "study")
    runs = sorted(workspace.runs.iterdir())
    table = predict(next(run for run in runs if "ststnet" in run.name), workspace.latest_features())
    return scores_of_new(table), compare_runs(*runs[:2], resamples=100).as_json()


def write_shards(folder: Path) -> None:
    """Lay out two shards of a study."""
    from merprep import stages
    from merprep.bench.scale import write_tiny

    write_tiny(folder / "tree", 8, side=_SIZE + 12, subjects=2)
    workspace = Workspace(folder / "study")
    stages.ingest(workspace, "casme2", folder / "tree")
    for index in (1, 2):
        stages.flow_shard(workspace, f"{index}/2", config=_config(folder), jobs=1, device="cpu")


def read_shards(folder: Path, path: Path) -> object:
    """Merge them."""
    from merprep import stages

    return stages.merge(Workspace(folder / "study"))


def write_tables(folder: Path) -> None:
    """Lay out tables of one's own: a database, a label scheme, errata; and what they describe."""
    import shutil

    from merprep.manifest_data import manifest_folders
    from merprep.synthetic import write_database

    write_database("casme2", folder / "tree", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    base = manifest_folders()[-1]
    for room, name in (("databases", "casme2"), ("errata", "casme2"), ("labels", "megc2019"), ("labels", "casme2-5")):
        (folder / "own" / room).mkdir(parents=True, exist_ok=True)
        shutil.copy(base / room / f"{name}.toml", folder / "own" / room)


def read_tables(folder: Path, path: Path) -> object:
    """Read the database by them."""
    import os

    from merprep.databases import read_database, spec
    from merprep.labels import count_table, scheme

    before = os.environ.get("MERPREP_MANIFESTS")
    os.environ["MERPREP_MANIFESTS"] = str(folder / "own")
    try:
        reading = read_database(spec("casme2"), folder / "tree")
        return [count_table(reading.clips, scheme(name)) for name in ("megc2019", "casme2-5")]
    finally:
        del os.environ["MERPREP_MANIFESTS"]
        if before is not None:
            os.environ["MERPREP_MANIFESTS"] = before


def write_lists(folder: Path) -> None:
    """Lay out lists of folds and a table of predictions."""
    rows = [f"casme2/sub{n % 3:02d}/EP{n:02d},fold-{n % 3}" for n in range(9)]
    (folder / "folds.csv").write_text("id,fold\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (folder / "official").mkdir()
    for fold in (1, 2):
        lines = [f"spNO.{n},a,{n}" for n in range(fold, 9, 2)]
        text = "Subject,Filename,Onset\n" + "\n".join(lines) + "\n"
        (folder / "official" / f"test_fold_{fold}.csv").write_text(text, encoding="utf-8")
    table = [f"x/{n % 3}/{n},x:{n % 3},x,0,{'ab'[n % 2]},{'ab'[n % 3 % 2]}" for n in range(9)]
    (folder / "predictions.csv").write_text(
        "id,person,database,seed,truth,prediction\n" + "\n".join(table) + "\n", encoding="utf-8"
    )


def read_lists(folder: Path, path: Path) -> object:
    """Split by the list, or score the table."""
    from merprep.evaluation import score_file
    from merprep.evaluation.listed_splits import ListedSplit, read_list

    if path.name == "predictions.csv":
        return score_file(path)

    place = path if path.name == "folds.csv" else path.parent
    first = "casme2" if path.name == "folds.csv" else "casme3a"
    ids = [f"{first}/sub{n % 3:02d}/EP{n:02d}" if first == "casme2" else f"{first}/spNO.{n}/a_{n}" for n in range(9)]
    words, _ = read_list(place, ids)
    persons = [name.rpartition("/")[0] for name in ids]
    return list(ListedSplit(words, subject_dependent=True).split(ids, groups=persons))


def write_faces(folder: Path) -> None:
    """Lay out a folder of labelled face pictures, for a first stage of training."""
    import cv2
    import numpy as np

    values = np.random.default_rng(0)
    for name in ("anger", "fear"):
        (folder / "faces" / name).mkdir(parents=True)
        for number in range(4):
            image = values.integers(0, 256, (32, 32, 3), np.uint8)
            suffix = ".png" if number % 2 else ".jpg"
            data = cv2.imencode(suffix, image)[1].tobytes()
            (folder / "faces" / name / f"{number}{suffix}").write_bytes(data)


def read_faces(folder: Path, path: Path) -> object:
    """Read them as pictures of a network."""
    from merprep.models import preset
    from merprep.training.macro import read_macros

    return read_macros(folder / "faces", preset("micro-attention", "published").input)
