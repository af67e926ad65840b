from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from merprep.bench.scale import write_tiny
from merprep.errors import MerprepError, RootNotFoundError, SheetError, UnknownNameError, UsageError
from merprep.stages import ingest
from merprep.store import Workspace, read_manifest
from merprep.synthetic import write_database
from merprep.synthetic.pixels import stub_bytes
from merprep.synthetic.sheets import write_workbook


@pytest.fixture
def casme2(tmp_path: Path) -> Path:
    write_database("casme2", tmp_path / "casme2", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    return tmp_path / "casme2"


def sheet_of(root: Path) -> Path:
    return next(root.glob("*.xlsx"))


def test_the_manifest_says_where_its_rows_came_from(workspace: Workspace, casme2: Path) -> None:
    result = ingest(workspace, "CASME II", casme2)
    manifest = read_manifest(workspace)
    source = manifest.sources["casme2"]
    assert manifest.clips == result.clips
    assert len(manifest.clips) == 6
    assert source["sheet"]["columns"]["emotion"] == "Estimated Emotion"
    assert len(source["sheet"]["sha256"]) == 64
    clip = manifest.clips[0]
    assert (manifest.root_of(clip) / clip.frames.path(clip.onset or 0)).is_file()
    assert json.loads((workspace.reports / "ingest-casme2.json").read_text(encoding="utf-8")) == result.as_json()


def test_the_document_has_the_promised_fields(workspace: Workspace, casme2: Path) -> None:
    document = ingest(workspace, "casme2", casme2).as_json()
    assert document["database"] == "casme2"
    assert document["clips"] == {"ok": 6, "excluded": 0}
    assert {"reasons", "errata", "counts"} <= set(document)
    assert document["counts"]["classes"]["megc2019"] == {"negative": 2, "positive": 2, "surprise": 2}
    json.dumps(document, allow_nan=False)


def test_ingesting_again_replaces_the_rows_and_leaves_other_databases(
    workspace: Workspace, casme2: Path, tmp_path: Path
) -> None:
    write_database("samm", tmp_path / "samm", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    ingest(workspace, "casme2", casme2)
    ingest(workspace, "samm", tmp_path / "samm")
    once = workspace.manifest_path.read_bytes()
    ingest(workspace, "casme2", casme2)
    assert workspace.manifest_path.read_bytes() == once
    assert len(read_manifest(workspace).clips) == 12


def encrypted(path: Path) -> None:
    # The first sectors of an encrypted package: an OLE file whose directory is not one of a workbook.
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 16 + b">\x00\x03\x00\xfe\xff\t\x00" + bytes(2000))


def without_columns(path: Path) -> None:
    write_workbook(path, {"Sheet1": [["Subject", "Filename", "Notes"], ["01", "EP02_01f", "x"]]})


def as_lock_file(path: Path) -> None:
    path.rename(path.with_name(f"~${path.name}"))


@pytest.mark.parametrize("damage", [encrypted, without_columns, as_lock_file, Path.unlink])
def test_a_bad_sheet_is_one_error_and_nothing_is_written(
    workspace: Workspace, casme2: Path, damage: Callable[[Path], None]
) -> None:
    damage(sheet_of(casme2))
    with pytest.raises(SheetError) as caught:
        ingest(workspace, "casme2", casme2)
    assert caught.value.where
    assert caught.value.mend
    assert not workspace.folder.exists()


def test_a_wrong_root_an_unknown_name_or_option_writes_nothing(
    workspace: Workspace, casme2: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    wrong: list[tuple[type[MerprepError], str, Path, dict[str, str]]] = [
        (RootNotFoundError, "casme2", tmp_path / "empty", {}),
        (RootNotFoundError, "casme2", tmp_path / "nowhere", {}),
        (RootNotFoundError, "samm", casme2, {}),
        (UnknownNameError, "casmé2", casme2, {}),
        (UnknownNameError, "smic", casme2, {"variant": "uv"}),
        (UsageError, "casme2", casme2, {"verify": "deeply"}),
        (UsageError, "casme2", casme2, {"errata": "some"}),
        (SheetError, "casme2", casme2, {"annotations": str(tmp_path / "~$codes.xlsx")}),
    ]
    for kind, name, root, options in wrong:
        with pytest.raises(kind):
            ingest(workspace, name, root, **options)  # type: ignore[arg-type]
    assert not workspace.folder.exists()


def test_a_failure_leaves_the_manifest_from_before(workspace: Workspace, casme2: Path) -> None:
    ingest(workspace, "casme2", casme2)
    before = workspace.manifest_path.read_bytes(), workspace.sidecar_path.read_bytes()
    without_columns(sheet_of(casme2))
    with pytest.raises(SheetError):
        ingest(workspace, "casme2", casme2)
    assert (workspace.manifest_path.read_bytes(), workspace.sidecar_path.read_bytes()) == before


def test_an_unreadable_image_excludes_its_clip_with_the_reason(workspace: Workspace, casme2: Path) -> None:
    broken = sorted(casme2.glob("CASME2_RAW_selected/sub01/*/img*.jpg"))[0]
    broken.write_bytes(b"not an image")
    assert ingest(workspace, "casme2", casme2, verify="exists").report.counts()["failed"] == 0
    result = ingest(workspace, "casme2", casme2, verify="decode")
    (clip,) = [clip for clip in read_manifest(workspace).clips if clip.status == "excluded"]
    assert clip.reason == f"unreadable image: {broken.relative_to(casme2 / 'CASME2_RAW_selected').as_posix()}"
    assert result.as_json()["reasons"] == {"unreadable image": 1}
    assert result.report.counts() == {"in": 6, "done": 5, "skipped": 0, "failed": 1}


def test_a_cut_off_image_excludes_its_clip(workspace: Workspace, casme2: Path) -> None:
    cut = sorted(casme2.glob("CASME2_RAW_selected/sub01/*/img*.jpg"))[0]
    cut.write_bytes(cut.read_bytes()[:-40])
    assert ingest(workspace, "casme2", casme2, verify="decode").reasons() == {"unreadable image": 1}


def test_an_empty_file_is_found_without_decoding(workspace: Workspace, casme2: Path) -> None:
    sorted(casme2.glob("CASME2_RAW_selected/sub02/*/img*.jpg"))[0].write_bytes(b"")
    assert ingest(workspace, "casme2", casme2, verify="exists").reasons() == {"empty file": 1}


def test_hashes_change_with_any_byte_and_with_nothing_else(workspace: Workspace, casme2: Path) -> None:
    ingest(workspace, "casme2", casme2, verify="hash")
    before = read_manifest(workspace).sources["casme2"]["hashes"]
    ingest(workspace, "casme2", casme2, verify="hash")
    assert read_manifest(workspace).sources["casme2"]["hashes"] == before
    with sorted(casme2.glob("CASME2_RAW_selected/sub01/*/img*.jpg"))[0].open("ab") as stream:
        stream.write(b"\0")
    ingest(workspace, "casme2", casme2, verify="hash")
    after = read_manifest(workspace).sources["casme2"]["hashes"]
    assert sum(before[name] != after[name] for name in before) == 1


def test_the_account_is_for_people_too(workspace: Workspace, casme2: Path) -> None:
    shutil.rmtree(sorted((casme2 / "CASME2_RAW_selected" / "sub02").iterdir())[0])
    result = ingest(workspace, "casme2", casme2)
    text = "\n".join(result.lines())
    assert "6 rows of the sheet + 0 folders without a row = 6 clips" in text
    assert result.report.reasons("skipped")


def test_a_hundred_thousand_frames_take_under_twenty_seconds_and_half_a_gigabyte(
    workspace: Workspace, tmp_path: Path
) -> None:
    # Hard links to a hundred frames: as much to list and match as files of their own, and quick to make and remove.
    header: list[object] = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]
    frames, rows = tmp_path / "frames", []
    frames.mkdir()
    for number in range(1, 101):
        (frames / f"img{number}.jpg").write_bytes(stub_bytes(".jpg", True))
    for subject in range(1, 41):
        for nth in range(1, 26):
            folder = tmp_path / "big" / "CASME2_RAW_selected" / f"sub{subject:02d}" / f"EP01_{nth:02d}"
            folder.mkdir(parents=True)
            for number in range(1, 101):
                (folder / f"img{number}.jpg").hardlink_to(frames / f"img{number}.jpg")
            rows.append([f"{subject:02d}", f"EP01_{nth:02d}", 1, 50, 100, "disgust"])
    write_workbook(tmp_path / "big" / "CASME2-coding-20140508.xlsx", {"Sheet1": [header, *rows]})
    tracemalloc.start()
    try:
        result = ingest(workspace, "casme2", tmp_path / "big")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000_000
    assert result.as_json()["counts"]["frames"] == 100_000
    assert result.as_json()["clips"] == {"ok": 1000, "excluded": 0}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_clips(tmp_path: Path) -> None:
    peaks = []
    for count in (1200, 1200, 3600):  # the first fills what is kept for good
        folder = tmp_path / f"{len(peaks)}"
        write_tiny(folder / "raw", count)
        tracemalloc.start()
        try:
            ingest(Workspace(folder / "study"), "casme2", folder / "raw")
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert (peaks[2] - peaks[1]) / 2400 < 80, "bytes a clip"
