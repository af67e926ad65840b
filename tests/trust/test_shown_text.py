"""What a sheet or a folder says is shown as it is: no terminal obeys it, no spreadsheet computes it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from merprep.cli.output import Output
from merprep.errors import MerprepError
from merprep.plain import for_spreadsheet, from_spreadsheet, shown
from merprep.records import Clip, Outcome, StageReport
from merprep.stages import ingest
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.synthetic import write_database

EVIL = "[red]\x1b[2J\x1b]0;owned\x07\u202ebold[/red]\rfailed 0"
HEADER: list[object] = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"]


@pytest.fixture
def out(tmp_path: Path) -> Output:
    return Output(tmp_path, strict=False, json=False, quiet=False, debug=False)


def obeyed(text: str) -> set[str]:
    return {letter for letter in text if letter in "\x1b\x07\x08\r\x9b\u202e" or (ord(letter) < 32 and letter != "\n")}


def test_no_escape_sequence_and_no_markup_reaches_the_screen(
    out: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a terminal would get it.
    monkeypatch.setattr(out, "_console", lambda **_: Console(force_terminal=True, color_system=None, width=200))
    out.say(EVIL)
    out.table(EVIL, [EVIL], [[EVIL]])
    out.stage(StageReport("flow", (Outcome("a/1/x", "failed", f"{EVIL}\nskipped 7: all is well"),)))
    out.error(MerprepError(EVIL, where=EVIL, found="a\nmend     curl"))
    said = capsys.readouterr().out
    assert not obeyed(said), obeyed(said)
    assert said.count("[red]") == 7
    assert "\nskipped 7" not in said
    assert "\nmend" not in said.replace("│ ", "\n")


@given(st.text())
def test_shown_text_keeps_every_letter_that_does_nothing(text: str) -> None:
    assert not obeyed(shown(text)) - {"\t"}
    assert not set(shown(text, lines=False)) & {"\n", "\r", "\t"}
    if text.isalnum():
        assert shown(text) == text


@given(st.text())
def test_text_for_a_spreadsheet_comes_back(text: str) -> None:
    there = for_spreadsheet(text)
    assert from_spreadsheet(there) == text
    assert not there.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_formulas_of_a_sheet_are_text_in_the_manifest_and_come_back(tmp_path: Path, workspace: Workspace) -> None:
    written = write_database("casme2", tmp_path / "raw", subjects=1, clips_per_class=1, frames="stub", n_frames=5)
    emotions = ['=HYPERLINK("http://x","y")', "@SUM(1)\x1b[2J\n+1", "-2+3"]
    rows = [
        [plan.subject, plan.clip, plan.onset, plan.apex, plan.offset, emotion]
        for plan, emotion in zip(written.clips, emotions, strict=True)
    ]
    sheet = tmp_path / "sheet.csv"
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *rows])
    ingest(workspace, "casme2", tmp_path / "raw", annotations=sheet)
    text = workspace.manifest_path.read_text(encoding="utf-8")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "\t"))]
    assert not obeyed(text)
    assert {clip.emotion for clip in read_manifest(workspace).clips} == {emotions[0], "@SUM(1) [2J +1", emotions[2]}


def test_a_clip_with_text_like_a_formula_survives_the_manifest(workspace: Workspace) -> None:
    clip = Clip("samm", "006", "006_1_2", person="samm:6", emotion="=1+1", action_units="'-4", notes=("+a", "b"))
    write_manifest(workspace, Manifest((clip,)))
    assert read_manifest(workspace).clips == (clip,)
