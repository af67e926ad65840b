"""Align: the face of every clip is brought into one geometry, by one transform a clip."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from merprep.config import canonical_json, short_hash
from merprep.errors import ImageError, UsageError
from merprep.faces.backends import backend, scheme_of
from merprep.faces.config import AlignConfig
from merprep.faces.regions import region_points
from merprep.progress import Progress
from merprep.records import Clip, FrameSet, Outcome, StageReport
from merprep.stages.aligned_rows import FinishedFaces, gather
from merprep.stages.runner import KEPT, SkipClip, run_clips
from merprep.stages.writing import one_writer
from merprep.store.accounts import keep_account
from merprep.store.aligned import AlignedHeader, ClipFaces, open_aligned
from merprep.store.manifest import Manifest, read_manifest, write_manifest
from merprep.store.parts import Arrays, Parts
from merprep.store.workspace import Workspace

if TYPE_CHECKING:
    from merprep.engines import Engine

Frames = Literal["key", "all"]
Stamps = dict[int, tuple[int, int]]
_NOTE = "align: "


@dataclass(frozen=True)
class _Task:
    """What is to be done for one clip: the files of the frames wanted, or the reason why nothing is."""

    stamps: Stamps
    reason: str = ""

    def digest(self, clip: Clip) -> str:
        """Of what the clip is made from."""
        return short_hash(canonical_json([clip.onset, sorted([n, *stamp] for n, stamp in self.stamps.items())]), 16)


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
    tasks = {clip.id: _task(clip, roots, frames) for clip in manifest.clips}
    kept = _kept(final, manifest.clips, tasks)
    if any(not task.reason and name not in kept for name, task in tasks.items()):
        # Fetches missing weights once, and fails here rather than at every clip.
        backend(settings.backend, device=device, landmarks=settings.landmarks)
    parts = Parts(workspace.parts_folder(final))
    digests = {clip.id: tasks[clip.id].digest(clip) for clip in manifest.clips}
    outcomes = run_clips(
        "align",
        manifest.clips,
        partial(_align_clip, roots=roots, frames=frames, config=settings, device=device, final=final),
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
        header = AlignedHeader(settings.model_dump(mode="json"), _scheme(settings), inputs)
        gather(FinishedFaces(final, kept, parts, digests, "merprep align"), header, done)
    outcomes = _remarked(final, outcomes) if done else outcomes
    _note_in_manifest(workspace, manifest, outcomes)
    report = StageReport(
        "align",
        tuple(outcomes.values()),
        time.perf_counter() - started,
        (str(final),) if done else (),
        "merprep flow",
    )
    return keep_account(workspace, report)


def _task(clip: Clip, roots: Mapping[str, Path], frames: Frames) -> _Task:
    reason = _why_not(clip)
    if reason:
        return _Task({}, reason)
    present = clip.frames.numbers
    keys = {clip.onset, clip.apex, clip.offset}
    wanted = present if frames == "all" else [number for number in present if number in keys]
    return _Task({number: _stamp(roots[clip.database] / clip.frames.path(number)) for number in wanted})


def _why_not(clip: Clip) -> str:
    if clip.status != "ok":
        return clip.reason or "excluded from the manifest"
    if clip.onset is None:
        return "it has no onset"
    if clip.onset not in clip.frames.numbers:
        return f"the file of its onset is missing: {clip.frames.path(clip.onset)}"
    return ""


def _stamp(path: Path) -> tuple[int, int]:
    """Return size and time of change of a file; what is not there is found out when it is read."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _kept(final: Path, clips: Sequence[Clip], tasks: Mapping[str, _Task]) -> set[str]:
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
        }


def _align_clip(
    clip: Clip, *, roots: Mapping[str, Path], frames: Frames, config: AlignConfig, device: str, final: Path
) -> Arrays:
    """Find the face of the onset frame and warp the frames wanted, one after the other.

    Frames that the file of an earlier run has, made from the same files, are taken from there, with their transform.
    """
    from merprep.faces.alignment import warp_frame
    from merprep.faces.reading import read_frames

    task = _task(clip, roots, frames)
    if task.reason or clip.onset is None:
        raise SkipClip(task.reason)
    root = roots[clip.database]
    onset = next(read_frames(root, clip.frames, [clip.onset]))
    face = _earlier(clip, final, task.stamps)
    if face is None:
        after = [number for number in clip.frames.numbers if number > clip.onset][: config.reference_frames - 1]
        face = _found(clip, onset, list(read_frames(root, clip.frames, after)), config, device)
    warped = dict(zip(face.numbers.tolist(), face.frames, strict=True))
    missing = [number for number in sorted(task.stamps) if number not in warped]
    reference = warped[clip.onset]
    for number, image in zip(missing, read_frames(root, clip.frames, missing), strict=True):
        if image.shape != onset.shape:
            raise _other_shape(clip, number, image.shape, onset.shape)
        warped[number] = warp_frame(image, reference, face.transform, config)
    wanted = sorted(task.stamps)
    return replace(
        face,
        frames=np.stack([warped[number] for number in wanted]),
        numbers=np.array(wanted, np.int64),
        stamps=np.array([task.stamps[number] for number in wanted], np.int64),
        flags="; ".join(_flags(face, reference, warped, config)),
    ).arrays()


def _earlier(clip: Clip, final: Path, stamps: Stamps) -> ClipFaces | None:
    """Return what an earlier run made of a clip, where its frames are among those wanted and their files the same."""
    if not final.is_file():
        return None
    with open_aligned(final) as file:
        if clip.id not in file or file.reference(clip.id) != clip.onset:
            return None
        return file.faces(clip.id) if file.stamps(clip.id).items() <= stamps.items() else None


def _found(
    clip: Clip, onset: NDArray[np.uint8], following: list[NDArray[np.uint8]], config: AlignConfig, device: str
) -> ClipFaces:
    """Return the face of the onset frame, with that frame alone."""
    from merprep.faces.alignment import align as align_face

    number = clip.onset or 0
    face = align_face(
        onset, config=config, following=following, name=clip.id, where=clip.frames.path(number), device=device
    )
    return ClipFaces(
        frames=face.image[np.newaxis],
        numbers=np.array([number], np.int64),
        stamps=np.zeros((1, 2), np.int64),
        landmarks=face.landmarks,
        transform=face.transform,
        score=face.score,
        residual=face.residual,
        box=np.array([face.box.x, face.box.y, face.box.width, face.box.height]),
        faces=face.faces,
        reference=number,
        attempt=face.attempt,
    )


def _flags(
    face: ClipFaces, reference: NDArray[np.uint8], warped: Mapping[int, NDArray[np.uint8]], config: AlignConfig
) -> tuple[str, ...]:
    from merprep.faces.quality import flags, turn_of

    points = region_points(face.landmarks, _scheme(config))
    numbers = sorted(warped)
    return flags(
        score=face.score,
        turn=turn_of(points["image_left_eye"], points["image_right_eye"]),
        residual=face.residual if config.backend != "none" else 0.0,  # nothing was fitted
        image=reference,
        frames=[warped[number] for number in numbers],
        numbers=numbers,
    )


def _scheme(config: AlignConfig) -> str:
    return scheme_of(config.backend) or backend(config.backend, landmarks=config.landmarks).scheme


def _other_shape(clip: Clip, number: int, found: tuple[int, ...], expected: tuple[int, ...]) -> ImageError:
    return ImageError(
        "A frame has another shape than the onset frame",
        where=clip.frames.path(number),
        expected=str(expected),
        found=str(found),
    )


def _plain(clip: Clip) -> Clip:
    """Return the row of a clip as the file keeps it: without its frames, and without this stage's own notes."""
    return replace(clip, frames=FrameSet(), notes=_other_notes(clip))


def _remarked(final: Path, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Say where a clip showed several faces, or its face was hard to find."""
    remarked = dict(outcomes)
    with open_aligned(final) as file:
        for name, outcome in outcomes.items():
            if outcome.state == "done":
                person = str(file.config.get("person", "largest"))
                remark = _remark(file.faces_found(name), person, file.attempt(name), file.flags(name))
                remarked[name] = replace(outcome, reason="; ".join(part for part in (remark, outcome.reason) if part))
    return remarked


def _remark(faces: int, person: str, attempt: str, flags: str) -> str:
    taken = f"number {person} from the left" if person.isdigit() else f"the {person.replace('central', 'most central')}"
    parts = [f"{faces} faces in the onset frame: {taken} was taken"] if faces > 1 else []
    return "; ".join(
        [*parts, *([f"face found only {attempt}"] if attempt != "as it is" else []), *filter(None, [flags])]
    )


def _note_in_manifest(workspace: Workspace, manifest: Manifest, outcomes: Mapping[str, Outcome]) -> None:
    clips = tuple(replace(clip, notes=_notes(clip, outcomes[clip.id])) for clip in manifest.clips)
    if clips != manifest.clips:
        write_manifest(workspace, replace(manifest, clips=clips))


def _notes(clip: Clip, outcome: Outcome) -> tuple[str, ...]:
    text = outcome.reason.removesuffix(KEPT).removesuffix("; ")
    if clip.status != "ok" or not text:
        return _other_notes(clip)
    return (*_other_notes(clip), _NOTE + text.replace("; ", ", "))


def _other_notes(clip: Clip) -> tuple[str, ...]:
    return tuple(note for note in clip.notes if not note.startswith(_NOTE))
