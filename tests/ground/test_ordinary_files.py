"""Files that are none, tables that are no tables, and documents that hold something else than they should."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from merprep.errors import MerprepError, StoreError, TrainingError, UsageError
from merprep.evaluation import score_file
from merprep.evaluation.listed_splits import read_list
from merprep.faces.backends.precomputed import create
from merprep.ordinary import bytes_of, json_of, lines_of, open_ordinary, open_text, sha256_of, text_of
from merprep.report.runs import read_runs
from merprep.store import Workspace
from merprep.store.hashes import read_hashes, write_hashes
from merprep.store.manifest import read_manifest
from merprep.study import Study
from merprep.tables import read_table, walk_table
from merprep.training import read_run
from merprep.training.folds import load_fold

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no pipes with names on Windows")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


SPECIAL = [_pipe, _socket, _endless, Path.mkdir, _loop]


@pytest.mark.parametrize("make", SPECIAL, ids=lambda make: make.__name__)
@pytest.mark.parametrize("read", [open_ordinary, bytes_of, text_of, json_of, open_text, sha256_of, read_table])
def test_what_is_no_file_is_refused_at_once(
    make: Callable[[Path], None], read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "x.csv")
    with pytest.raises(OSError, match=r"no ordinary file|levels of symbolic links"):
        read(tmp_path / "x.csv")


@pytest.mark.parametrize("make", SPECIAL, ids=lambda make: make.__name__)
def test_no_reader_waits_for_a_pipe_or_reads_a_device_to_its_end(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path)
    workspace.manifest_path.touch()
    (tmp_path / "runs" / "x" / "folds").mkdir(parents=True)
    for name in ("manifest.json", "merprep.toml", "x.csv", "runs/x/scores.json", "runs/x/folds/a-seed0.json"):
        make(tmp_path / name)
    readers: list[Callable[[], object]] = [
        lambda: read_manifest(workspace),
        lambda: Study(tmp_path).databases(),
        lambda: read_list(tmp_path / "x.csv", ["a/b/c"]),
        lambda: score_file(tmp_path / "x.csv"),
        lambda: create(str(tmp_path / "x.csv")),
        lambda: read_run(tmp_path / "runs" / "x"),
    ]
    for reader in readers:
        with pytest.raises(MerprepError):
            reader()
    assert load_fold(tmp_path / "runs" / "x" / "folds", "a", 0, "digest") is None
    assert read_runs(workspace).unfinished == ("x",)


def test_texts_are_bounded_and_json_of_any_depth_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"12345")
    assert json_of(path) == 12345
    with pytest.raises(OSError, match="at most 4 are expected"):
        text_of(path, most=4)
    for deep in ("[" * 100_000, '{"a":' * 100_000):
        path.write_text(deep)
        with pytest.raises(ValueError, match="nested too deeply"):
            json_of(path)
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match="are expected"):
        json_of(path)
    with open_text(path) as stream, pytest.raises(ValueError, match="more than 1,000 characters"):
        list(lines_of(stream, 1000))


@pytest.mark.parametrize(
    "rows",
    [
        "a,b\n1,2" + ",x" * 20_000 + "\n",
        "a" + ",a" * 20_000 + "\n",
        "a,b\r1,2" + ",x" * 20_000 + "\r",
        "a,b\n1," + "2" * (1 << 20) + "\n",
        "a,b\n1,2,3\n",  # pandas would take the first cell for the name of the row
        "a,b\n1,2,3,4\n1,2,3,4\n",
        "a,b\n1,2\n1,2,3\n",
        "",
    ],
)
def test_a_table_whose_rows_are_longer_than_its_first_line_is_none(rows: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(rows.encode())
    with pytest.raises(ValueError, match=r"."):
        read_table(tmp_path / "x.csv")
    with pytest.raises(ValueError, match=r"."):
        list(walk_table(tmp_path / "x.csv", 2))


def test_a_table_is_read_whole_and_in_parts(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{n},x\n" for n in range(5)))
    assert read_table(tmp_path / "x.csv")["a"].tolist() == [0, 1, 2, 3, 4]
    assert [part["a"].tolist() for part in walk_table(tmp_path / "x.csv", 2)] == [[0, 1], [2, 3], [4]]
    (tmp_path / "x.csv").write_text("a,b,\n1,2,\n")  # a comma at the end of every line, as some programs write
    assert read_table(tmp_path / "x.csv")[["a", "b"]].to_numpy().tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "sidecar",
    [
        [], {}, {"schema_version": None, "sources": []}, {"schema_version": 1, "sources": {"x": []}},
        {"schema_version": 1, "sources": {"x": {"root": 7}}},
        {"schema_version": 1, "sources": {"x": {"sheets": [None]}}},
        {"schema_version": 1, "sources": {"x": {"sheet": {"path": ["a"]}}}},
        {"schema_version": 1, "sources": {"x": {"hashes": {"a": 1}}}}, {"schema_version": "1e999"},
    ],
)  # fmt: skip
def test_a_sidecar_of_other_kinds_of_values_is_refused(sidecar: object, workspace: Workspace) -> None:
    workspace.folder.mkdir()
    workspace.manifest_path.touch()
    workspace.sidecar_path.write_text(json.dumps(sidecar))
    with pytest.raises(StoreError):
        read_manifest(workspace)


FULL = {"uf1": 0.5, "uar": 0.5, "accuracy": 0.5, "n": 2, "confusion": [[1, 0], [0, 1]]}
SCORES = {"schema_version": 1, "model": "svm", "preset": "default", "classes": ["a", "b"], "protocol": "loso",
          "selection": "last", "full": FULL}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"classes": [["a"], "b"]}, {"classes": ["a", "a"]}, {"seeds": "1"}, {"seeds": -1}, {"seconds": float("inf")},
        {"full": {**FULL, "uf1": "0.5"}}, {"full": {**FULL, "uf1": float("nan")}}, {"full": {**FULL, "n": None}},
        {"full": {**FULL, "confusion": [[1, 0]]}}, {"full": {**FULL, "confusion": [[1, "0"], [0, 1]]}},
        {"databases": {"x": {}}}, {"databases": []}, {"optimistic": {"full": {}}}, {"notes": [7]}, {"model": 7},
    ],
)  # fmt: skip
def test_scores_of_other_kinds_of_values_are_those_of_no_run(change: dict[str, object], workspace: Workspace) -> None:
    run = workspace.runs / "x"
    run.mkdir(parents=True)
    (run / "predictions.csv").write_text("id,person,database,seed,truth,prediction\na/b/c,a:1,a,0,a,a\n")
    (run / "scores.json").write_text(json.dumps(SCORES))
    assert read_run(run).classes == ("a", "b")
    assert [found.name for found in read_runs(workspace).whole] == ["x"]
    (run / "scores.json").write_text(json.dumps({**SCORES, **change}))
    with pytest.raises(TrainingError, match="damaged"):
        read_run(run)
    assert read_runs(workspace).unfinished == ("x",)


@pytest.mark.parametrize(
    "rows",
    ["x/1/a,x:1,x,0,a,a\nx/1/b,x:1,x,1,a,a\n", "x/1/a,x:1,x,0,a,a\nx/1/a,x:2,x,1,a,a\n",
     "x/1/a,x:1,x,0,a,a\nx/1/a,x:1,y,1,a,a\n"],
)  # fmt: skip
def test_seeds_that_are_not_of_the_same_clips_are_refused(rows: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,person,database,seed,truth,prediction\n" + rows)
    with pytest.raises(UsageError):
        score_file(tmp_path / "x.csv")


def test_hashes_of_names_with_line_breaks_come_back(workspace: Workspace) -> None:
    hashes = dict.fromkeys(("a\nb/1.jpg", "a\\nb/1.jpg", "a\u2028b/1.jpg", "a\rb", " a ", "\\", "a b/1.jpg"), "0" * 64)
    write_hashes(workspace, "casme2", hashes.items())
    assert dict(read_hashes(workspace, "casme2")) == hashes
    with workspace.hashes_path("casme2").open("ab") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(StoreError, match="stored hashes"):
        read_hashes(workspace, "casme2")
