"""Nothing outside the folder that the user named is read, whatever names, sheets and links say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from merprep.databases import read_database, spec
from merprep.errors import RootNotFoundError, SheetError, StoreError
from merprep.stages import ingest
from merprep.store import Workspace, read_manifest
from merprep.store.workspace import safe_name
from merprep.synthetic import write_database
from merprep.synthetic.sheets import write_workbook

HEADER: list[object] = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]
FRAMES = "CASME2_RAW_selected"

links = pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="links need rights on Windows")


@pytest.fixture
def casme2(tmp_path: Path) -> Path:
    """A database whose folder's neighbour is a secret: frames that no one asked to be read."""
    write_database("casme2", tmp_path / "casme2", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    shutil.copytree(tmp_path / "casme2" / FRAMES / "sub01", tmp_path / "secret" / "sub03")
    return tmp_path / "casme2"


@pytest.mark.parametrize(
    "name",
    [
        "../../../secret/sub03/EP02_01f", "..", ".", "/etc/passwd", "C:\\Windows\\system32", "..\\..\\secret",
        "EP02_01f/../../sub02/EP02_01f", "\x00", "EP02_01f\n", "a" * 300, "\u202eEP02_01f", "con", "~root",
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", [0, 1])
def test_names_in_a_sheet_lead_nowhere_but_to_the_folders_of_the_root(
    casme2: Path, workspace: Workspace, name: str, column: int
) -> None:
    bad: list[object] = ["01", "EP02_01f", 1, 2, 3, "others"]
    bad[column] = name if "\x00" not in name else "nul"
    write_workbook(
        casme2 / "CASME2-coding-20140508.xlsx", {"Sheet1": [HEADER, bad, ["02", "EP02_01f", 33, 35, 36, "others"]]}
    )
    ingest(workspace, "casme2", casme2)
    manifest = read_manifest(workspace)
    for clip in manifest.clips:
        assert clip.id.count("/") == 2
        assert not {"..", "."} & set(clip.id.split("/"))
        assert "/" not in safe_name(clip.id)
        assert ".." not in clip.frames.pattern.split("/")
        for number in clip.frames.numbers:
            path = (manifest.root_of(clip) / clip.frames.path(number)).resolve()
            assert path.is_relative_to((casme2 / FRAMES).resolve())


@links
@pytest.mark.parametrize("link", ["sub03", "sub01/EP99_99"])
def test_a_folder_that_is_a_link_out_of_the_root_is_not_read_and_named(casme2: Path, link: str) -> None:
    target = casme2.parent / "secret" / "sub03"
    (casme2 / FRAMES / link).symlink_to(target if link == "sub03" else target / "EP02_01f", target_is_directory=True)
    reading = read_database(spec("casme2"), casme2)
    assert len(reading.clips) == 6
    assert any(f"1 link leads out of the folder, not followed: {FRAMES}/{link}" in note for note in reading.notes)


@links
def test_an_image_that_is_a_link_out_of_the_root_is_no_frame(casme2: Path) -> None:
    clip = casme2 / FRAMES / "sub01" / "EP02_01f"
    before = len(list(clip.iterdir()))
    (clip / "img999.jpg").symlink_to(next((casme2.parent / "secret" / "sub03" / "EP02_01f").iterdir()))
    reading = read_database(spec("casme2"), casme2)
    (found,) = [c for c in reading.clips if c.id == "casme2/sub01/EP02_01f"]
    assert len(found.frames) == before
    assert found.notes == ("1 file is a link that leads elsewhere",)


@links
def test_links_inside_the_root_and_to_it_are_followed(casme2: Path, tmp_path: Path) -> None:
    store = casme2 / ".store"
    store.mkdir()
    clip = casme2 / FRAMES / "sub01" / "EP02_01f"
    for frame in sorted(clip.iterdir()):
        frame.rename(store / frame.name)
        frame.symlink_to(Path("..") / ".." / ".." / ".store" / frame.name)
    (tmp_path / "entry").symlink_to(casme2, target_is_directory=True)
    for root in (casme2, tmp_path / "entry"):
        reading = read_database(spec("casme2"), root)
        assert sum(clip.status == "ok" for clip in reading.clips) == 6


@links
def test_a_root_of_which_everything_is_a_link_elsewhere_says_where_to_look(casme2: Path, tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "CASME2").symlink_to(casme2, target_is_directory=True)
    with pytest.raises(RootNotFoundError) as caught:
        read_database(spec("casme2"), tmp_path / "desk")
    assert "not followed: CASME2" in str(caught.value.found)
    assert "give the folder that they lead to" in str(caught.value.mend)


@links
def test_links_in_a_circle_come_to_an_end(casme2: Path) -> None:
    (casme2 / "again").symlink_to(casme2, target_is_directory=True)
    (casme2 / FRAMES / "sub01" / "EP09_09").symlink_to(casme2 / FRAMES, target_is_directory=True)
    reading = read_database(spec("casme2"), casme2)
    assert sum(clip.status == "ok" for clip in reading.clips) == 6


@links
def test_a_coding_sheet_that_is_a_link_elsewhere_is_not_taken_unasked(casme2: Path, tmp_path: Path) -> None:
    (sheet,) = casme2.glob("*.xlsx")
    moved = sheet.rename(tmp_path / "secret" / sheet.name)
    sheet.symlink_to(moved)
    with pytest.raises(SheetError, match="was not found"):
        read_database(spec("casme2"), casme2)
    assert len(read_database(spec("casme2"), casme2, annotations=sheet).clips) == 6


def test_a_sheet_in_the_folder_goes_before_one_beside_it(casme2: Path) -> None:
    (sheet,) = casme2.glob("*.xlsx")
    shutil.copyfile(sheet, casme2.parent / "CASME2-coding-20190701.xlsx")
    reading = read_database(spec("casme2"), casme2)
    assert reading.sheet is not None
    assert reading.sheet.path == sheet


@pytest.mark.parametrize(
    "frames", ["../secret/sub03/EP02_01f/img#.jpg", "/etc/passwd", "C:/x/img#.jpg", "a\\..\\..\\img#.jpg"]
)
def test_a_manifest_that_was_edited_cannot_lead_out_either(casme2: Path, workspace: Workspace, frames: str) -> None:
    ingest(workspace, "casme2", casme2)
    text = workspace.manifest_path.read_text(encoding="utf-8")
    workspace.manifest_path.write_text(text.replace("sub01/EP02_01f/img#.jpg", frames), encoding="utf-8")
    with pytest.raises(StoreError, match="below the database's root"):
        read_manifest(workspace)
