"""Clips that a sheet names several times are told apart, and those only."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep import shelf
from merprep.databases.gathering import gathered
from merprep.databases.rows import first_rows, row_names
from merprep.databases.sheet import SheetRow
from merprep.databases.spec import Layout, SheetSpec
from merprep.records import Clip, FrameSet

LAYOUT = Layout(name="clips", levels=("(?P<clip>.+)",), file=".+", key="{clip}_{onset}")
SHEET = SheetSpec(
    files=("*.csv",), required=("clip",), columns={"clip": ("Clip",)}, kinds={"micro": ("ME",), "macro": ("MaE",)}
)
CELLS = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(["01", "1", "2", "p²"]),
        "clip": st.sampled_from(["a", "A", "b", "c"]),
        "kind": st.sampled_from(["ME", "MaE", "mae", "other", ""]),
        "onset": st.integers(1, 9),
    }
)


@pytest.fixture(params=[2, 512], ids=["on the disk", "too few for a database"], autouse=True)
def fresh(request: pytest.FixtureRequest) -> Iterator[None]:
    with patch.object(shelf, "_FRESH", request.param):
        yield


def rows_of(cells: list[dict[str, object]]) -> list[SheetRow]:
    return [SheetRow(number, dict(each)) for number, each in enumerate(cells, start=2)]  # type: ignore[arg-type]


@given(st.lists(CELLS, max_size=8))
def test_a_name_of_several_kinds_keeps_to_the_micro_expression(cells: list[dict[str, object]]) -> None:
    names = row_names(rows_of(cells), SHEET, LAYOUT)
    spelt = {"ME": "micro", "MaE": "macro", "mae": "macro"}
    same = [(int(str(each["subject"]).replace("p²", "9")), str(each["clip"]).casefold()) for each in cells]
    for key, name, each in zip(same, names, cells, strict=True):
        kinds = {spelt.get(str(e["kind"]), str(e["kind"])) for k, e in zip(same, cells, strict=True) if k == key}
        first = next((kind for kind in ("micro", "macro") if kind in kinds), min(kinds))
        assert name.kind == spelt.get(str(each["kind"]), each["kind"])
        assert name.clip.clip == (each["clip"] if name.kind == first else f"{each['clip']}_{name.kind}")
        assert (name.clip.subject, name.folder.subject) == (each["subject"], each["subject"])
        assert name.folder.clip == f"{each['clip']}_{each['onset']}"


@given(st.lists(CELLS, max_size=8))
def test_a_clip_that_was_named_before_knows_the_row_that_names_it_first(cells: list[dict[str, object]]) -> None:
    rows = rows_of([{**each, "kind": "ME"} for each in cells])
    seen: dict[tuple[str, str], int] = {}
    expected = {}
    for place, (row, each) in enumerate(zip(rows, cells, strict=True)):
        key = str(each["subject"]).lstrip("0"), str(each["clip"]).casefold()
        if key in seen:
            expected[place] = seen[key]
        seen.setdefault(key, row.number)
    assert first_rows(row_names(rows, SHEET, LAYOUT), rows) == expected


@given(st.lists(st.sampled_from("abc"), max_size=8))
def test_clips_of_one_name_get_ids_of_their_own(names: list[str]) -> None:
    frames = FrameSet("#.jpg", (1, 2, 3))
    clips, counts = gathered(
        Clip("casme2", "sub01", name, person="casme2:1", frames=frames, onset=2, emotion=name) for name in names
    )
    ids = [clip.id for clip in clips]
    assert len(set(ids)) == len(names)
    assert [clip_id.rpartition("/")[2][0] for clip_id in ids] == names
    assert sum("(" in clip_id for clip_id in ids) == len(names) - len(set(names))
    assert (counts.frames, counts.usable, counts.early) == (3 * len(names), len(names), len(names))
    assert counts.as_json()["emotions"] == {name: names.count(name) for name in set(names)}


def test_emotions_that_differ_in_case_are_counted_under_the_commoner_spelling() -> None:
    spelt = ["others", "Others", "others", ""]
    _, counts = gathered(Clip("casme2", "sub01", f"{n}", person="p", emotion=text) for n, text in enumerate(spelt))
    assert counts.as_json()["emotions"] == {"others": 3}
