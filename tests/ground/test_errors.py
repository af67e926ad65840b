"""Errors answer the five questions and survive the way between processes."""

import pickle

from merprep.errors import SheetError, UnknownNameError


def test_an_error_says_what_where_expected_found_and_how_to_mend():
    error = SheetError("The sheet lacks columns", where="a.xlsx", expected="Onset", found="On set", mend="rename it")
    assert str(error).splitlines() == [
        "The sheet lacks columns",
        "  where: a.xlsx",
        "  expected: Onset",
        "  found: On set",
        "  mend: rename it",
    ]


def test_an_error_comes_whole_out_of_a_worker_process():
    error = SheetError("No sheet", where="here", mend="look")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is SheetError
    assert copy.details() == error.details()
    assert str(copy) == str(error)


def test_an_unknown_name_is_answered_with_the_nearest_one():
    assert UnknownNameError.among("database", "cassme2", ["casme2", "samm"]).mend == "did you mean 'casme2'?"
    assert UnknownNameError.among("database", "xyzzy", ["casme2", "samm"]).mend is None
