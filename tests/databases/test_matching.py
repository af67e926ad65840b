"""Rows and folders find each other as if all of them were compared, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep import shelf
from merprep.databases.folders import FOLDER, ClipFolder
from merprep.databases.keys import name_key, subject_key
from merprep.databases.matching import CLIP_NAME, NONE, ClipName, match_folders
from merprep.shelf import Rows

SUBJECTS = st.sampled_from(["sub01", "S1", "1", "s2", "sub", "p²", ""])
CLIPS = st.sampled_from(["EP01_1", "ep01_1", "EP1_01", " EP1_1 ", "EP2", "ep02", "²", "x\udcff", ""])


@pytest.fixture(params=[2, 512], ids=["on the disk", "too few for a database"], autouse=True)
def fresh(request: pytest.FixtureRequest) -> Iterator[None]:
    with patch.object(shelf, "_FRESH", request.param):
        yield


def all_compared(names: list[ClipName], folders: list[ClipFolder], *, shared: bool) -> list[int]:
    """Return the place of each name's folder: the first free one that fits, the closest way of comparing first."""
    told = any(folder.subject for folder in folders)
    ways: list[Callable[[str], Hashable]] = [str.strip, lambda text: text.strip().casefold(), name_key]
    chosen = [NONE] * len(names)
    for way in ways:
        for number, name in enumerate(names):
            taken = set() if shared else set(chosen)
            wanted = subject_key(name.subject if told else ""), way(name.clip)
            fitting = [
                place
                for place, folder in enumerate(folders)
                if place not in taken and (subject_key(folder.subject), way(folder.clip)) == wanted
            ]
            if chosen[number] == NONE and fitting:
                chosen[number] = fitting[0]
    return chosen


@pytest.mark.parametrize("shared", [False, True])
@given(wanted=st.lists(st.tuples(SUBJECTS, CLIPS), max_size=9), there=st.lists(st.tuples(SUBJECTS, CLIPS), max_size=9))
def test_folders_are_matched_as_if_all_were_compared(
    shared: bool, wanted: list[tuple[str, str]], there: list[tuple[str, str]]
) -> None:
    names = [ClipName(*texts) for texts in wanted]
    folders = [ClipFolder(*texts, "", f"{place}") for place, texts in enumerate(there)]
    found = match_folders(Rows(names, CLIP_NAME), Rows(folders, FOLDER), shared=shared)
    assert found.tolist() == all_compared(names, folders, shared=shared)


def test_an_exact_name_is_never_taken_by_a_similar_one() -> None:
    folders = [ClipFolder("sub01", name, "", name) for name in ("ep01_1", "EP01_01", "EP01_1")]
    names = [ClipName("1", name) for name in ("EP1_1", "EP01_01", "EP01_1")]
    assert match_folders(names, folders).tolist() == [0, 1, 2]


def test_subjects_are_not_compared_where_no_folder_tells_its_subject() -> None:
    names = [ClipName("01", "a_1"), ClipName("02", "a_2")]
    assert match_folders(names, [ClipFolder("", "a_2", "", "a_2")]).tolist() == [NONE, 0]
    assert match_folders(names, [ClipFolder("sub03", "a_2", "", "a_2")]).tolist() == [NONE, NONE]
