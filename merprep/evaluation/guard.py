"""Refuses splits in which a person is on both sides."""

from __future__ import annotations

from collections.abc import Iterable

from merprep.errors import LeakError


def check_disjoint(train: Iterable[str], test: Iterable[str], *, fold: str = "") -> None:
    """Raise where a person of the test side is also on the training side.

    Parameters
    ----------
    train, test : iterable of str
        The person of every clip on each side.
    fold : str
        What to call the fold in the message.

    Raises
    ------
    LeakError
        Naming the persons.

    Examples
    --------
    >>> check_disjoint(["casme2:1", "samm:6"], ["smic:6"])
    >>> check_disjoint(["casme2:1"], ["casme2:1"])
    Traceback (most recent call last):
    ...
    merprep.errors.LeakError: A person is on both sides of a split
      found: casme2:1
      mend: split by person (namespace and subject), not by clip or by subject name alone
    """
    shared = sorted(set(train) & set(test))
    if shared:
        more = f" and {len(shared) - 5} more" if len(shared) > 5 else ""
        raise LeakError(
            "A person is on both sides of a split",
            where=fold or None,
            found=", ".join(shared[:5]) + more,
            mend="split by person (namespace and subject), not by clip or by subject name alone",
        )
