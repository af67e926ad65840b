"""Align: the face of every clip is brought into one geometry, by one transform a clip."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from merprep.errors import UsageError
from merprep.faces.backends import backend
from merprep.faces.backends.base import KnownFaces
from merprep.faces.config import AlignConfig
from merprep.progress import Progress
from merprep.records import Clip, Outcome, StageReport
from merprep.stages.align_clip import AlignTask, Frames, align_clip, align_task, held_frames, scheme_in_use
from merprep.stages.aligned_rows import finished_faces, gather
from merprep.stages.changed import changes_since_ingest
from merprep.stages.runner import KEPT, run_clips
from merprep.stages.writing import one_writer
from merprep.store.accounts import keep_account
from merprep.store.aligned import AlignedHeader, open_aligned
from merprep.store.manifest import Manifest, read_manifest, write_manifest
from merprep.store.parts import Parts
from merprep.store.workspace import Workspace

if TYPE_CHECKING:
    from merprep.engines import Engine

_NOTE = "align: "


@one_writer
def align(
    workspace: Workspace,
    config: AlignConfig | None = None,
    *,
    frames: Frames = "key",
    jobs: int | None = None,
    progress: Progress | None = None,
    device: str = "auto",
    workers: Engine | None = None,
    check: bool = False,
) -> StageReport:
    """Align the faces of every clip of a workspace, once.

    The landmarks of the onset frame give one transform, which warps all frames of the clip. Clips whose files and
    settings have not changed are kept; an interrupted run continues. A clip that cannot be aligned does not stop the
    others: its reason stands in the report and in the manifest's notes.

    Parameters
    ----------
    workspace : Workspace
        With a manifest.
    config : AlignConfig, optional
    frames : {"key", "all"}
        Onset, apex and offset, or every frame. Frames that an earlier run has aligned are kept.
    jobs : int, optional
        Worker processes; None takes one a core, or fewer where there are few clips.
    progress : Progress, optional
    device : str
        For backends with a network that can use it (``fan``); ``mesh`` runs on the CPU.
    workers : Engine, optional
        Do the work in place of processes of this machine (see `merprep.engines`). They must see workspace and
        databases under the same paths.
    check : bool
        Look for the face in every frame that is aligned, and name the frames in which it is lost. Nothing is moved
        for that.

    Returns
    -------
    StageReport
        Its output is the file of aligned faces, or nothing where no clip could be aligned.

    Raises
    ------
    StoreError
        Where there is no manifest, or the file cannot be written.
    WeightsError
        Where the backend's weights are missing and cannot be fetched.

    Examples
    --------
    >>> report = align(Workspace("study"))  # doctest: +SKIP
    """
    if frames not in ("key", "all"):
        raise UsageError("Which frames are aligned is 'key' or 'all'", found=repr(frames))
    started = time.perf_counter()
    workspace = workspace if workers is None else workspace.anywhere()
    settings = config or AlignConfig()
    manifest = read_manifest(workspace)
    final = workspace.aligned_path(settings.config_id())
    roots = {clip.database: manifest.root_of(clip) for clip in manifest.usable}
    tasks, kept = align_tasks(manifest, final, frames, settings, check=check)
    if any(not task.reason and name not in kept for name, task in tasks.items()):
        # Fetches missing weights once, and fails here rather than at every clip.
        finder = backend(settings.backend, device=device, landmarks=settings.landmarks)
        if check and isinstance(finder, KnownFaces):
            raise UsageError(
                "Landmarks out of a file are known for one frame a clip, so that no face can be looked for in others",
                mend="leave the check out, or align with another backend",
            )
    parts = Parts(workspace.parts_folder(final))
    digests = {clip.id: tasks[clip.id].digest(clip) for clip in manifest.clips}
    notes = changes_since_ingest(workspace, manifest, {name: task.stamps for name, task in tasks.items()})
    del tasks  # the stamps of every frame: from here on, their digests do
    outcomes = run_clips(
        "align",
        manifest.clips,
        partial(align_clip, roots=roots, frames=frames, config=settings, device=device, final=final, check=check),
        parts,
        digests,
        kept=kept,
        jobs=jobs,
        progress=progress,
        workers=workers,
    )
    done = [_plain(clip) for clip in manifest.clips if outcomes[clip.id].state == "done"]
    if done:
        inputs = {"manifest": Manifest(tuple(done)).digest()}
        header = AlignedHeader(settings.model_dump(mode="json"), scheme_in_use(settings), inputs)
        gather(finished_faces(final, kept, parts, digests, "merprep align"), header, done)
    outcomes = _remarked(final, outcomes) if done else outcomes
    _note_in_manifest(workspace, manifest, outcomes)
    report = StageReport(
        "align",
        tuple(outcomes.values()),
        time.perf_counter() - started,
        (str(final),) if done else (),
        "merprep flow",
        notes,
    )
    return keep_account(workspace, report)


def align_tasks(
    manifest: Manifest, final: Path, frames: Frames, config: AlignConfig, *, check: bool = False
) -> tuple[dict[str, AlignTask], set[str]]:
    """Return what is to be done for each clip, and the ids of the clips that a finished file already has."""
    roots = {clip.database: manifest.root_of(clip) for clip in manifest.usable}
    with ExitStack() as stack:
        file = stack.enter_context(open_aligned(final)) if check and final.is_file() else None
        tasks = {
            clip.id: align_task(clip, roots, frames, config, check=check, held=held_frames(file, clip.id))
            for clip in manifest.clips
        }
    return tasks, _kept(final, manifest.clips, tasks, check=check)


def _kept(final: Path, clips: Sequence[Clip], tasks: Mapping[str, AlignTask], *, check: bool) -> set[str]:
    """Return the clips of an existing file that were made from the same files and hold every frame wanted."""
    if not final.is_file():
        return set()
    with open_aligned(final) as file:
        return {
            clip.id
            for clip in clips
            if clip.id in file
            and not tasks[clip.id].reason
            and file.reference(clip.id) == clip.onset
            and tasks[clip.id].stamps.items() <= file.stamps(clip.id).items()
            and not (check and file.lost(clip.id) is None)
        }


def _plain(clip: Clip) -> Clip:
    """Return the row of a clip as the file keeps it: without this stage's own notes."""
    notes = _other_notes(clip)
    return clip if notes == clip.notes else replace(clip, notes=notes)


def _remarked(final: Path, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Say where a clip showed several faces, or its face was hard to find."""
    remarked = dict(outcomes)
    with open_aligned(final) as file:
        for name, outcome in outcomes.items():
            if outcome.state == "done":
                person = str(file.config.get("person", "largest"))
                remark = _remark(file.faces_found(name), person, file.attempt(name), file.flags(name))
                if remark:
                    remarked[name] = replace(outcome, reason="; ".join(filter(None, (remark, outcome.reason))))
    return remarked


def _remark(faces: int, person: str, attempt: str, flags: str) -> str:
    taken = f"number {person} from the left" if person.isdigit() else f"the {person.replace('central', 'most central')}"
    parts = [f"{faces} faces in the onset frame: {taken} was taken"] if faces > 1 else []
    return "; ".join(
        [*parts, *([f"face found only {attempt}"] if attempt != "as it is" else []), *filter(None, [flags])]
    )


def _note_in_manifest(workspace: Workspace, manifest: Manifest, outcomes: Mapping[str, Outcome]) -> None:
    clips = tuple(
        clip if (notes := _notes(clip, outcomes[clip.id])) == clip.notes else replace(clip, notes=notes)
        for clip in manifest.clips
    )
    if clips != manifest.clips:
        write_manifest(workspace, replace(manifest, clips=clips))


def _notes(clip: Clip, outcome: Outcome) -> tuple[str, ...]:
    text = outcome.reason.removesuffix(KEPT).removesuffix("; ")
    if clip.status != "ok" or not text:
        return _other_notes(clip)
    return (*_other_notes(clip), _NOTE + text.replace("; ", ", "))


def _other_notes(clip: Clip) -> tuple[str, ...]:
    return tuple(note for note in clip.notes if not note.startswith(_NOTE))
