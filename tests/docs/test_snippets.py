"""Every code block of README and of the documentation runs, on rendered databases.

A block's language says what is done with it:

* ``sh``: each line is a command, run in order; ``merprep train`` of a network is shortened to one epoch of two folds;
* ``python``: run in one namespace a page, where `onset` and `apex` are two grey images;
* ``toml title="merprep.toml"``: written under that name; other ``toml`` is only parsed;
* ``bash`` is README's set-up, which ``.ci/run`` runs as printed; ``text``, ``csv`` and ``json`` are shown.

``<!-- not run: reason -->`` in the line before a block leaves it out. ``<!-- snippets: in study -->`` anywhere on a
page starts it inside a prepared workspace; ``<!-- snippets: from nothing -->`` in an empty folder; else the page starts
in a folder with ``data/`` (three rendered databases, also ``~/data``) and ``study/`` (their manifest, aligned faces,
features and one run). Ids in file names (``flow-3f9a12c4.h5``) stand for whatever the id is.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from merprep.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md"))]
RUN = ("sh", "python", "toml")
SHOWN = ("bash", "text", "csv", "json", "yaml", "html", "bibtex")
DATABASES = {"casme2": "CASME2", "samm": "SAMM", "smic": "SMIC"}


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its language, what stands behind that, its text, and why it is not run."""

    line: int
    language: str
    info: str
    text: str
    excuse: str


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").split("\n")
    opened, start, before = None, 0, ""
    for number, line in enumerate(lines, start=1):
        fence = re.fullmatch(r"\s*(`{3,})(.*)", line)
        if fence and opened is None:
            opened, start = fence, number
        elif opened is not None and line.strip() == opened[1]:
            language, _, info = opened[2].strip().partition(" ")
            indent = len(opened[0]) - len(opened[0].lstrip())
            text = "\n".join(row[indent:] for row in lines[start : number - 1])
            excuse = re.search(r"<!-- not run: (.+?) -->", before)
            yield Block(start, language, info, text, excuse[1] if excuse else "")
            opened = None
        if opened is None and line.strip():
            before = line
    assert opened is None, f"{page.name}: the block of line {start} is not closed"


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_says_what_it_is(page: Path) -> None:
    for block in blocks(page):
        assert block.language in (*RUN, *SHOWN), f"{_name(page)}, line {block.line}: language {block.language!r}"
        if block.language == "toml":
            tomllib.loads(block.text)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, mesh_weights: list[Path]) -> Path:
    """A folder with three rendered databases and a workspace that went through all stages."""
    from merprep import stages, training
    from merprep.faces import AlignConfig
    from merprep.store import Workspace
    from merprep.synthetic import write_database

    folder = tmp_path_factory.mktemp("prepared")
    workspace = Workspace(folder / "study")
    for name, where in DATABASES.items():
        write_database(name, folder / "data" / where, subjects=3, clips_per_class=1, frame_size=(320, 240))
        stages.ingest(workspace, name, folder / "data" / where)
    stages.align(workspace, AlignConfig(), frames="all", jobs=1)
    features, _ = stages.flow(workspace, jobs=1)
    training.train(features, model="ststnet", preset="sanity", epochs=1, runs_folder=workspace.runs, jobs=1, final=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language in RUN for b in blocks(page))], ids=_name)
def test_the_page_runs_from_top_to_bottom(
    page: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _place(page, prepared, tmp_path)
    monkeypatch.chdir(place)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        where = f"{_name(page)}, line {block.line}"
        if block.excuse or block.language not in RUN:
            continue
        if block.language == "sh":
            for command in _commands(block.text):
                _run(command, where)
        elif block.language == "python":
            names = {**_images(), **names}
            exec(compile(_with_ids(block.text), where, "exec"), names)
        elif (title := re.search(r'title="([^"]+)"', block.info)) is not None:
            Path(title[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(title[1]).write_text(block.text, encoding="utf-8")


def _place(page: Path, prepared: Path, folder: Path) -> Path:
    text = page.read_text(encoding="utf-8")
    if "<!-- snippets: from nothing -->" in text:
        return folder
    (folder / "data").symlink_to(prepared / "data", target_is_directory=True)
    shutil.copytree(prepared / "study", folder / "study")
    return folder / "study" if "<!-- snippets: in study -->" in text else folder


def _images() -> dict[str, Any]:
    from merprep.synthetic import render_clip

    clip = render_clip(n_frames=8, size=(96, 96), colour=False)
    return {"onset": clip.frames[clip.onset], "apex": clip.frames[clip.apex], "clip": clip}


def _commands(text: str) -> Iterator[list[str]]:
    for line in text.replace("\\\n", " ").split("\n"):
        if words := shlex.split(line, comments=True):
            yield words


def _run(words: list[str], where: str) -> None:
    words = [_with_ids(str(Path(word).expanduser()) if word.startswith("~") else word) for word in words]
    assert words[0] == "merprep", f"{where}: {' '.join(words)} is no command of merprep"
    done = CliRunner().invoke(app, _shortened(words[1:]))
    assert done.exit_code == 0, f"{where}: {' '.join(words)}\n{done.output}\n{done.exception!r}"


def _shortened(words: list[str]) -> list[str]:
    networks = words[0] == "train" and not {"svm", "majority"} & set(words)
    return [*words, *(() if "--epochs" in words else ("--epochs", "1")), "--max-folds", "2"] if networks else words


def _with_ids(text: str) -> str:
    """Put the id that is there in place of one that is not."""

    def found(match: re.Match[str]) -> str:
        path = Path(match[0])
        others = sorted(path.parent.glob(f"{match[2]}-*{match[4] or ''}"), key=lambda other: other.stat().st_mtime)
        return match[0] if path.exists() or not others else others[-1].as_posix()

    return re.sub(r"((?:[\w./-]+/)?)([a-z0-9-]+)-([0-9a-f]{8})(\.h5)?", found, text)
