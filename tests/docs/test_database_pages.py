from __future__ import annotations

from pathlib import Path

import pytest

from merprep.databases import load_errata, names, spec
from merprep.databases.pages import index, page, write_pages

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "databases"
AGAIN = "run `python -m merprep.databases.pages docs/databases` and commit what it writes"


@pytest.mark.parametrize("name", names())
def test_the_committed_page_is_what_the_tables_say(name: str) -> None:
    path = COMMITTED / f"{name}.md"
    assert path.is_file(), AGAIN
    assert path.read_text(encoding="utf-8") == page(name), AGAIN


def test_the_committed_index_lists_every_database_and_nothing_else() -> None:
    assert (COMMITTED / "index.md").read_text(encoding="utf-8") == index(), AGAIN
    assert {path.stem for path in COMMITTED.glob("*.md")} == {"index", *names()}, AGAIN


@pytest.mark.parametrize("name", names())
def test_a_page_says_what_to_ask_for_every_layout_and_every_erratum(name: str) -> None:
    text, description = page(name), spec(name)
    assert description.agreement.url in text
    assert description.citation.doi in text
    if description.unlabelled:
        assert description.unlabelled in text
        return
    assert all(layout.example in text for layout in description.layouts)
    for erratum in load_errata(description.id):
        assert f"{erratum.subject}/{erratum.clip}" in text
        assert erratum.reason in text
        assert erratum.source in text


def test_writing_again_changes_nothing_and_removes_pages_of_databases_that_are_gone(tmp_path: Path) -> None:
    written = write_pages(tmp_path)
    before = {path: path.read_bytes() for path in written}
    (tmp_path / "gone.md").write_bytes(before[tmp_path / "samm.md"])
    (tmp_path / "mine.md").write_text("# A page by hand\n", encoding="utf-8")
    assert write_pages(tmp_path) == written
    assert {path: path.read_bytes() for path in written} == before
    assert sorted(path.name for path in tmp_path.glob("*.md") if path not in before) == ["mine.md"]
