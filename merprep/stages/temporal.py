"""Temporal: aligned clips become clips of a fixed length, or with motions made larger. Off unless asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from merprep.config import canonical_json, short_hash
from merprep.errors import UsageError
from merprep.progress import Progress
from merprep.records import Clip, FrameSet, Outcome, StageReport
from merprep.stages.align import align
from merprep.stages.aligned_rows import finished_faces, gather
from merprep.stages.runner import SkipClip, one_line, run_clips
from merprep.stages.writing import one_writer
from merprep.store.accounts import keep_account
from merprep.store.aligned import AlignedFile, AlignedHeader, open_aligned
from merprep.store.manifest import Manifest, read_manifest
from merprep.store.parts import Arrays, Parts
from merprep.store.workspace import Workspace, safe_name
from merprep.temporal.steps import TemporalConfig, TemporalPlan, TemporalSteps, apply_steps, temporal_plan

if TYPE_CHECKING:
    from merprep.engines import Engine

_DIGITS = 15  # of a digest in hexadecimal: 60 bits, which an int64 holds


@dataclass(frozen=True)
class _Task:
    """What a clip's frames are made from and become, or why they are not made."""

    plan: TemporalPlan | None = None
    digest: str = ""
    state: str = "skipped"
    reason: str = ""


@one_writer
def temporal(
    workspace: Workspace,
    config: TemporalConfig,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    device: str = "auto",
    workers: Engine | None = None,
) -> StageReport:
    """Take, magnify and interpolate the frames of every aligned clip, and write them as another file of aligned faces.

    Frames that are not aligned yet are aligned first. The new file has the same layout, so that `flow` and `train`
    read it as they read any other; its rows have the onset, apex and offset of the new frames (those nearest in
    time), its configuration the steps and the alignment, its inputs the id of the file it was made from. Clips that
    were made from the same frames with the same settings are kept; an interrupted run continues.

    Parameters
    ----------
    workspace : Workspace
        With a manifest.
    config : TemporalConfig
    jobs : int, optional
        Worker processes; None takes one a core, or fewer where there are few clips.
    progress : Progress, optional
    device : str
        For backends with a network that can use it.
    workers : Engine, optional
        As for `align`.

    Returns
    -------
    StageReport
        Its output is the new file, or nothing where no clip could be made.

    Raises
    ------
    StoreError
        Where there is no manifest, or the file cannot be written.
    WeightsError
        Where the backend's weights are missing and cannot be fetched.

    Examples
    --------
    >>> report = temporal(Workspace("study"), TemporalConfig(length=16))  # doctest: +SKIP
    """
    started = time.perf_counter()
    workspace = workspace if workers is None else workspace.anywhere()
    aligned = align(workspace, config.align, frames="all", jobs=jobs, progress=progress, device=device, workers=workers)
    clips = read_manifest(workspace).clips
    source, final = workspace.aligned_path(config.align.config_id()), temporal_path(workspace, config)
    states = {outcome.clip_id: outcome for outcome in aligned.outcomes}
    with ExitStack() as stack:
        file = stack.enter_context(open_aligned(source)) if aligned.outputs else None
        tasks = {clip.id: _task(clip, states[clip.id], file, config.steps()) for clip in clips}
        scheme = "" if file is None else file.scheme
    possible = [clip for clip in clips if tasks[clip.id].plan is not None]
    digests = {clip.id: tasks[clip.id].digest for clip in possible}
    kept, parts = _kept(final, digests), Parts(workspace.parts_folder(final))
    work = partial(_temporal_clip, source=source, steps=config.steps())
    computed = run_clips(
        "temporal", possible, work, parts, digests, kept=kept, jobs=jobs, progress=progress, workers=workers
    )
    outcomes = _outcomes(tasks) | dict(computed)
    done = [_row(clip, tasks[clip.id].plan) for clip in clips if outcomes[clip.id].state == "done"]
    if done:
        inputs = {"aligned": config.align.config_id(), "manifest": Manifest(tuple(done)).digest()}
        header = AlignedHeader(config.model_dump(mode="json"), scheme, inputs)
        gather(finished_faces(final, kept, parts, digests, "merprep temporal"), header, done)
    report = StageReport(
        "temporal",
        tuple(outcomes[clip.id] for clip in clips),
        time.perf_counter() - started,
        (str(final),) if done else (),
    )
    return keep_account(workspace, report)


def temporal_path(workspace: Workspace, config: TemporalConfig) -> Path:
    """Return the file of aligned faces that the stage writes; its name says that it is not the camera's frames."""
    return workspace.folder / "aligned" / f"temporal-{config.config_id()}.h5"


def read_temporal_config(workspace: Workspace, name: str) -> TemporalConfig:
    """Return the settings that a file of the temporal stage was made with.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The id that the stage's file has in its name, or the path of the file.

    Raises
    ------
    StoreError
        Where there is no such file.
    """
    own = workspace.folder / "aligned" / f"temporal-{safe_name(name)}.h5"
    with open_aligned(Path(name) if name.endswith(".h5") else own) as file:
        return TemporalConfig.read(file.config, where=str(file.path))


def _task(clip: Clip, outcome: Outcome, file: AlignedFile | None, steps: TemporalSteps) -> _Task:
    if file is None or outcome.state != "done":
        return _Task(state=outcome.state, reason=outcome.reason)
    try:
        return _Task(_plan(clip, file, steps), _digest(clip, file))
    except UsageError as error:
        return _Task(reason=one_line(error))


def _plan(clip: Clip, file: AlignedFile, steps: TemporalSteps) -> TemporalPlan:
    return temporal_plan(
        steps, file.numbers(clip.id), onset=clip.onset, apex=clip.apex, offset=clip.offset, fps=clip.fps
    )


def _digest(clip: Clip, file: AlignedFile) -> str:
    """Of what a clip is made from: frames, key frames, rate, and in which frames the face is lost, where it is."""
    made_from = [file.digest(clip.id), clip.onset, clip.apex, clip.offset, clip.fps]
    lost = file.lost(clip.id)
    return short_hash(canonical_json([*made_from, *([lost] if lost else [])]), _DIGITS)


def _kept(final: Path, digests: Mapping[str, str]) -> set[str]:
    if not final.is_file():
        return set()
    with open_aligned(final) as file:
        return {
            name
            for name, digest in digests.items()
            if name in file and set(file.stamps(name).values()) == {(0, int(digest, 16))}
        }


def _temporal_clip(clip: Clip, *, source: Path, steps: TemporalSteps) -> Arrays:
    """Make the frames of one clip; runs in a worker process."""
    with open_aligned(source) as file:
        plan, digest = _plan(clip, file, steps), _digest(clip, file)
        faces, frames = file.faces(clip.id), file.frames(clip.id, plan.taken)
    try:
        made = apply_steps(frames, steps, fps=clip.fps)
    except UsageError as error:  # a clip that is too short for the band, not a fault
        raise SkipClip(one_line(error)) from error
    lost = None if faces.lost is None else np.intersect1d(faces.lost, plan.taken)
    doubts = [faces.flags, *_doubts(plan, lost)]
    return replace(
        faces,
        frames=np.asarray(made, np.uint8),
        numbers=np.array(plan.numbers, np.int64),
        # No file has these frames: what stands for size and time is what they were made from.
        stamps=np.tile(np.array([0, int(digest, 16)], np.int64), (len(plan.numbers), 1)),
        reference=plan.onset if plan.onset is not None else plan.numbers[0],
        lost=lost if steps.length is None else None,
        flags="; ".join(filter(None, doubts)),
    ).arrays()


def _doubts(plan: TemporalPlan, lost: np.ndarray | None) -> list[str]:
    found = [f"{plan.gaps} frames are missing within: taken as evenly spaced"] if plan.gaps else []
    return [*found, *(["made from frames without the face"] if lost is not None and len(lost) else [])]


def _outcomes(tasks: Mapping[str, _Task]) -> dict[str, Outcome]:
    return {
        name: Outcome(name, "failed" if task.state == "failed" else "skipped", task.reason)
        for name, task in tasks.items()
        if task.plan is None
    }


def _row(clip: Clip, plan: TemporalPlan | None) -> Clip:
    """Return a clip's row as the new file has it: its key frames are those of the new frames."""
    if plan is None:
        return clip
    return replace(
        clip, frames=FrameSet(), onset=plan.onset, apex=plan.apex, offset=plan.offset, fps=plan.fps, notes=()
    )
