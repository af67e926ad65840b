"""Align: the face of every clip is brought into one geometry, by one transform a clip."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from merprep.errors import UsageError
from merprep.faces.backends import backend
from merprep.faces.backends.base import KnownFaces
from merprep.faces.config import AlignConfig
from merprep.progress import Progress
from merprep.records import CLIP, OUTCOME, Clip, Outcome, StageReport
from merprep.shelf import Rows, Shelf
from merprep.stages.align_clip import AlignTask, Frames, align_clip, align_task, held_frames, scheme_in_use
from merprep.stages.aligned_rows import finished_faces, gather
from merprep.stages.changed import ChangedFrames, changed_sheets
from merprep.stages.runner import KEPT, run_clips
from merprep.stages.writing import one_writer
from merprep.store.accounts import keep_account
from merprep.store.aligned import AlignedClip, AlignedFile, AlignedHeader, open_aligned
from merprep.store.manifest import Manifest, digest_of, read_manifest, write_manifest
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
    roots = manifest.roots()
    todo = _todo(workspace, manifest, align_tasks(manifest, final, frames, settings, check=check))
    if todo.work:
        # Fetches missing weights once, and fails here rather than at every clip.
        finder = backend(settings.backend, device=device, landmarks=settings.landmarks)
        if check and isinstance(finder, KnownFaces):
            raise UsageError(
                "Landmarks out of a file are known for one frame a clip, so that no face can be looked for in others",
                mend="leave the check out, or align with another backend",
            )
    parts = Parts(workspace.parts_folder(final))
    outcomes = run_clips(
        "align",
        manifest.clips,
        partial(align_clip, roots=roots, frames=frames, config=settings, device=device, final=final, check=check),
        parts,
        todo.digests,
        kept=todo.kept,
        jobs=jobs,
        progress=progress,
        workers=workers,
    )
    done = Rows((_plain(clip) for clip in manifest.clips if outcomes[clip.id].state == "done"), CLIP)
    if done:
        inputs = {"manifest": digest_of(done)}
        header = AlignedHeader(settings.model_dump(mode="json"), scheme_in_use(settings), inputs)
        gather(finished_faces(final, todo.kept, parts, todo.digests, "merprep align"), header, done)
        _remark_on(outcomes, final)
    _note_in_manifest(workspace, manifest, outcomes)
    report = StageReport(
        "align",
        Rows((outcome for _, outcome in outcomes.pairs()), OUTCOME),
        time.perf_counter() - started,
        (str(final),) if done else (),
        "merprep flow",
        todo.notes,
    )
    return keep_account(workspace, report)


@dataclass(frozen=True)
class _ToDo:
    """What is known of the clips before the work on them begins.

    Parameters
    ----------
    digests : mapping of str to str
        By clip id, of what a clip is made from.
    kept : collection of str
        Ids of the clips that the file of an earlier run has.
    notes : tuple of str
        About what was changed since it was ingested.
    work : bool
        Whether there is any for a clip.
    """

    digests: Mapping[str, str]
    kept: Collection[str]
    notes: tuple[str, ...]
    work: bool


def _todo(workspace: Workspace, manifest: Manifest, tasks: Iterable[tuple[Clip, AlignTask, bool]]) -> _ToDo:
    digests: Shelf[str] = Shelf()
    kept: Shelf[None] = Shelf()
    changed, work = ChangedFrames(workspace, manifest), False
    for clip, task, is_kept in tasks:
        digests[clip.id] = task.digest(clip)
        changed.see(clip, task.stamps)
        if is_kept:
            kept[clip.id] = None
        work = work or not (is_kept or task.reason)
    return _ToDo(digests, kept, (*changed_sheets(manifest), *changed.notes()), work)


def align_tasks(
    manifest: Manifest, final: Path, frames: Frames, config: AlignConfig, *, check: bool = False
) -> Iterator[tuple[Clip, AlignTask, bool]]:
    """Yield each clip, what is to be done for it, and whether a finished file has just that."""
    roots = manifest.roots()
    with ExitStack() as stack:
        file = stack.enter_context(open_aligned(final)) if final.is_file() else None
        held: Shelf[str] = Shelf() if file is None else Shelf(file.walk("id", "digest"))
        for clip in manifest.clips:
            numbers = held_frames(file, clip.id) if check else ()
            task = align_task(clip, roots, frames, config, check=check, held=numbers)
            yield clip, task, file is not None and not task.reason and _is_kept(clip, task, file, held.get(clip.id))


def _is_kept(clip: Clip, task: AlignTask, file: AlignedFile, digest: str | None) -> bool:
    """Whether a file has a clip that was made from the same files, with every frame wanted."""
    if digest is None:
        return False
    if digest == task.faces_digest(clip) and not task.check:  # just the frames wanted; most often it is so
        return True
    aligned = file.clip(clip.id)
    return (
        aligned.reference == clip.onset
        and task.stamps.items() <= aligned.stamps.items()
        and not (task.check and aligned.lost is None)
    )


def _plain(clip: Clip) -> Clip:
    """Return the row of a clip as the file keeps it: without this stage's own notes."""
    notes = _other_notes(clip)
    return clip if notes == clip.notes else replace(clip, notes=notes)


def _remark_on(outcomes: Shelf[Outcome], final: Path) -> None:
    """Say where a clip showed several faces, or its face was hard to find."""
    with open_aligned(final) as file:
        person = str(file.config.get("person", "largest"))
        for name, outcome in outcomes.pairs():
            remark = _remark(file.clip(name), person) if outcome.state == "done" else ""
            if remark:
                outcomes[name] = replace(outcome, reason="; ".join(filter(None, (remark, outcome.reason))))


def _remark(clip: AlignedClip, person: str) -> str:
    faces, attempt, flags = clip.faces_found, clip.attempt, clip.flags
    taken = f"number {person} from the left" if person.isdigit() else f"the {person.replace('central', 'most central')}"
    parts = [f"{faces} faces in the onset frame: {taken} was taken"] if faces > 1 else []
    return "; ".join(
        [*parts, *([f"face found only {attempt}"] if attempt != "as it is" else []), *filter(None, [flags])]
    )


def _note_in_manifest(workspace: Workspace, manifest: Manifest, outcomes: Mapping[str, Outcome]) -> None:
    def noted(clip: Clip) -> Clip:
        notes = _notes(clip, outcomes[clip.id])
        return clip if notes == clip.notes else replace(clip, notes=notes)

    if any(noted(clip) is not clip for clip in manifest.clips):
        write_manifest(workspace, replace(manifest, clips=Rows(map(noted, manifest.clips), CLIP)))


def _notes(clip: Clip, outcome: Outcome) -> tuple[str, ...]:
    text = outcome.reason.removesuffix(KEPT).removesuffix("; ")
    if clip.status != "ok" or not text:
        return _other_notes(clip)
    return (*_other_notes(clip), _NOTE + text.replace("; ", ", "))


def _other_notes(clip: Clip) -> tuple[str, ...]:
    return tuple(note for note in clip.notes if not note.startswith(_NOTE))
