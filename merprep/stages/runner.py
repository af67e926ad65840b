"""Runs one function over clips: several at once, resumed where it stopped, every clip accounted for."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from merprep.errors import UsageError
from merprep.progress import Progress, Silent
from merprep.records import CLIP, OUTCOME, Clip, Outcome
from merprep.shelf import Rows, Shelf
from merprep.stages.attempts import SkipClip, Work, attempt, attempt_alone, one_line
from merprep.stages.processes import process_results
from merprep.stages.remote import remote_results
from merprep.store.parts import Arrays, Parts

if TYPE_CHECKING:
    from merprep.engines import Engine

__all__ = ["KEPT", "SkipClip", "Work", "attempt_alone", "one_line", "run_clips"]

KEPT = "kept from before"
_CLIPS_PER_WORKER = 24


def run_clips(
    stage: str,
    clips: Sequence[Clip],
    work: Work,
    parts: Parts,
    digests: Mapping[str, str],
    *,
    kept: Collection[str] = (),
    jobs: int | None = None,
    progress: Progress | None = None,
    workers: Engine | None = None,
) -> Shelf[Outcome]:
    """Do the work on every clip that is not done yet, and keep each result as a part.

    A clip whose work raises `SkipClip` is skipped with that reason, one that raises anything else has failed with
    the error's text; neither stops the others. Results come back to this process, which alone writes.

    Parameters
    ----------
    stage : str
        Its name, for the progress.
    clips : sequence of Clip
    work : callable
        From a clip to named arrays; must be picklable (a top-level function, or `functools.partial` of one).
    parts : Parts
        Where finished clips are kept, and looked for.
    digests : mapping of str to str
        By clip id: the digest of what the clip is made from. A part with another digest does not count.
    kept : collection of str
        Ids of clips that need no work, since the final file has them already.
    jobs : int, optional
        Worker processes; 1 works in this process. None takes one a core, or fewer where there are few clips.
    progress : Progress, optional
    workers : Engine, optional
        Carries the work to other processes and machines (see `merprep.engines`); `parts` and what `work` reads must
        then lie on a file system that they share, under absolute paths.

    Returns
    -------
    Shelf of Outcome
        By clip id, in the order of `clips`: one for each of them.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> clips = [Clip("samm", "006", name, person="samm:6") for name in ("006_1_2", "006_1_3")]
    >>> def work(clip):
    ...     if clip.clip == "006_1_3":
    ...         raise SkipClip("no apex")
    ...     return {"ones": np.ones(3)}
    >>> parts = Parts(Path(tempfile.mkdtemp()))
    >>> outcomes = run_clips("flow", clips, work, parts, {clip.id: "made from this" for clip in clips}, jobs=1)
    >>> [(outcome.state, outcome.reason) for outcome in outcomes.values()]
    [('done', ''), ('skipped', 'no apex')]
    """
    progress = progress or Silent()
    outcomes, pending = Shelf(codec=OUTCOME), Rows(codec=CLIP)
    progress.start(stage, len(clips))
    try:
        for clip in clips:
            if clip.id in kept or parts.has(clip.id, digests[clip.id]):
                outcomes[clip.id] = Outcome(clip.id, "done", KEPT)
                progress.advance()
            else:
                outcomes[clip.id] = Outcome(clip.id, "failed", "its turn did not come")  # keeps its place
                pending.append(clip)
        if workers is None or not pending:
            results = _results(work, pending, _worker_count(jobs, len(pending)))
        else:
            results = remote_results(work, pending, parts, digests, workers)
        for clip, result in results:
            outcome = _settled(clip, result, parts, digests[clip.id])
            outcomes[clip.id] = outcome
            progress.advance(failed=outcome.state == "failed")
    finally:
        progress.finish()
    return outcomes


def _worker_count(jobs: int | None, pending: int) -> int:
    if jobs is not None and jobs < 1:
        raise UsageError("The number of worker processes must be 1 or more", found=str(jobs))
    if jobs is None:
        # Starting a worker takes seconds (OpenCV, numba and the networks are loaded anew): not worth a few clips.
        return max(1, min(os.cpu_count() or 1, pending // _CLIPS_PER_WORKER))
    return max(1, min(jobs, pending))


def _results(work: Work, clips: Sequence[Clip], jobs: int) -> Iterator[tuple[Clip, Arrays | Outcome]]:
    """Yield what became of each clip as it is finished."""
    if jobs == 1:
        return (attempt(work, clip) for clip in clips)
    return process_results(work, clips, jobs)


def _settled(clip: Clip, result: Arrays | Outcome, parts: Parts, digest: str) -> Outcome:
    if isinstance(result, Outcome):
        return result
    parts.save(clip.id, digest, result)
    return Outcome(clip.id, "done")
