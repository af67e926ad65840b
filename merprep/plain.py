"""Text that others wrote, made harmless where it is shown: on a terminal, and in a table that a spreadsheet opens."""

from __future__ import annotations

import re

# What terminals obey (C0 and C1 controls, escape sequences among them) and what turns the order of letters around.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BREAKS = re.compile(r"[\r\n\t]+")
# What spreadsheets take for the beginning of a formula.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def shown(text: str, *, lines: bool = True) -> str:
    r"""Return a text with the characters that a terminal obeys written out.

    Parameters
    ----------
    text : str
    lines : bool
        Whether it may have several lines.

    Examples
    --------
    >>> print(shown("sub01\x1b[31m\u202e"))
    sub01\x1b[31m\u202e
    >>> print(shown("no apex\nall is well", lines=False))
    no apex\nall is well
    """
    text = text if lines else _BREAKS.sub(_written_out, text)
    return _CONTROLS.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def for_spreadsheet(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: one that could be gets an apostrophe in front.

    Examples
    --------
    >>> for_spreadsheet("happiness"), for_spreadsheet("=1+1"), for_spreadsheet("'-a")
    ('happiness', "'=1+1", "''-a")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_spreadsheet(text: str) -> str:
    """Return what `for_spreadsheet` was given.

    Examples
    --------
    >>> [from_spreadsheet(for_spreadsheet(text)) for text in ("happiness", "=1+1", "'-a", "'a")]
    ['happiness', '=1+1', "'-a", "'a"]
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
