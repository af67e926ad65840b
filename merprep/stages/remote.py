"""Clips whose work is carried to other processes and machines by an engine; a worker may die, the run goes on.

The workers and this process share one file system: workers read the frames where the manifest says they are, and
write each finished clip into the parts folder, so that nothing large travels and a run that stops keeps what it has.
Whoever begins a clip leaves a mark beside the parts and takes it away at the end: the marks of the dead say which
clip they worked on, so that a clip that kills workers is told from one that merely waited.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from merprep.config import short_hash
from merprep.errors import MerprepError, StoreError
from merprep.ordinary import text_of
from merprep.records import CLIP, Clip, Outcome
from merprep.shelf import Codec, Rows
from merprep.store.parts import Parts
from merprep.store.provenance import versions

if TYPE_CHECKING:
    from merprep.engines import Engine
    from merprep.stages.runner import Work

DEADLY = 2  # workers that a clip may cost
_PATIENCE = 90.0  # s; a network file system may show a file that another machine wrote only a minute later
_HERE = "here"
_TASK: Codec[tuple[Clip, str]] = Codec(
    lambda task: [CLIP.plain(task[0]), task[1]], lambda two: (CLIP.record(two[0]), two[1])
)


@dataclass(frozen=True)
class _RemoteWork:
    """The work on one clip as a worker does it: it keeps the arrays as a part and returns the account alone.

    Parameters
    ----------
    marks : Path
        The folder of marks; it holds the file ``here``, which a worker must see.
    made_with : dict
        The package versions of the process that gathers the parts.
    """

    work: Work
    parts: Parts
    marks: Path
    made_with: Mapping[str, str]

    def __call__(self, task: tuple[Clip, str]) -> Outcome | MerprepError:
        clip, digest = task
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        dead = self.dead(clip)
        if len(dead) >= DEADLY:
            return Outcome(clip.id, "failed", _deadly(dead))
        mark = self.marks / f"{_name(clip)}.{uuid4().hex}"
        mark.write_text(f"{platform.node()} process {os.getpid()}", encoding="utf-8")
        try:
            return self._done(clip, digest)
        finally:
            mark.unlink(missing_ok=True)

    def _refusal(self) -> MerprepError | None:
        if not (self.marks / _HERE).is_file():
            return StoreError(
                "A worker does not see the workspace",
                where=f"{self.marks} on {platform.node()}",
                expected="one file system, under the same path, on every machine that works",
                mend="put workspace and databases on a shared file system, or use --shard and `merprep merge`",
            )
        other = {name: version for name, version in _versions().items() if self.made_with.get(name, version) != version}
        if other:
            return StoreError(
                "A worker has other versions than this machine, so its results could differ",
                where=platform.node(),
                expected=", ".join(f"{name} {self.made_with[name]}" for name in other),
                found=", ".join(f"{name} {version}" for name, version in other.items()),
                mend="give all machines one environment",
            )
        return None

    def dead(self, clip: Clip) -> list[str]:
        """Return who began the clip and did not end it, as far as is seen here."""
        return [_words(path) for path in sorted(self.marks.glob(f"{_name(clip)}.*"))]

    def _done(self, clip: Clip, digest: str) -> Outcome:
        from merprep.stages.runner import attempt_alone

        if self.parts.has(clip.id, digest):  # of a worker that died after it, or whose word was lost
            return Outcome(clip.id, "done")
        _, result = attempt_alone(self.work, clip)
        if isinstance(result, Outcome):
            return result
        self.parts.save(clip.id, digest, result)
        return Outcome(clip.id, "done")


def remote_results(
    work: Work, clips: Sequence[Clip], parts: Parts, digests: Mapping[str, str], engine: Engine
) -> Iterator[tuple[Clip, Outcome]]:
    """Yield what became of each clip as it is finished; its arrays are a part then.

    A clip at which `DEADLY` workers died is set aside: it has failed, with that reason.

    Raises
    ------
    StoreError
        Where a worker does not see the workspace, or has other versions of what computes.
    """
    from merprep.engines import Lost, spread

    marks = parts.folder / f"marks-{uuid4().hex[:12]}"
    marks.mkdir(parents=True)
    (marks / _HERE).touch()
    task = _RemoteWork(work, parts, marks, versions())
    try:
        with closing(spread(engine, task, Rows(((clip, digests[clip.id]) for clip in clips), _TASK))) as results:
            for (clip, digest), result in results:
                if isinstance(result, MerprepError):
                    raise result
                if isinstance(result, Lost):
                    dead = task.dead(clip)
                    yield clip, Outcome(clip.id, "failed", _deadly(dead) if dead else result.reason)
                else:
                    yield clip, _arrived(clip, digest, result, parts)
    finally:
        shutil.rmtree(marks, ignore_errors=True)


def _arrived(clip: Clip, digest: str, outcome: Outcome, parts: Parts) -> Outcome:
    """Wait until what a worker wrote is seen here."""
    waited = 0.0
    while outcome.state == "done" and not parts.has(clip.id, digest):
        if waited > _PATIENCE:
            return Outcome(clip.id, "failed", f"a worker wrote its part, which is not seen here: {parts.folder}")
        time.sleep(pause := 0.05 + waited / 4)
        waited += pause
    return outcome


def _deadly(dead: Sequence[str]) -> str:
    return f"{len(dead)} worker{'s' * (len(dead) != 1)} died while working on it ({', '.join(dead)}): set aside"


def _name(clip: Clip) -> str:
    return short_hash(clip.id, 20)


def _words(mark: Path) -> str:
    try:
        return text_of(mark) or "unknown"
    except OSError:
        return "unknown"


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return versions()
