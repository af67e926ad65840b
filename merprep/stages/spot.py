"""Spot: clips that were annotated without an apex get one, with how sure it is. Off unless asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from merprep.config import canonical_json, short_hash
from merprep.errors import ImageError, UnknownNameError, UsageError
from merprep.progress import Progress
from merprep.records import Clip, Outcome, StageReport
from merprep.stages.align_clip import stamp_of
from merprep.stages.runner import KEPT, SkipClip, run_clips
from merprep.stages.writing import one_writer
from merprep.store.accounts import keep_account
from merprep.store.manifest import Manifest, read_manifest, write_manifest
from merprep.store.parts import Arrays, Parts
from merprep.store.provenance import versions
from merprep.store.workspace import Workspace, written_whole
from merprep.temporal.config import SpotConfig

if TYPE_CHECKING:
    from merprep.engines import Engine

_NOTE = "spot: "
_LEAST_FRAMES = 3
_ANNOTATED = "its apex is annotated"


@dataclass(frozen=True)
class _Found:
    apex: int
    confidence: float


@one_writer
def spot(
    workspace: Workspace,
    config: SpotConfig | None = None,
    *,
    databases: Sequence[str] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    workers: Engine | None = None,
) -> StageReport:
    """Find the apex of every clip that was annotated without one, and write it into the manifest.

    Every frame from onset to offset is warped by the one transform of the onset frame and given to
    `merprep.temporal.spot_apex`. The row then says ``apex_source = spotted`` and a note has the method, the id of the
    settings, the confidence and the midpoint. A clip that cannot be spotted, or with less than
    `config.least_confidence`, keeps its midpoint, with the reason in the report and in its notes. Annotated and
    corrected apices are never touched; `merprep ingest` brings all midpoints back.

    Parameters
    ----------
    workspace : Workspace
        With a manifest.
    config : SpotConfig, optional
    databases : sequence of str, optional
        Ids, as in the manifest; None is all.
    jobs : int, optional
        Worker processes; None takes one a core, or fewer where there are few clips.
    progress : Progress, optional
    workers : Engine, optional
        As for `align`.

    Returns
    -------
    StageReport
        Its output is the account, ``reports/spot.json``, with the settings and every clip's result.

    Raises
    ------
    StoreError
        Where there is no manifest, or it cannot be written.
    UnknownNameError
        Where a database is not in the manifest, or a method is not known.
    WeightsError
        Where the backend's weights are missing and cannot be fetched.

    Examples
    --------
    >>> report = spot(Workspace("study"), SpotConfig(method="flow"))  # doctest: +SKIP
    """
    started = time.perf_counter()
    workspace = workspace if workers is None else workspace.anywhere()
    settings = config or SpotConfig()
    manifest = read_manifest(workspace)
    clips = _chosen(manifest, databases)
    reasons = {clip.id: _why_not(clip) for clip in clips}
    possible = [clip for clip in clips if not reasons[clip.id]]
    roots = {clip.database: manifest.root_of(clip) for clip in possible}
    if possible:
        _prepare(settings)
    parts = Parts(workspace.folder / "spotted" / f"spot-{settings.config_id()}.parts")
    digests = {clip.id: _digest(clip, roots[clip.database]) for clip in possible}
    work = partial(_spot_clip, roots=roots, config=settings)
    computed = run_clips("spot", possible, work, parts, digests, jobs=jobs, progress=progress, workers=workers)
    found = {clip.id: _load(parts, clip.id, digests) for clip in possible if computed[clip.id].state == "done"}
    outcomes = {clip.id: _settled(clip, reasons, computed, found, settings) for clip in clips}
    _into_manifest(workspace, manifest, settings, outcomes, found)
    path = workspace.reports / "spot.json"
    _write_account(path, settings, possible, outcomes, found)
    seconds = time.perf_counter() - started
    report = StageReport("spot", tuple(outcomes.values()), seconds, (path.as_posix(),), "merprep flow")
    return keep_account(workspace, report)


def _chosen(manifest: Manifest, databases: Sequence[str] | None) -> list[Clip]:
    known = sorted({clip.database for clip in manifest.clips})
    for name in databases or ():
        if name not in known:
            raise UnknownNameError.among("database of the manifest", name, known)
    return [clip for clip in manifest.clips if databases is None or clip.database in databases]


def _why_not(clip: Clip) -> str:
    if clip.status != "ok":
        return clip.reason or "excluded from the manifest"
    if clip.apex_source in ("annotated", "errata"):
        return _ANNOTATED
    if clip.onset is None or clip.offset is None:
        return f"it has no {'onset' if clip.onset is None else 'offset'}"
    if clip.onset not in clip.frames.numbers:
        return f"the file of its onset is missing: {clip.frames.path(clip.onset)}"
    count = len(_numbers(clip))
    return f"only {count} frames from onset to offset" if count < _LEAST_FRAMES else ""


def _numbers(clip: Clip) -> list[int]:
    """Return the frames that exist from onset to offset."""
    if clip.onset is None or clip.offset is None:
        return []
    return [number for number in clip.frames.numbers if clip.onset <= number <= clip.offset]


def _prepare(settings: SpotConfig) -> None:
    """Fetch weights and compile once here, and fail here rather than at every clip."""
    from merprep.faces.backends import backend
    from merprep.faces.outlines import outlines
    from merprep.flow import estimator

    scheme = backend(settings.align.backend, landmarks=settings.align.landmarks).scheme
    if settings.method == "flow" and settings.mask_eyes:
        try:
            outlines(scheme)
        except UnknownNameError as error:
            raise UsageError("Eyes can be left out only where landmarks outline them", found=scheme,
                             mend="--no-mask-eyes, or the backend mesh") from error  # fmt: skip
    if settings.method == "flow":
        estimator(settings.flow_method).prepare()


def _digest(clip: Clip, root: Path) -> str:
    """Of what the clip's apex is found from: its key frames, and size and time of change of every file."""
    files = sorted({clip.frames.path(number) for number in _numbers(clip)})
    return short_hash(canonical_json([clip.onset, clip.offset, [[name, *stamp_of(root / name)] for name in files]]), 16)


def _spot_clip(clip: Clip, *, roots: Mapping[str, Path], config: SpotConfig) -> Arrays:
    """Align the frames of one clip and find its apex; runs in a worker process."""
    from merprep.faces.alignment import align, warp_frame
    from merprep.faces.outlines import eyes_mask
    from merprep.faces.reading import read_frames
    from merprep.temporal.spotting import spot_apex

    numbers, root = _numbers(clip), roots[clip.database]
    images = read_frames(root, clip.frames, numbers)
    onset = next(images)
    following = list(read_frames(root, clip.frames, numbers[1 : config.align.reference_frames]))
    where = clip.frames.path(numbers[0])
    face = align(onset, config=config.align, following=following, name=clip.id, where=where)
    faces = [face.image]
    for number, image in zip(numbers[1:], images, strict=True):
        if image.shape != onset.shape:
            raise ImageError("A frame has another shape than the onset frame", where=clip.frames.path(number),
                             expected=str(onset.shape), found=str(image.shape))  # fmt: skip
        faces.append(warp_frame(image, face.image, face.transform, config.align))
    mask = eyes_mask(face.landmarks, face.scheme, config.align.size) if config.mask_eyes else None
    frames = np.stack(faces)
    if (frames == frames[:1]).all():
        raise SkipClip("nothing changes in it")
    found = spot_apex(frames, config.method, mask=mask, flow_method=config.flow_method, steady=config.steady)
    return {
        "apex": np.array(numbers[found.index]),
        "confidence": np.array(found.confidence),
        "course": found.course,
        "numbers": np.array(numbers),
    }


def _load(parts: Parts, clip_id: str, digests: Mapping[str, str]) -> _Found:
    arrays: dict[str, Any] = parts.take(clip_id, digests[clip_id], "merprep spot")
    return _Found(int(arrays["apex"]), float(arrays["confidence"]))


def _settled(
    clip: Clip,
    reasons: Mapping[str, str],
    computed: Mapping[str, Outcome],
    found: Mapping[str, _Found],
    settings: SpotConfig,
) -> Outcome:
    if reasons[clip.id]:
        return Outcome(clip.id, "skipped", reasons[clip.id])
    outcome = computed[clip.id]
    if outcome.state == "done" and found[clip.id].confidence < settings.least_confidence:
        return Outcome(clip.id, "skipped", f"confidence below {settings.least_confidence:g}")
    return outcome


def _into_manifest(
    workspace: Workspace,
    manifest: Manifest,
    settings: SpotConfig,
    outcomes: Mapping[str, Outcome],
    found: Mapping[str, _Found],
) -> None:
    """Write the rows, and how they were made into the sidecar; nothing where nothing changes."""
    clips = tuple(
        _row(clip, outcomes[clip.id], found.get(clip.id), settings) if clip.id in outcomes else clip
        for clip in manifest.clips
    )
    if clips == manifest.clips:
        return
    made = {"config": settings.model_dump(mode="json"), "config_id": settings.config_id(), "created_with": versions()}
    touched = {new.database for new, old in zip(clips, manifest.clips, strict=True) if new != old}
    sources = {
        name: {**source, "spot": made} if name in touched else source for name, source in manifest.sources.items()
    }
    write_manifest(workspace, replace(manifest, clips=clips, sources=sources))


def _row(clip: Clip, outcome: Outcome, found: _Found | None, settings: SpotConfig) -> Clip:
    others = tuple(note for note in clip.notes if not note.startswith(_NOTE))
    if clip.status != "ok" or clip.apex_source in ("annotated", "errata"):
        return replace(clip, notes=others)
    middle = _midpoint(clip)
    if outcome.state == "done" and found is not None:
        how = f"{settings.method} {settings.config_id()}, confidence {found.confidence:.2f}, midpoint {middle}"
        return replace(clip, apex=found.apex, apex_source="spotted", notes=(*others, _NOTE + how))
    why = f"{_NOTE}no apex found by {settings.method}, {outcome.reason.replace('; ', ', ')}"
    if clip.apex_source == "spotted":  # by other settings, before
        clip = replace(clip, apex=middle, apex_source="none" if middle is None else "midpoint")
    return replace(clip, notes=(*others, why))


def _midpoint(clip: Clip) -> int | None:
    if clip.onset is None or clip.offset is None:
        return None
    return clip.frames.nearest(clip.onset + (clip.offset - clip.onset) // 2)


def _write_account(
    path: Path,
    settings: SpotConfig,
    clips: Sequence[Clip],
    outcomes: Mapping[str, Outcome],
    found: Mapping[str, _Found],
) -> None:
    rows = {
        clip.id: {
            "state": outcomes[clip.id].state,
            "reason": outcomes[clip.id].reason.removesuffix(KEPT),  # whether it was interrupted is no result
            "apex": found[clip.id].apex if clip.id in found else None,
            "confidence": found[clip.id].confidence if clip.id in found else None,
            "midpoint": _midpoint(clip),
        }
        for clip in clips
    }
    account = {"config": settings.model_dump(mode="json"), "config_id": settings.config_id(),
               "created_with": versions(), "clips": rows}  # fmt: skip
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(account, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
