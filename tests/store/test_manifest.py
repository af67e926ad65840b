"""The manifest: what is written is read again, and damage is named."""

import json
import time
from dataclasses import replace

import pytest

from merprep.errors import StoreError, UsageError
from merprep.records import Clip, FrameSet
from merprep.store import Manifest, Workspace, read_manifest, write_manifest

CLIP = Clip(
    "casme2",
    "sub01",
    "EP02_01f",
    person="casme2:1",
    frames=FrameSet("sub01/EP02_01f/img#.jpg", (46, 47, 49)),
    onset=46,
    apex=None,
    offset=49,
    fps=200.0,
    emotion='a "quoted", emotion\nin two lines',
    notes=("gap at 48", "one more"),
)
ANOTHER = Clip("samm", "006", "006_1_2", person="samm:6", status="excluded", reason="no frames on disk")


@pytest.fixture
def written(workspace: Workspace) -> Workspace:
    write_manifest(workspace, Manifest((CLIP, ANOTHER), {"casme2": {"root": "somewhere"}}))
    return workspace


def test_a_manifest_is_read_as_it_was_written(written):
    manifest = read_manifest(written)
    assert manifest.clips == (CLIP, ANOTHER)
    assert manifest.sources == {"casme2": {"root": "somewhere"}}
    assert manifest.usable == (CLIP,)


def test_a_manifest_is_plain_utf8_text_with_one_line_ending(written):
    assert b"\r" not in written.manifest_path.read_bytes()
    assert written.manifest_path.read_text(encoding="utf-8").startswith("id,database,subject,clip,person")


def test_replacing_a_database_leaves_the_others_alone():
    manifest = Manifest((CLIP, ANOTHER)).replacing("casme2", [replace(CLIP, clip="EP03_02")], {"root": "new"})
    assert [clip.id for clip in manifest.clips] == ["casme2/sub01/EP03_02", "samm/006/006_1_2"]


def test_clips_are_sorted_with_numbers_as_numbers():
    clips = [replace(CLIP, clip=name) for name in ("EP10_1", "EP9_1", "EP2_1")]
    manifest = Manifest().replacing("casme2", clips, {})
    assert [clip.clip for clip in manifest.clips] == ["EP2_1", "EP9_1", "EP10_1"]


def test_two_clips_with_one_id_are_refused():
    with pytest.raises(StoreError, match="same id"):
        Manifest((CLIP, CLIP))


def test_the_digest_knows_clips_and_frames_but_not_folders():
    digest = Manifest((CLIP,)).digest()
    assert Manifest((replace(CLIP, frames=FrameSet("elsewhere/#.png", (1,))),)).digest() == digest
    assert Manifest((replace(CLIP, onset=45),)).digest() != digest


@pytest.mark.parametrize("name", ["casme2/sub01/EP02_01f", "EP02_01f", "sub01/EP02_01f"])
def test_a_clip_is_found_by_its_id_or_its_name(name):
    assert Manifest((CLIP, ANOTHER)).clip(name) is CLIP


def test_a_mistyped_clip_is_answered_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        Manifest((CLIP, ANOTHER)).clip("casme2/sub01/EP02_01")
    assert "casme2/sub01/EP02_01f" in (caught.value.mend or "")


def test_a_workspace_without_a_manifest_says_what_to_run(workspace):
    with pytest.raises(StoreError, match="no manifest") as caught:
        read_manifest(workspace)
    assert "merprep ingest" in (caught.value.mend or "")


def test_a_damaged_row_is_named_with_its_line(written):
    text = written.manifest_path.read_text(encoding="utf-8")
    written.manifest_path.write_text(text.replace(",49,", ",forty-nine,"), encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be read") as caught:
        read_manifest(written)
    assert "line 2" in (caught.value.where or "")


def test_a_manifest_of_a_newer_merprep_is_refused(written):
    sidecar = json.loads(written.sidecar_path.read_text(encoding="utf-8"))
    written.sidecar_path.write_text(json.dumps({**sidecar, "schema_version": 99}), encoding="utf-8")
    with pytest.raises(StoreError, match="newer"):
        read_manifest(written)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema_version": "x"}'])
def test_a_damaged_sidecar_is_one_clear_error(written, damage):
    written.sidecar_path.write_text(damage, encoding="utf-8")
    with pytest.raises(StoreError, match="sidecar"):
        read_manifest(written)


def test_a_manifest_that_lost_columns_names_them(written):
    written.manifest_path.write_text("id,database\nx,y\n", encoding="utf-8")
    with pytest.raises(StoreError, match="lacks columns"):
        read_manifest(written)


def test_a_clip_with_tens_of_thousands_of_gaps_is_read_back(workspace: Workspace) -> None:
    frames = FrameSet("spNO.1/a/#.jpg", tuple(range(0, 80_000, 2)))
    clip = Clip("casme3a", "spNO.1", "a_1", person="casme3a:1", frames=frames)
    write_manifest(workspace, Manifest((clip,)))
    assert read_manifest(workspace).clips == (clip,)


def test_ten_thousand_clips_load_in_under_a_second(workspace: Workspace) -> None:
    clips = [
        Clip("casme2", f"sub{n // 100:02d}", f"EP01_{n:05d}", f"casme2:{n // 100}", onset=1, apex=50, offset=100,
             frames=FrameSet(f"sub{n // 100:02d}/EP01_{n:05d}/img#.jpg", tuple(range(1, 101))), emotion="disgust")
        for n in range(10_000)
    ]  # fmt: skip
    write_manifest(workspace, Manifest(tuple(clips)))
    started = time.perf_counter()
    assert len(read_manifest(workspace).clips) == 10_000
    assert time.perf_counter() - started < 1
