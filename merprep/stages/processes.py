"""Clips spread over worker processes of this machine; a worker may die, the run goes on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from merprep.records import Clip, Outcome
from merprep.stages.attempts import Work, attempt_alone
from merprep.store.orphans import end_with_parent
from merprep.store.parts import Arrays

Result = tuple[Clip, Arrays | Outcome]


def process_results(work: Work, clips: Iterable[Clip], jobs: int) -> Iterator[Result]:
    """Yield what became of each clip as it is finished; workers run ahead by a few clips only, so memory stays flat.

    Where a worker dies (a crash inside a library, no memory left), nobody can tell at which of the clips in work:
    each of these is tried once more, with no other beside it. A clip whose worker dies again is set aside: it has
    failed, with that reason.

    Parameters
    ----------
    work : callable
        Picklable.
    clips : iterable of Clip
    jobs : int
        Two or more.
    """
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    rest = iter(clips)
    while True:
        in_work: dict[str, Clip] = {}
        try:
            yield from _spread(work, rest, jobs, in_work)
        except TerminatedWorkerError:
            suspects = list(in_work.values())
        else:
            return
        for clip in suspects:
            yield _once_more(work, clip, jobs)


def _spread(work: Work, clips: Iterable[Clip], jobs: int, in_work: dict[str, Clip]) -> Iterator[Result]:
    """Give the clips to the workers one by one; `in_work` has those that were given away and are not back yet."""
    from joblib import Parallel, delayed

    def given() -> Iterator[Any]:
        for clip in clips:
            in_work[clip.id] = clip
            yield delayed(_in_worker)(work, clip)

    workers = Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)
    for clip, result in workers(given()):
        del in_work[clip.id]
        yield clip, result


def _in_worker(work: Work, clip: Clip) -> Result:
    end_with_parent()
    return attempt_alone(work, clip)


def _once_more(work: Work, clip: Clip, jobs: int) -> Result:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        return next(_spread(work, [clip], jobs, {}))
    except TerminatedWorkerError as error:
        codes = re.search(r"\{([^}]*)\}", str(error))
        how = f" ({codes[1]})" if codes else ""
        reason = f"its worker process died twice{how}: set aside; see that there is memory enough, or use fewer --jobs"
        return clip, Outcome(clip.id, "failed", reason)
