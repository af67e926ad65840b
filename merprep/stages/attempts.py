"""The work on one clip, in whatever process: it ends in arrays or in an outcome with its reason, never in an error."""

from __future__ import annotations

import sys
from collections.abc import Callable

from merprep.errors import MerprepError
from merprep.records import Clip, Outcome
from merprep.store.parts import Arrays

Work = Callable[[Clip], Arrays]


class SkipClip(Exception):  # noqa: N818 - not an error: the clip lacks what the stage needs
    """Raised by the work on a clip that the stage has nothing to do for; its text is the reason."""


def attempt(work: Work, clip: Clip) -> tuple[Clip, Arrays | Outcome]:
    """Do the work on a clip."""
    try:
        return clip, work(clip)
    except SkipClip as reason:
        return clip, Outcome(clip.id, "skipped", str(reason))
    except MerprepError as error:
        return clip, Outcome(clip.id, "failed", one_line(error))
    except Exception as error:  # one clip must not stop the others; the report names it
        return clip, Outcome(clip.id, "failed", f"{type(error).__name__}: {error}")


def attempt_alone(work: Work, clip: Clip) -> tuple[Clip, Arrays | Outcome]:
    """Do the work in a process of its own, with one thread: the cores are busy with the other clips."""
    import cv2

    cv2.setNumThreads(1)
    # joblib limits what it knows of (BLAS, OpenMP, numba) to a share of the cores, where nothing was set by hand.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "numba" in sys.modules:
        sys.modules["numba"].set_num_threads(1)
    return attempt(work, clip)


def one_line(error: MerprepError) -> str:
    """Write an error as a reason: what, where and what was found, in one line.

    Examples
    --------
    >>> one_line(MerprepError("No face was found", where="img46.jpg"))
    'No face was found (img46.jpg)'
    """
    details = [error.details()[name] for name in ("where", "found") if name in error.details()]
    return f"{error.what} ({'; '.join(details)})" if details else error.what
