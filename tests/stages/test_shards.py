"""Shards: parts of the clips that are worked on apart, and merged into what one run would have written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import chain
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.errors import StoreError, UsageError
from merprep.features import FlowConfig
from merprep.stages import align_shard, flow, flow_shard, ingest, merge
from merprep.stages.shards import Shard
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.store.whole import _host
from merprep.synthetic import write_database


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory, mesh_weights: object) -> Path:
    """A study whose three shards have been computed, one clip of which has no apex."""
    folder = tmp_path_factory.mktemp("sharded")
    write_database("casme2", folder / "raw", subjects=2, clips_per_class=1, frames="key", frame_size=(240, 200))
    workspace = Workspace(folder / "study")
    ingest(workspace, "casme2", folder / "raw")
    manifest = read_manifest(workspace)
    clips = (replace(manifest.clips[0], apex=None, apex_source="none"), *manifest.clips[1:])
    write_manifest(workspace, Manifest(clips, manifest.sources))
    for index in (3, 1, 2):
        flow_shard(workspace, f"{index}/3", jobs=1)
    return folder


@pytest.fixture
def study(sharded: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(sharded / "study", tmp_path / "study")
    return Workspace(tmp_path / "study")


def contents(path: Path) -> dict[str, object]:
    with h5py.File(path) as file:
        found: dict[str, object] = {f"attribute {name}": value for name, value in file.attrs.items()}
        file.visititems(
            lambda name, item: found.update(
                {
                    name: (
                        item.dtype,
                        item[()].tolist(),
                        {key: np.array(value).tolist() for key, value in item.attrs.items()},
                    )
                }
                if isinstance(item, h5py.Dataset)
                else {}
            )
        )
    return found


def test_merged_shards_are_what_one_run_writes(study: Workspace) -> None:
    merged = merge(study)
    assert merged.report.counts() == {"in": 6, "done": 6, "skipped": 0, "failed": 0}
    whole = Workspace(study.folder.parent / "whole")
    write_manifest(
        whole, Manifest(tuple(replace(c, notes=()) for c in read_manifest(study).clips), read_manifest(study).sources)
    )
    path, report = flow(whole, jobs=1)
    assert report.counts()["done"] == 5
    assert [path.name for path in merged.files] == [next((whole.folder / "aligned").glob("*.h5")).name, path.name]
    for file in merged.files:
        expected = contents(whole.folder / file.parent.name / file.name)
        assert contents(file) == expected
    assert study.manifest_path.read_bytes() == whole.manifest_path.read_bytes()


def test_after_a_merge_the_whole_run_has_nothing_left_to_do(study: Workspace) -> None:
    merge(study)
    path = study.features_path("flow", FlowConfig().config_id())
    before = path.stat().st_mtime_ns
    _, report = flow(study, jobs=1)
    assert {outcome.reason for outcome in report.outcomes} == {"it has no apex", "kept from before"}
    assert path.stat().st_mtime_ns == before


def test_a_shard_that_is_run_again_keeps_what_it_has(study: Workspace) -> None:
    report = flow_shard(study, "2/3", jobs=1)
    assert {outcome.reason for outcome in report.outcomes} == {"kept from before"}


def test_a_missing_shard_is_named(study: Workspace) -> None:
    shutil.rmtree(study.folder / "shards" / "2-of-3")
    with pytest.raises(StoreError, match="1 of 3 shards are missing") as caught:
        merge(study)
    assert caught.value.found == "2/3"


def test_a_shard_that_is_there_twice_is_refused(study: Workspace, tmp_path: Path) -> None:
    shutil.copytree(study.folder / "shards" / "2-of-3", tmp_path / "again")
    with pytest.raises(StoreError, match="there twice"):
        merge(study, [*sorted((study.folder / "shards").iterdir()), tmp_path / "again"])


def test_shards_of_different_splits_are_refused(study: Workspace) -> None:
    flow_shard(study, "1/2", jobs=1)
    with pytest.raises(StoreError, match="different splits"):
        merge(study)
    merge(study, sorted((study.folder / "shards").glob("*-of-3")))


def test_shards_with_other_settings_are_refused_and_named(study: Workspace) -> None:
    flow_shard(study, "3/3", config=FlowConfig(size=32), jobs=1)
    with pytest.raises(StoreError, match="different settings") as caught:
        merge(study)
    assert caught.value.found == "not finished by shard 1/3, 2/3"


def test_shards_made_with_other_versions_are_refused(study: Workspace) -> None:
    (path,) = (study.folder / "shards" / "2-of-3" / "features").glob("*.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["created_with"] = json.dumps({"numpy": "1.0"})
    with pytest.raises(StoreError, match="different versions"):
        merge(study)


def test_shards_of_another_list_of_clips_are_refused(study: Workspace) -> None:
    manifest = read_manifest(study)
    moved = replace(manifest.clips[1], offset=(manifest.clips[1].offset or 0) - 1)
    write_manifest(study, Manifest((manifest.clips[0], moved, *manifest.clips[2:]), manifest.sources))
    with pytest.raises(StoreError, match="another list of clips"):
        merge(study)


def test_a_shard_with_a_clip_of_another_one_is_refused(study: Workspace) -> None:
    (mine,) = (study.folder / "shards" / "2-of-3" / "features").glob("*.h5")
    (other,) = (study.folder / "shards" / "3-of-3" / "features").glob("*.h5")
    shutil.copyfile(other, mine)
    with pytest.raises(StoreError, match="not its own"):
        merge(study)


@pytest.mark.parametrize("text", ["{", '{"schema_version": 1}', '{"schema_version": 99}', "[]", ""])
def test_a_damaged_or_newer_record_is_refused(study: Workspace, text: str) -> None:
    (study.folder / "shards" / "2-of-3" / "shard.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"no finished shard|newer merprep"):
        merge(study)


def test_names_in_a_record_lead_nowhere_else(study: Workspace) -> None:
    path = study.folder / "shards" / "2-of-3" / "shard.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**values, "finished": ["../../manifest.csv"]}), encoding="utf-8")
    with pytest.raises(StoreError, match="no finished shard"):
        merge(study)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/999", "1/3/5"])
def test_what_is_no_part_of_a_whole_is_no_shard(text: str) -> None:
    with pytest.raises(UsageError, match="i/n"):
        Shard.parse(text)


@given(st.integers(0, 60), st.integers(1, 12))
def test_shards_share_no_clip_and_leave_none_out(clips: int, count: int) -> None:
    parts = [Shard(index, count).of(list(range(clips))) for index in range(1, count + 1)]
    assert sorted(chain(*parts)) == list(range(clips))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_more_shards_than_clips_are_refused(study: Workspace) -> None:
    with pytest.raises(UsageError, match="more shards than clips"):
        align_shard(study, "1/7", jobs=1)


def test_the_command_line_says_what_comes_next(study: Workspace) -> None:
    folder = str(study.folder)
    run = CliRunner().invoke(app, ["align", "--shard", "1/3", "--jobs", "1", "-w", folder])
    assert run.exit_code == 0, run.output
    assert "merprep merge" in run.output
    run = CliRunner().invoke(app, ["merge", "-w", folder, "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["counts"]["in"] == 6


def test_what_a_killed_shard_left_is_swept_away(study: Workspace) -> None:
    part = Shard(2, 3).workspace(study)
    for folder in (part.folder, part.folder / "features"):
        (folder / f".merprep-{_host()}-{2**22 + 1}-1.tmp").touch()  # above the largest number of a process
    flow_shard(study, "2/3", jobs=1)
    assert not list(study.folder.rglob(".merprep-*"))
