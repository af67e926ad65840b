"""Reads one workbook in a process of its own, and writes its cells to stdout; run by `workbooks.py`, as a script.

A damaged workbook can make the reader ask for hundreds of gigabytes, upon which the process ends without an exception.
This file imports nothing of merprep, so that it starts quickly.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

# Far more than any coding sheet needs; a reader that wants more has lost its way.
_MEMORY = 6 << 30


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


def _main(library: str, path: str, most_rows: str, most_cells: str) -> None:
    sys.path.append(library)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limit; then only the machine's own holds
    sys.stdout.buffer.write(pickle.dumps(read(path, int(most_rows), int(most_cells))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
