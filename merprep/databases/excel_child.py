"""Reads one workbook in a process of its own, and writes its cells to stdout; run by `workbooks.py`, as a script.

A damaged workbook can make the reader ask for hundreds of gigabytes, upon which the process ends without an exception.
What it says comes back as lines of JSON: a process that a workbook took over can then say wrong cells, and nothing
else.
This file imports nothing of merprep, so that it starts quickly.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Iterator
from typing import Any

# Far more than any coding sheet needs; a reader that wants more has lost its way.
_MEMORY = 1 << 30
# A text stands once in a workbook, however many cells hold it.
_MOST_BYTES = 1 << 27
_DATES = {kind.__name__: kind for kind in (datetime.date, datetime.datetime, datetime.time)}


def read(path: str, most_rows: int, most_cells: int) -> Iterator[Any]:
    """Yield ``{"page": name}`` before the rows of each sheet, each a list of cells, and ``{"end": ...}`` at last.

    The last says what became of reading: ``read``, or a kind of failure, and what is known of it.
    """
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_height > most_rows:
                yield _end("rows too many", (name, sheet.total_height))
                return
            if sheet.total_height * sheet.total_width > most_cells:
                yield _end("cells too many", (name, sheet.total_height * sheet.total_width))
                return
            yield {"page": name}
            yield from sheet.to_python(skip_empty_area=False)
        yield _end("read")
    except python_calamine.PasswordError:
        yield _end("encrypted")
    except GeneratorExit:
        raise
    # A panic of the reader's Rust side is a BaseException.
    except BaseException as error:
        yield _end("damaged", str(error) or type(error).__name__)


def _end(outcome: str, about: Any = "") -> dict[str, Any]:
    return {"end": (outcome, about)}


def tagged(value: Any) -> dict[str, str | float]:
    """Write what JSON has no word for: dates, times and spans of time."""
    if isinstance(value, datetime.timedelta):
        return {"timedelta": value.total_seconds()}
    return {type(value).__name__: value.isoformat() if type(value).__name__ in _DATES else str(value)}


def cell(value: Any) -> Any:
    """Read one cell that `tagged` may have written.

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
    left = _MOST_BYTES
    for entry in read(path, int(most_rows), int(most_cells)):
        line = json.dumps(entry, default=tagged).encode() + b"\n"
        left -= len(line)
        if left < 0:
            sys.stdout.buffer.write(json.dumps(_end("damaged", "its cells hold too much text")).encode() + b"\n")
            return
        sys.stdout.buffer.write(line)


if __name__ == "__main__":
    _main(*sys.argv[1:])
