"""Every layout and every version of the table that can be faked is read back as what was written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from merprep.databases import read_database, spec
from merprep.databases.keys import subject_key
from merprep.records import Clip
from merprep.stages import ingest
from merprep.store import Workspace, read_manifest
from merprep.synthetic import write_database
from merprep.synthetic.databases import WRITERS
from merprep.synthetic.plans import ClipPlan, disk


def combinations() -> list[tuple[str, str | None, str | None]]:
    """Every layout with the usual table, and every other table with the usual layout."""
    found: list[tuple[str, str | None, str | None]] = []
    for name in WRITERS:
        table = disk(name)
        layouts, tables = list(table.get("layouts", {})) or [None], list(table["tables"]) or [None]
        found += [(name, layout, tables[0]) for layout in layouts]
        found += [(name, layouts[0], version) for version in tables[1:]]
    return found


def key(subject: str, clip: str, kind: str) -> tuple[object, str, str]:
    return subject_key(subject), clip.removesuffix("_macro"), kind


def expected(plan: ClipPlan, name: str) -> tuple[int, int | None, int]:
    """Frames as the manifest must have them: a recording has no frame 0, SMIC's apex is the midpoint."""
    apex = plan.peak if spec(name).apex == "midpoint" else plan.apex
    return max(plan.onset, plan.first), apex, plan.offset


@pytest.mark.parametrize(("name", "layout", "table"), combinations())
def test_what_is_laid_out_is_read_back(tmp_path: Path, name: str, layout: str | None, table: str | None) -> None:
    written = write_database(
        name, tmp_path, layout=layout, table=table, subjects=4, clips_per_class=2, frames="stub", n_frames=7
    )
    reading = read_database(spec(name), tmp_path)
    assert layout in (None, reading.layout)
    assert len(reading.clips) == len(written.clips) == reading.sheet_rows + reading.folders_without_row
    # One table of CAS(ME)^3 has no emotions at all; SAMM-LV's are those of SAMM's table.
    emotions = table != "micro-and-macro"
    truth = {key(plan.subject, plan.clip, plan.kind): plan for plan in written.clips}
    for clip in reading.clips:
        kind = clip.variant if any(plan.kind for plan in written.clips) else ""
        plan = truth.pop(key(clip.subject, clip.clip, kind))
        assert (clip.status, clip.reason) == ("ok", "")
        assert (clip.onset, clip.apex, clip.offset) == expected(plan, name)
        assert clip.emotion == (plan.emotion if emotions else "")
        assert clip.fps == (plan.fps or spec(name).fps)
        check_frames(clip, plan, written.frames_root, reading.root)
    assert not truth
    assert len({clip.id for clip in reading.clips}) == len(reading.clips)


def check_frames(clip: Clip, plan: ClipPlan, frames_root: Path, root: Path) -> None:
    """The clip's frames are files that were written, all of its own and none of the recording's others."""
    assert {clip.onset, clip.apex, clip.offset} - {None} <= set(clip.frames.numbers)
    if plan.video:
        assert clip.frames.numbers == tuple(range(clip.onset or 0, (clip.offset or 0) + 1))
    else:
        assert clip.frames.numbers == plan.frames.numbers
    for number in (clip.frames.numbers[0], clip.frames.numbers[-1]):
        assert (root / clip.frames.path(number)).is_file()
        assert root / clip.frames.path(number) == frames_root / plan.frames.path(number)


@pytest.mark.parametrize("name", WRITERS)
def test_the_root_may_be_named_at_any_level_of_nesting(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "downloads" / "unzipped" / "again"
    write_database(name, inside, subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    readings = [read_database(spec(name), root) for root in (tmp_path, inside.parent, inside)]
    assert len({Counter(clip.id for clip in reading.clips if clip.status == "ok").total() for reading in readings}) == 1
    assert len({reading.root for reading in readings}) == 1


@pytest.mark.parametrize("name", WRITERS)
def test_every_database_becomes_rows_of_the_manifest_that_are_read_back(
    tmp_path: Path, workspace: Workspace, name: str
) -> None:
    written = write_database(name, tmp_path / "raw", subjects=2, clips_per_class=1, frames="stub", n_frames=5)
    result = ingest(workspace, name, tmp_path / "raw", verify="decode")
    manifest = read_manifest(workspace)
    assert manifest.clips == result.clips
    assert len(result.clips) == len(written.clips)
    assert result.as_json()["clips"] == {"ok": len(written.clips), "excluded": 0}
    assert result.lines()


@pytest.mark.parametrize(
    ("name", "table"), [(name, table) for name in WRITERS for table in disk(name)["tables"] or () if table]
)
def test_a_sheet_that_is_given_is_laid_out_row_by_row(tmp_path: Path, name: str, table: str) -> None:
    first = write_database(name, tmp_path / "a", table=table, subjects=4, clips_per_class=1, frames="stub", n_frames=5)
    for index, sheet in enumerate(first.sheets if name == "dfme" else first.sheets[:1]):
        again = write_database(name, tmp_path / f"b{index}", annotations=sheet, frames="stub")
        extra = {"extra": first.sheets[1]} if name == "samm-lv" else {}
        reading = read_database(spec(name), tmp_path / f"b{index}", **extra)
        usable = [clip for clip in reading.clips if clip.status == "ok"]
        assert len(usable) == len(again.clips) == reading.sheet_rows
        assert reading.sheet is not None
        assert reading.sheet.path.name == sheet.name
        emotions = {key(plan.subject, plan.clip, ""): plan.emotion for plan in first.clips if plan.kind != "macro"}
        micro = [clip for clip in usable if clip.variant != "macro"]
        assert table == "micro-and-macro" or all(
            clip.emotion == emotions[key(clip.subject, clip.clip, "")] for clip in micro
        )
