"""The manifest: what is written is read again, and damage is named."""

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep.errors import StoreError, UsageError
from merprep.records import Clip, FrameSet
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.store.manifest import sort_key

# Few letters, so that names often have beginnings in common.
NAMES = st.text(st.sampled_from("aAbß019²٣_ \0\1\ud800\uffff😀"), max_size=6)

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


def natural(text: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", text)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]


@given(st.lists(st.tuples(NAMES, NAMES, NAMES), max_size=12))
def test_clips_are_in_the_order_of_their_names_parts(names):
    def order(clip: Clip) -> tuple[Any, ...]:
        return clip.database, natural(clip.subject), natural(clip.clip)

    clips = [Clip(*name, person="x:1") for name in names]
    assert sorted(clips, key=sort_key) == sorted(clips, key=order)


def test_a_name_with_a_raised_digit_or_very_many_digits_is_no_obstacle():
    clips = [replace(CLIP, clip=name) for name in ("EP10", "EP²", "EP" + "9" * 5000, "EP2")]
    manifest = Manifest().replacing("casme2", clips, {})
    assert [clip.clip[:4] for clip in manifest.clips] == ["EP2", "EP10", "EP99", "EP²"]


def test_rows_of_other_databases_stay_in_order_around_the_new_ones():
    manifest = Manifest()
    for database in ("samm", "casme2", "smic"):
        clips = [replace(CLIP, database=database, clip=f"EP{number}") for number in range(20)]
        manifest = manifest.replacing(database, reversed(clips), {})
    assert [clip.database for clip in manifest.clips] == ["casme2"] * 20 + ["samm"] * 20 + ["smic"] * 20
    assert [clip.clip for clip in manifest.of_database("samm")] == [f"EP{number}" for number in range(20)]
    assert manifest.databases == ["casme2", "samm", "smic"]
    assert manifest.of_database("mmew") == ()


def test_thousands_of_rows_are_seen_by_status_and_database():
    clips = [
        replace(CLIP if n % 3 else ANOTHER, database=("casme2", "samm")[n % 2], clip=f"{n}") for n in range(3000)
    ]  # fmt: skip
    manifest = Manifest(iter(clips))
    assert manifest.clips == clips
    assert manifest.usable == [clip for clip in clips if clip.status == "ok"]
    assert manifest.of_database("samm")[10:20] == clips[21:41:2]
    assert manifest.clip("casme2/006/1500") == clips[1500]
    assert replace(manifest, clips=(clip for clip in manifest.clips)) == manifest


def test_two_clips_with_one_id_are_refused():
    with pytest.raises(StoreError, match="same id"):
        Manifest((CLIP, CLIP))


def test_the_digest_knows_clips_and_frames_but_not_folders():
    digest = Manifest((CLIP,)).digest()
    assert Manifest((replace(CLIP, frames=FrameSet("elsewhere/#.png", (1,))),)).digest() == digest
    assert Manifest((replace(CLIP, onset=45),)).digest() != digest


def test_the_digest_is_that_of_the_sorted_lines():
    clips = [replace(CLIP, clip=f"EP{n}{'é' * (n % 2)}", apex=n) for n in range(700)]
    lines = sorted(f"{clip.id} {clip.onset} {clip.apex} {clip.offset}" for clip in clips)
    assert Manifest((*clips, ANOTHER)).digest() == hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert Manifest().digest() == hashlib.sha256(b"").hexdigest()[:16]


@pytest.mark.parametrize("name", ["casme2/sub01/EP02_01f", "EP02_01f", "sub01/EP02_01f"])
def test_a_clip_is_found_by_its_id_or_its_name(name):
    assert Manifest((CLIP, ANOTHER)).clip(name) == CLIP


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


def test_ten_thousand_clips_are_read_back(workspace: Workspace) -> None:
    clips = [
        Clip("casme2", f"sub{n // 100:02d}", f"EP01_{n:05d}", f"casme2:{n // 100}", onset=1, apex=50, offset=100,
             frames=FrameSet(f"sub{n // 100:02d}/EP01_{n:05d}/img#.jpg", tuple(range(1, 101))), emotion="disgust")
        for n in range(10_000)
    ]  # fmt: skip
    write_manifest(workspace, Manifest(tuple(clips)))
    assert read_manifest(workspace).clips == clips
