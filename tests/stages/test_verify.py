from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.errors import StoreError, UnknownNameError
from merprep.stages import VerifyResult, ingest, verify
from merprep.store import Workspace
from merprep.store.hashes import read_hashes
from merprep.synthetic import write_database
from merprep.synthetic.databases import WRITERS
from merprep.synthetic.plans import disk

SELECTED = "CASME2_RAW_selected"


@pytest.fixture
def casme2(tmp_path: Path) -> Path:
    write_database("casme2", tmp_path / "casme2", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    return tmp_path / "casme2"


@pytest.fixture
def hashed(workspace: Workspace, casme2: Path) -> Path:
    """The folder of the frames of an ingested and hashed database."""
    ingest(workspace, "casme2", casme2, verify="hash")
    return casme2 / SELECTED


def found(result: VerifyResult) -> dict[str, object]:
    (database,) = result.databases
    return {kind: getattr(database, kind) for kind in ("changed", "missing", "extra", "unreadable")}


NOTHING: dict[str, object] = {"changed": (), "missing": (), "extra": (), "unreadable": ()}


def test_what_was_not_touched_is_intact(workspace: Workspace, hashed: Path) -> None:
    result = verify(workspace)
    assert result.intact
    assert found(result) == NOTHING
    assert result.databases[0].files == 30
    assert result.databases[0].hashed
    assert result.report.counts() == {"in": 6, "done": 6, "skipped": 0, "failed": 0}
    assert json.loads((workspace.reports / "verify.json").read_text(encoding="utf-8")) == result.as_json()


def test_changed_missing_extra_and_empty_files_are_told_apart(workspace: Workspace, hashed: Path) -> None:
    clip = hashed / "sub01" / "EP02_01f"
    first, second, third, *_ = sorted(path.name for path in clip.iterdir())
    with (clip / first).open("ab") as stream:
        stream.write(b"\0")
    (clip / second).unlink()
    shutil.copyfile(clip / third, clip / "img999.jpg")
    result = verify(workspace)
    place = "sub01/EP02_01f"
    assert found(result) == {
        "changed": (f"{place}/{first}",), "missing": (f"{place}/{second}",), "extra": (f"{place}/img999.jpg",),
        "unreadable": (),
    }  # fmt: skip
    assert result.report.counts() == {"in": 6, "done": 5, "skipped": 0, "failed": 1}
    assert not result.intact
    assert "1 changed" in result.report.outcomes[0].reason


def test_a_folder_that_came_since_is_extra_and_one_that_went_is_missing(workspace: Workspace, hashed: Path) -> None:
    shutil.copytree(hashed / "sub01" / "EP02_01f", hashed / "sub01" / "EP99_01")
    shutil.rmtree(hashed / "sub02")
    result = verify(workspace)
    assert result.databases[0].extra == ("sub01/EP99_01",)
    assert len(result.databases[0].missing) == 15
    assert result.report.counts()["failed"] == 3


def test_junk_that_systems_leave_is_not_extra(workspace: Workspace, hashed: Path) -> None:
    for name in ("Thumbs.db", ".DS_Store", "._img46.jpg", "Desktop - Shortcut.lnk"):
        (hashed / "sub01" / "EP02_01f" / name).write_bytes(b"junk")
    assert found(verify(workspace)) == NOTHING


def test_without_stored_hashes_only_presence_is_looked_at_and_that_is_said(workspace: Workspace, casme2: Path) -> None:
    ingest(workspace, "casme2", casme2)
    frames = sorted((casme2 / SELECTED / "sub01" / "EP02_01f").iterdir())
    frames[0].write_bytes(b"something else")
    frames[1].write_bytes(b"")
    result = verify(workspace)
    assert (result.databases[0].hashed, result.databases[0].changed) == (False, ())
    assert result.databases[0].unreadable == (frames[1].relative_to(casme2 / SELECTED).as_posix(),)
    assert "presence only" in result.lines()[0]


def test_hashes_survive_an_ingest_that_does_not_hash(workspace: Workspace, casme2: Path, hashed: Path) -> None:
    ingest(workspace, "casme2", casme2, errata="none")
    next((hashed / "sub01" / "EP02_01f").iterdir()).write_bytes(b"something else")
    assert len(verify(workspace).databases[0].changed) == 1


def test_hashes_of_another_root_are_not_taken_for_this_one(workspace: Workspace, hashed: Path, tmp_path: Path) -> None:
    write_database("casme2", tmp_path / "other", subjects=1, clips_per_class=1, frames="stub", n_frames=5)
    ingest(workspace, "casme2", tmp_path / "other")
    assert not verify(workspace).databases[0].hashed


def test_a_coding_sheet_that_changed_or_went_is_named(workspace: Workspace, casme2: Path, hashed: Path) -> None:
    (sheet,) = casme2.glob("*.xlsx")
    with sheet.open("ab") as stream:
        stream.write(b"\0")
    assert verify(workspace).databases[0].sheet == "changed"
    sheet.unlink()
    result = verify(workspace)
    assert result.databases[0].sheet == "missing"
    assert not result.intact


def test_an_edited_list_of_clips_has_another_digest(workspace: Workspace, hashed: Path) -> None:
    with workspace.manifest_path.open(encoding="utf-8", newline="") as stream:
        header, first, *rest = csv.reader(stream)
    first[header.index("onset")] = str(int(first[header.index("onset")]) + 1)
    with workspace.manifest_path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, first, *rest])
    result = verify(workspace)
    assert result.digest != result.recorded
    assert not result.intact
    assert "was edited" in result.lines()[-1]


def test_two_people_with_the_same_clips_have_the_same_digest(casme2: Path, tmp_path: Path) -> None:
    shutil.copytree(casme2, tmp_path / "copy")
    digests = []
    for name, root in (("one", casme2), ("two", tmp_path / "copy")):
        ingest(Workspace(tmp_path / name), "casme2", root)
        digests.append(verify(Workspace(tmp_path / name)).databases[0].digest)
    assert digests[0] == digests[1]
    shutil.rmtree(tmp_path / "copy" / SELECTED / "sub02")
    ingest(Workspace(tmp_path / "two"), "casme2", tmp_path / "copy")
    assert verify(Workspace(tmp_path / "two")).databases[0].digest != digests[0]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum here")
def test_the_stored_hashes_are_what_sha256sum_checks(workspace: Workspace, hashed: Path) -> None:
    hashes = workspace.hashes_path("casme2").absolute()
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", hashes], cwd=hashed, check=True)


def test_damaged_hashes_a_missing_manifest_and_an_unknown_database_are_errors(
    workspace: Workspace, hashed: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnknownNameError):
        verify(workspace, databases=["samm"])
    assert verify(workspace, databases=["CASME II"]).intact
    with pytest.raises(StoreError, match="no manifest"):
        verify(Workspace(tmp_path / "none"))
    workspace.hashes_path("casme2").write_text("damaged\n", encoding="utf-8")
    with pytest.raises(StoreError, match="hashes cannot be read"):
        verify(workspace)


def test_the_command_says_what_changed_and_strict_makes_it_an_exit_code(workspace: Workspace, hashed: Path) -> None:
    run = CliRunner().invoke
    arguments = ["verify", "--workspace", str(workspace.folder)]
    assert run(app, [*arguments, "--strict"]).exit_code == 0
    next((hashed / "sub01" / "EP02_01f").iterdir()).write_bytes(b"something else")
    document = json.loads(run(app, [*arguments, "--json"]).stdout)
    assert not document["intact"]
    assert len(document["databases"]["casme2"]["changed"]) == 1
    assert run(app, [*arguments, "--strict"]).exit_code == 1
    assert "NOT as it was" in run(app, arguments).stdout


@pytest.mark.parametrize(
    ("name", "layout"), [(name, layout) for name in WRITERS for layout in disk(name).get("layouts", [None])]
)
def test_every_database_and_layout_is_intact_until_a_file_changes(
    workspace: Workspace, tmp_path: Path, name: str, layout: str | None
) -> None:
    written = write_database(
        name, tmp_path / "raw", layout=layout, subjects=2, clips_per_class=1, frames="stub", n_frames=5
    )
    ingest(workspace, name, tmp_path / "raw", verify="hash")
    result = verify(workspace)
    assert result.intact, result.lines()
    (known,) = result.databases
    assert known.hashed
    assert 0 < known.files <= written.files
    some = next(path for path in read_hashes(workspace, known.name))
    with (known.root / some).open("ab") as stream:
        stream.write(b"\0")
    assert verify(workspace).databases[0].changed == (some,)
