"""Clean removes what can be made again, when it is told to, and never a result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.errors import UsageError
from merprep.records import Clip
from merprep.stages import clean
from merprep.store import ClipFeatures, FeatureHeader, Manifest, Parts, Workspace, write_features, write_manifest
from merprep.store.aligned import AlignedHeader, ClipFaces, write_aligned

CLIP = Clip("samm", "006", "006_1_2", person="samm:6", onset=1, apex=3, offset=5)


def aligned(workspace: Workspace, **config: int) -> str:
    faces = ClipFaces(
        frames=np.ones((2, 8, 8), np.uint8), numbers=np.array([1, 3]), stamps=np.ones((2, 2), np.int64),
        landmarks=np.ones((5, 2), np.float32), transform=np.eye(2, 3), score=1.0, residual=0.0, box=np.zeros(4),
        faces=1, reference=1, attempt="as it is",
    )  # fmt: skip
    header = AlignedHeader(dict(config), "five")
    write_aligned(workspace.aligned_path(header.config_id), header, [(CLIP, faces)])
    return header.config_id


@pytest.fixture
def full(workspace: Workspace) -> Workspace:
    """A workspace with results, with what they need, and with what is left of runs that were stopped."""
    write_manifest(workspace, Manifest((CLIP,)))
    used, _ = aligned(workspace, size=1), aligned(workspace, size=2)
    header = FeatureHeader(("u",), ("px",), "none", {"a": 1}, {"aligned": used})
    write_features(workspace.features_path("flow", "3f9a12c4"), header, [(CLIP, ClipFeatures(np.ones((1, 4, 4))))], 1)
    Parts(workspace.folder / "features" / "flow-00000000.parts").save(CLIP.id, "d", {"a": np.ones(100)})
    (workspace.runs / "htnet").mkdir(parents=True)
    (workspace.runs / "htnet" / "scores.json").write_text("{}", encoding="utf-8")
    code = (
        "from merprep.store.whole import written_whole; from pathlib import Path; import os, sys\n"
        "with written_whole(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'x' * 1000); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(workspace.folder / "features" / "flow-1.h5")], check=False)
    return workspace


def kinds(workspace: Workspace, freed: bool, *wanted: str) -> list[str]:
    found = clean(workspace, wanted, weights=workspace.folder / "no-weights")
    return sorted(held.kind for held in found if held.freed == freed)


def snapshot(workspace: Workspace) -> dict[str, bytes]:
    return {
        path.relative_to(workspace.folder).as_posix(): path.read_bytes()
        for path in workspace.folder.rglob("*")
        if path.is_file() and "lock" not in path.name
    }


def test_unasked_nothing_is_removed(full: Workspace) -> None:
    before = snapshot(full)
    assert kinds(full, False) == ["aligned", "kept", "kept", "kept", "parts"]
    assert {name: before[name] for name in before if ".merprep-" not in name} == snapshot(full)


def test_what_is_named_goes_and_results_stay(full: Workspace) -> None:
    before = snapshot(full)
    assert kinds(full, True, "temporaries", "parts", "shards", "aligned") == ["aligned", "parts"]
    gone = set(before) - set(snapshot(full))
    assert all(".parts/" in name or name.startswith("aligned/") or ".merprep-" in name for name in gone)
    assert {"manifest.csv", "runs/htnet/scores.json", "features/flow-3f9a12c4.h5"} <= set(snapshot(full))
    assert len(full.aligned_files()) == 1


def test_weights_go_only_by_their_name(full: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(b"x" * 10)
    assert not any(held.freed for held in clean(full, weights=folder))
    clean(full, ["temporaries", "parts", "shards", "aligned"], weights=folder)
    assert (folder / "net.onnx").is_file()
    clean(full, ["weights"], weights=folder)
    assert not (folder / "net.onnx").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_removed_and_not_what_they_lead_to(full: Workspace, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("all of it", encoding="utf-8")
    (full.folder / "features" / "flow-11111111.parts").symlink_to(precious, target_is_directory=True)
    clean(full, ["parts"], weights=tmp_path / "none")
    assert (precious / "thesis.tex").is_file()
    assert not (full.folder / "features" / "flow-11111111.parts").exists()


def test_what_does_not_exist_cannot_be_cleaned(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="nothing of that kind"):
        clean(workspace, ["results"])


def test_the_command_shows_first_and_removes_with_yes(full: Workspace) -> None:
    folder = str(full.folder)
    run = CliRunner().invoke(app, ["clean", "-w", folder])
    assert run.exit_code == 0, run.output
    assert "would go" in run.output
    assert "merprep clean --yes" in run.output
    assert list((full.folder / "features").glob("*.parts"))
    run = CliRunner().invoke(app, ["clean", "-w", folder, "--yes", "--json"])
    assert run.exit_code == 0, run.output
    assert [held["kind"] for held in json.loads(run.stdout)["held"] if held["freed"]] == ["parts"]
    assert not list((full.folder / "features").glob("*.parts"))
