"""Which of the runs in a folder was made last: a number that each run takes, since clocks jump."""

from __future__ import annotations

from pathlib import Path

from merprep.ordinary import json_of

TURN = "turn"
_FILES = ("scores.json", "units.json")
_MOST = 1 << 53


def next_turn(run: Path) -> int:
    """Return the number of a run that has just ended: one more than that of every other run beside it.

    Examples
    --------
    >>> import tempfile
    >>> next_turn(Path(tempfile.mkdtemp()) / "htnet-sanity-94043b45")
    1
    """
    others = (path for path in run.absolute().parent.glob("*") if path.name != run.absolute().name and path.is_dir())
    return 1 + max((turn_of(other) for other in others), default=0)


def turn_of(run: Path) -> int:
    """Return the number that a run took; 0 where it has none.

    Examples
    --------
    >>> turn_of(Path("no-such-run"))
    0
    """
    return max(_written(run / name) for name in _FILES)


def _written(path: Path) -> int:
    try:
        turn = json_of(path)[TURN] if path.is_file() else 0
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0
    return turn if isinstance(turn, int) and 0 < turn < _MOST else 0
