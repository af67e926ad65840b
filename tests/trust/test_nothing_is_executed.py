"""The package has no reader that executes what it reads, and opens no connection of its own."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import merprep
from merprep.config import short_hash
from merprep.store import Parts

PACKAGE = Path(merprep.__file__).parent
# Modules that build objects by running what a file says, or parse it with tags that do.
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "yaml", "xml", "lxml"}
# Packs what a run hands to its own workers, once instead of with every call, as Dask and Ray do themselves; no file.
TO_WORKERS = PACKAGE / "engines" / "backend.py"
CALLS = {"eval", "exec", "compile", "__import__"}
# Where the network is asked for anything: the weights alone.
NETWORK = {"socket", "requests", "urllib", "http", "ftplib", "pooch"}


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_no_module_reads_pickles_or_yaml() -> None:
    assert len(SOURCES) > 100
    assert {str(path): found for path in SOURCES if (found := imports_of(path) & FORBIDDEN)} == {
        str(TO_WORKERS): {"pickle"}
    }


def test_what_is_packed_for_workers_never_touches_a_file() -> None:
    assert imports_of(TO_WORKERS) <= {
        "__future__", "abc", "collections", "contextlib", "contextvars", "dataclasses", "joblib", "pickle", "typing",
        "warnings",
    }  # fmt: skip
    named = {node.id for node in nodes_of(TO_WORKERS) if isinstance(node, ast.Name)}
    assert not named & {"open", "Path"}


def test_no_module_runs_text() -> None:
    for path in SOURCES:
        for node in nodes_of(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in CALLS, f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword) and node.arg in ("shell", "allow_pickle"):
                assert isinstance(node.value, ast.Constant), f"{path}:{node.value.lineno}"
                assert node.value.value is False, f"{path}:{node.value.lineno}"


def test_torch_loads_tensors_alone() -> None:
    for path in SOURCES:
        for node in nodes_of(path):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                options = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert options.get("weights_only") == "True", f"{path}:{node.lineno}"


def test_only_weights_ask_the_network() -> None:
    users = {path.relative_to(PACKAGE).parts[0] for path in SOURCES if imports_of(path) & (NETWORK - {"urllib"})}
    assert users <= {"weights"}


def test_a_finished_clip_with_a_pickle_in_it_is_not_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "executed",))

    parts = Parts(tmp_path / "parts")
    parts.save("a/1/x", "digest", {"flow": np.ones(3)})
    (path,) = parts.folder.rglob("*.npz")
    with path.open("wb") as stream:
        np.savez(stream, _digest=np.array("digest"), flow=np.array([Evil()], dtype=object))
    assert parts.load("a/1/x", "digest") is None
    assert not (tmp_path / "executed").exists()
    assert short_hash("a/1/x", 20)[2:] == path.stem


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system ['id']", "=cmd|' /C calc'!A0"])
def test_settings_are_values_and_never_tags(tmp_path: Path, text: str) -> None:
    from merprep.errors import MerprepError
    from merprep.study import Study

    (tmp_path / "merprep.toml").write_text(f"[align]\nbackend = {text}\n", encoding="utf-8")
    with pytest.raises(MerprepError):
        Study(tmp_path).align_config()
