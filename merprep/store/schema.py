"""The version that every kind of file carries: older ones open, newer ones are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from merprep.errors import StoreError


def checked_version(found: Any, known: int, *, what: str, where: str | Path) -> int:
    """Return the version of a file that may be read.

    Parameters
    ----------
    found : object
        What the file says; None where it says nothing, as files from before versions do: that is 0.
    known : int
        The newest version that is understood.
    what : str
        The kind of file, for the message: ``The run``.
    where : path-like

    Raises
    ------
    StoreError
        Where it is newer, or no number.

    Examples
    --------
    >>> checked_version(None, 1, what="The run", where="runs/htnet"), checked_version(1, 1, what="The run", where="")
    (0, 1)
    """
    try:
        version = 0 if found is None else int(found)
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"{what} has no readable version", where=str(where), found=repr(found)[:80]) from error
    if version > known:
        raise StoreError(
            f"{what} was written by a newer merprep",
            where=str(where),
            expected=f"schema version {known} or older",
            found=str(version),
            mend="pip install --upgrade merprep",
        )
    return version
