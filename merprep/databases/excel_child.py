"""Reads one workbook in a process of its own, and writes its cells to stdout; run by `workbooks.py`, as a script.

A damaged workbook can make the reader ask for hundreds of gigabytes, upon which the process ends without an exception.
What it says comes back as JSON: a process that a workbook took over can then say wrong cells, and nothing else.
This file imports nothing of merprep, so that it starts quickly.
"""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any

# Far more than any coding sheet needs; a reader that wants more has lost its way.
_MEMORY = 1 << 30
_DATES = {kind.__name__: kind for kind in (datetime.date, datetime.datetime, datetime.time)}


def read(path: str, most_rows: int, most_cells: int) -> tuple[str, Any]:
    """Return what became of reading: ``rows`` with the pages, or a kind of failure with what is known of it."""
    import python_calamine

    pages = []
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_height > most_rows:
                return "rows too many", (name, sheet.total_height)
            if sheet.total_height * sheet.total_width > most_cells:
                return "cells too many", (name, sheet.total_height * sheet.total_width)
            pages.append((name, [list(row) for row in sheet.to_python(skip_empty_area=False)]))
    except python_calamine.PasswordError:
        return "encrypted", ""
    # A panic of the reader's Rust side is a BaseException.
    except BaseException as error:
        return "damaged", str(error) or type(error).__name__
    return "read", pages


def _tagged(value: Any) -> dict[str, str | float]:
    """Write what JSON has no word for: dates, times and spans of time."""
    if isinstance(value, datetime.timedelta):
        return {"timedelta": value.total_seconds()}
    return {type(value).__name__: value.isoformat() if type(value).__name__ in _DATES else str(value)}


def cell(value: Any) -> Any:
    """Read one cell that `_tagged` may have written.

    Examples
    --------
    >>> cell(46), cell({"date": "2014-05-08"}), cell({"timedelta": 1.5})
    (46, datetime.date(2014, 5, 8), datetime.timedelta(seconds=1, microseconds=500000))
    """
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    if kind == "timedelta":
        return datetime.timedelta(seconds=text)
    return _DATES[kind].fromisoformat(text) if kind in _DATES else str(text)


def _main(library: str, path: str, most_rows: str, most_cells: str) -> None:
    sys.path.append(library)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limit; then only the machine's own holds
    sys.stdout.buffer.write(json.dumps(read(path, int(most_rows), int(most_cells)), default=_tagged).encode())


if __name__ == "__main__":
    _main(*sys.argv[1:])
