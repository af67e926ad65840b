"""Records on the disk behave as the tuple, the list and the dictionary that they stand for, and leave the memory."""

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merprep import shelf
from merprep.errors import StoreError
from merprep.shelf import Codec, Rows, Shelf, in_order

NUMBERS = [f"{number}" for number in range(1000)]
BAD_NAME = "sub\udcff01"  # how Python writes a folder's name that is no valid Unicode
TEXTS = st.lists(st.text(st.characters(), max_size=4))


@pytest.fixture
def numbers() -> Rows[str]:
    return Rows(NUMBERS)


@given(TEXTS, st.slices(12), st.slices(6))
def test_rows_are_sliced_like_a_list(texts, first, second):
    rows = Rows(texts)
    assert list(rows) == texts
    assert list(rows[first]) == texts[first]
    assert list(rows[first][second]) == texts[first][second]


@pytest.mark.parametrize("fresh", [2, 512], ids=["on the disk", "too few for a database"])
@given(texts=TEXTS)
def test_rows_are_sorted_by_their_key_as_sorted_does(fresh, texts):
    def key(text: str) -> bytes:
        return text.lower().encode("utf-8", "surrogatepass")

    with patch.object(shelf, "_FRESH", fresh):
        assert list(in_order(texts, key)) == sorted(texts, key=key)
        assert Rows(texts, key=key) == sorted(texts, key=key)


def test_places_are_counted_from_both_ends_and_end_there(numbers):
    assert (numbers[0], numbers[-1], numbers[np.int64(7)], numbers[2:][-998]) == ("0", "999", "7", "2")
    for beyond in (1000, -1001):
        with pytest.raises(IndexError):
            numbers[beyond]
        with pytest.raises(IndexError):
            numbers[:][beyond]


def test_any_places_are_seen_in_the_order_asked_for(numbers):
    places = np.array([900, 3, 3, 0] * 100)
    view = numbers.chosen(places)
    assert list(view) == [NUMBERS[place] for place in places]
    assert (len(view), view[1], view[1:3]) == (400, "3", ["3", "3"])


def test_rows_equal_sequences_of_equal_records_and_nothing_else(numbers):
    assert numbers == tuple(NUMBERS)
    assert tuple(NUMBERS) == numbers
    assert numbers == Rows(NUMBERS)
    assert numbers[:500] == NUMBERS[:500]
    assert numbers != NUMBERS[:-1]
    assert numbers != [*NUMBERS[:-1], "x"]
    assert Rows("abc") != "abc"
    assert Rows() != 0


def test_rows_can_be_walked_within_a_walk_and_added_to_between_walks(numbers):
    pairs = [(one, two) for one in numbers[:20] for two in numbers[:20]]
    assert len(pairs) == 400
    numbers.append("more")
    numbers.extend(numbers[:2])
    assert numbers[-3:] == ["more", "0", "1"]


def test_names_that_are_no_valid_unicode_survive():
    assert Rows([BAD_NAME])[0] == BAD_NAME
    found = Shelf([(BAD_NAME, BAD_NAME)])
    assert dict(found) == {BAD_NAME: BAD_NAME}
    assert (BAD_NAME in found, BAD_NAME.encode("utf-8", "replace").decode() in found) == (True, False)


def test_records_go_through_their_codec():
    points = Codec[complex](lambda value: [value.real, value.imag], lambda pair: complex(*pair))
    rows = Rows([2j, 1 + 1j], points, key=lambda value: bytes([int(value.real)]))
    assert rows == [2j, 1 + 1j]
    assert rows[-1:] == [1 + 1j]
    assert dict(Shelf([("a", 3j)], points)) == {"a": 3j}


def test_copies_are_of_their_own(numbers):
    for other in (copy.copy(numbers), pickle.loads(pickle.dumps(numbers))):
        assert other == numbers
        other.append("more")
    assert len(numbers) == 1000
    assert pickle.loads(pickle.dumps(numbers[:3])) == ["0", "1", "2"]
    assert dict(pickle.loads(pickle.dumps(Shelf([("b", 1), ("a", 2)])))) == {"b": 1, "a": 2}


@given(st.lists(st.tuples(st.text(st.characters(), max_size=2), st.integers(0, 9), st.booleans())))
def test_a_shelf_does_what_a_dictionary_does(steps):
    found, expected = Shelf[int](), dict[str, int]()
    for key, value, keep in steps:
        for each in (found, expected):
            if keep:
                each[key] = value
            else:
                each.pop(key, None)
    assert list(found.items()) == list(found.pairs()) == list(expected.items())
    assert len(found) == len(expected)
    assert all(key in found and found[key] == value for key, value in expected.items())


def test_a_shelf_says_which_key_it_lacks():
    found = Shelf([("a", 1)])
    with pytest.raises(KeyError, match="b"):
        found["b"]
    with pytest.raises(KeyError, match="b"):
        del found["b"]
    assert (found.get("b"), 1 in found) == (None, False)


def test_overwriting_keeps_the_place():
    found = Shelf([("b", 1), ("a", 2)])
    found["b"] = 3
    assert list(found.pairs()) == [("b", 3), ("a", 2)]


def test_many_threads_may_read(numbers):
    found = Shelf((text, [text]) for text in NUMBERS)

    def read(start: int) -> bool:
        return (
            numbers[start:] == NUMBERS[start:]
            and [found[text] for text in NUMBERS[start:]] == [[text] for text in NUMBERS[start:]]
            and list(found) == NUMBERS
        )

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(0, 800, 50)))


def test_a_full_disk_is_named(numbers, monkeypatch, tmp_path):
    monkeypatch.delenv("SQLITE_TMPDIR", raising=False)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(shelf.tempfile, "tempdir", None)
    records = Shelf[str]()
    for each in (numbers, records):
        each._base.execute("PRAGMA max_page_count = 30")
    for fill in (lambda: numbers.extend(f"{n:500}" for n in range(1000)),
                 lambda: records.update((f"{n}", f"{n:500}") for n in range(1000))):  # fmt: skip
        with pytest.raises(StoreError, match="full") as caught:
            fill()
        assert caught.value.where == str(tmp_path)
        assert "TMPDIR" in (caught.value.mend or "")


def test_what_the_records_raise_is_not_taken_for_a_full_disk():
    def broken():
        yield "a"
        raise ValueError("the third row")

    rows = Rows[str]()
    with pytest.raises(ValueError, match="third"):
        rows.extend(broken())
    assert rows == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory where Linux tells it")
@pytest.mark.parametrize("made", ["Rows(texts)", "Rows(texts, key=str.encode)", "Shelf((text, 1) for text in texts)"])
def test_records_leave_the_memory(made):
    code = f"""
import re
from pathlib import Path
from merprep.shelf import Rows, Shelf
def held(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000
Rows(["a", "b"], key=str.encode), Shelf([("a", 1)])
before = held()
texts = (f"{{number * 7919 % 40_000:01000}}" for number in range(40_000))
kept = {made}
assert sum(1 for _ in kept) == 40_000
print(held() - before)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ended.stdout) < 8, "MB for 40 MB of records"
