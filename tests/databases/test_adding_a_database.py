"""The worked example of docs/adding-a-database.md, read from there and run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from merprep.databases.spec import DatabaseSpec, Join, Layout, Part, SheetSpec
from merprep.synthetic.pixels import stub_bytes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-database.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the tree, the table and the three tables of the page."""
    tree, (table,), tomls = blocks("text")[0], blocks("csv"), blocks("toml")
    ends = {row.split(",")[1]: int(row.split(",")[4]) for row in table.splitlines()[1:]}
    for line in tree.split():
        path = tmp_path / line
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            path.write_text(table, encoding="utf-8")
            continue
        first = int(path.stem.rpartition("_")[2])
        for number in range(first, ends[path.parent.name] + 1):
            path.with_name(f"frame_{number:04d}.png").write_bytes(stub_bytes(".png", True))
    for name, text in zip(("databases/office-me", "labels/office-2", "errata/office-me"), tomls, strict=True):
        target = tmp_path / "my-manifests" / f"{name}.toml"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return tmp_path


def merprep(place: Path, *words: str) -> dict[str, Any]:
    """Run a command in a process of its own, since tables are read once a process."""
    command = [sys.executable, "-m", "merprep", *words, "--json", "--workspace", "study"]
    environment = {**os.environ, "MERPREP_MANIFESTS": "my-manifests"}
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_the_example_ingests_as_the_page_says(place: Path) -> None:
    (place / "my-manifests" / "errata" / "office-me.toml").unlink()
    result = merprep(place, "ingest", "office-me", "office")
    rows = re.findall(r"^\| `(office-me/\S+)` \| (ok|excluded) \| (.*?) ?\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert result["clips"] == {"ok": 3, "excluded": 1}
    assert result["excluded"] == {name: why for name, status, why in rows if status == "excluded"}
    assert result["counts"]["emotions"] == {"Happiness": 2, "Annoyance": 1, "Anger": 1}
    assert result["apex"] == {"annotated": 2, "none": 1}
    assert len(rows) == result["counts"]["manifest_rows"] == 4


def test_the_correction_of_the_example_applies(place: Path) -> None:
    result = merprep(place, "ingest", "officeme", "office")
    assert result["errata"] == {"applied": ["office-me-apex-1: apex blank -> 346 (P01/smile_02)"]}
    assert result["apex"] == {"annotated": 2, "errata": 1}


def test_the_scheme_of_the_example_gives_the_unknown_emotion_a_class(place: Path) -> None:
    merprep(place, "ingest", "office-me", "office")
    own = merprep(place, "labels", "--scheme", "office-2")
    assert own["counts"]["office-me"] == {"negative": 1, "positive": 2}
    three = merprep(place, "labels", "--classes", "3")
    assert three["counts"]["office-me"] == {"negative": 0, "positive": 2, "surprise": 0}


def test_the_example_is_listed_with_its_description(place: Path) -> None:
    found = merprep(place, "databases", "Office ME")
    assert found["id"] == "office-me"


def test_the_page_speaks_of_fields_that_there_are() -> None:
    known = {
        "top": DatabaseSpec.model_fields, "`[[layouts]]`": Layout.model_fields, "`[sheet]`": SheetSpec.model_fields,
        "`[[joins]]`": Join.model_fields, "`[[parts]]`": Part.model_fields,
    }  # fmt: skip
    page = PAGE.read_text(encoding="utf-8").partition("## What else")[2]
    rows = re.findall(r"^\| (top|`\[+\w+\]+`) \| (.*?) \|", page, re.MULTILINE)
    assert len(rows) >= 10
    for where, said in rows:
        for name in re.findall(r"`(\w+)(?: =|`)", said):
            assert name in {*known[where], "kind"}


def test_a_description_with_a_mistake_names_file_and_field(place: Path) -> None:
    from merprep.errors import ConfigError

    table = tomllib.loads(blocks("toml")[0])
    with pytest.raises(ConfigError, match="layouts"):
        DatabaseSpec.read({**table, "layouts": [{"name": "frames", "levels": []}]}, where="office-me.toml")
