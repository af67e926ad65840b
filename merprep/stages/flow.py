"""Flow: aligned faces become named channels, regions and landmarks in a feature file."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from merprep.config import canonical_json, short_hash
from merprep.errors import StoreError
from merprep.faces import region_points
from merprep.faces.outlines import eyes_mask
from merprep.features import (
    ANATOMICAL,
    PUBLISHED,
    FlowConfig,
    anatomical_table,
    area_average,
    channels_of,
    cut_published,
    cut_regions,
    five_points,
    shrunk,
    unit_of,
)
from merprep.flow import estimator
from merprep.flow.checks import resolved_device
from merprep.flow.devices import device_name
from merprep.progress import Progress
from merprep.records import CLIP, OUTCOME, Clip, Outcome, StageReport
from merprep.shelf import Rows, Shelf
from merprep.stages.ahead import FieldsAhead
from merprep.stages.feature_rows import finished_features, gather
from merprep.stages.fields import ClipField, field_of, fields_ahead, seen_at
from merprep.stages.key_frames import ends, key_frames
from merprep.stages.regions import region_sets
from merprep.stages.runner import KEPT, SkipClip, Work, run_clips
from merprep.stages.sources import FaceSource, face_source
from merprep.stages.writing import one_writer
from merprep.store import ClipFeatures, FeatureFile, FeatureHeader, Parts, Workspace
from merprep.store.accounts import keep_account
from merprep.store.aligned import AlignedFile, open_aligned
from merprep.store.manifest import digest_of
from merprep.store.parts import Arrays

if TYPE_CHECKING:
    from merprep.engines import Engine

_STILL = "{} and {} are the same frame: its flow is zero"


class NothingComputedError(StoreError):
    """Not one clip could be computed; `outcomes` says of each why."""

    outcomes: Sequence[Outcome] = ()


@one_writer
def flow(
    workspace: Workspace,
    config: FlowConfig | None = None,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    device: str = "auto",
    workers: Engine | None = None,
) -> tuple[Path, StageReport]:
    """Compute the features of every clip of a workspace, once; faces that are not aligned yet are aligned first.

    For each clip: grey onset and apex (BT.601 weights on BGR) of the aligned face, their flow at the working size,
    the channels at that size (strain before anything is shrunk), then area averages of the whole face and the four
    regions in both layouts. Clips made from the same files with the same settings are kept; an interrupted run
    continues. A clip without an apex is skipped with that reason.

    Parameters
    ----------
    workspace : Workspace
        With a manifest.
    config : FlowConfig, optional
    jobs : int, optional
        Worker processes; None takes one a core.
    progress : Progress, optional
    device : str
        For methods that have an engine for it; ``auto`` takes the best there is.
    workers : Engine, optional
        Do the work in place of processes of this machine (see `merprep.engines`). They must see workspace and
        databases under the same paths, and have the device.

    Returns
    -------
    (Path, StageReport)
        The feature file and the account of all clips of the manifest.

    Raises
    ------
    StoreError
        Where there is no manifest, or not one clip could be computed; nothing is written then.
    DeviceError
        Where the method cannot run on the device.

    Examples
    --------
    >>> path, report = flow(Workspace("study"))  # doctest: +SKIP
    """
    started = time.perf_counter()
    workspace = workspace if workers is None else workspace.anywhere()
    settings = config or FlowConfig()
    engine = estimator(settings.method, **settings.parameters)
    used = resolved_device(device, settings.method, engine.devices)
    engine = engine.on(used)
    faces = face_source(workspace, settings, jobs=jobs, progress=progress, workers=workers)
    todo = _todo(faces, settings)
    final = workspace.features_path("flow", settings.config_id())
    engine.prepare()  # compiles once here rather than in every worker
    parts, kept = Parts(workspace.parts_folder(final)), _kept(final, todo.digests)
    run = _Run(faces.path, settings, jobs, used, workers)
    computed = _computed(run, todo, kept, parts, progress)
    done = Rows((clip for clip in faces.manifest.clips if _became(clip, computed, todo).state == "done"), CLIP)
    if not done:
        raise _nothing(final, Rows((_became(clip, computed, todo) for clip in faces.clips), OUTCOME))
    header = _header(settings, faces.path, done, device_name(used))
    gather(finished_features(final, kept, parts, todo.digests), header, done)
    report = StageReport(
        "flow",
        Rows((_noted(clip, _became(clip, computed, todo), settings) for clip in faces.clips), OUTCOME),
        time.perf_counter() - started,
        (str(final),),
        "merprep train --preset sanity",
        faces.report.notes,
    )
    return final, keep_account(workspace, report)


@dataclass(frozen=True)
class _Run:
    """How clips are computed: by worker processes, or in this process by batches on a GPU."""

    source: Path
    settings: FlowConfig
    jobs: int | None
    device: str
    workers: Engine | None = None

    def work(self, pending: Iterable[Clip]) -> Work:
        """Return the work on one clip; `pending` are those that it will be called for, in their order."""
        if self.device == "cpu" or self.workers is not None:
            return partial(flow_clip, source=self.source, config=self.settings, device=self.device)
        ahead = fields_ahead(pending, source=self.source, config=self.settings, device=self.device)
        return partial(flow_clip, source=self.source, config=self.settings, ahead=ahead)


def _computed(
    run: _Run, todo: _ToDo, kept: Collection[str], parts: Parts, progress: Progress | None
) -> Mapping[str, Outcome]:
    digests = todo.digests
    pending = (clip for clip in todo.possible if clip.id not in kept and not parts.has(clip.id, digests[clip.id]))
    return run_clips(
        "flow" if run.device == "cpu" else f"flow on {device_name(run.device)}",
        todo.possible,
        run.work(pending),
        parts,
        digests,
        kept=kept,
        jobs=run.jobs if run.device == "cpu" else 1,
        progress=progress,
        workers=run.workers,
    )


@dataclass(frozen=True)
class _ToDo:
    """What is known of the clips before the work on them begins.

    Parameters
    ----------
    possible : sequence of Clip
        Those that there are faces for.
    digests : mapping of str to str
        By their id, of what their features are made from.
    left_out : mapping of str to Outcome
        By id, what became of the others.
    """

    possible: Sequence[Clip]
    digests: Mapping[str, str]
    left_out: Mapping[str, Outcome]


def _todo(faces: FaceSource, settings: FlowConfig) -> _ToDo:
    possible, digests, left_out = Rows(codec=CLIP), Shelf[str](), Shelf(codec=OUTCOME)
    with ExitStack() as stack:
        file = stack.enter_context(open_aligned(faces.path)) if faces.report.outputs else None
        for clip, aligned in zip(faces.clips, faces.report.outcomes, strict=True):
            task = _task(clip, aligned, file, settings)
            if isinstance(task, Outcome):
                left_out[clip.id] = task
            else:
                digests[clip.id] = task
                possible.append(clip)
    return _ToDo(possible, digests, left_out)


def _task(clip: Clip, aligned: Outcome, file: AlignedFile | None, settings: FlowConfig) -> str | Outcome:
    """Return the digest of what a clip's features are made from, or what became of it already."""
    if file is None or aligned.state != "done":
        return aligned
    faces = file.clip(clip.id)
    stamps, reference = faces.stamps, faces.reference
    try:
        frames = key_frames(clip, settings, list(stamps))
    except SkipClip as reason:
        return Outcome(clip.id, "skipped", str(reason))
    used = [*frames.first, *frames.second]
    # Those whose landmarks gave the transform of all frames.
    marked = [number for number in stamps if number >= reference][: settings.align.reference_frames]
    used += [number for number in marked if number not in used]
    made_from = [*used, *([*stamps[number]] for number in used)]
    return short_hash(canonical_json(made_from), 16)


def _became(clip: Clip, computed: Mapping[str, Outcome], todo: _ToDo) -> Outcome:
    return computed.get(clip.id) or todo.left_out[clip.id]


def _kept(final: Path, digests: Mapping[str, str]) -> Mapping[str, int]:
    """Return the rows of the clips that an existing file has of the same input, by their id."""
    rows: Shelf[int] = Shelf()
    if final.is_file():
        with FeatureFile(final) as file:
            for row, (name, digest) in enumerate(file.walk("id", "digest")):
                if digests.get(name) == digest:
                    rows[name] = row
    return rows


def flow_clip(
    clip: Clip, *, source: Path, config: FlowConfig, ahead: FieldsAhead[ClipField] | None = None, device: str = "cpu"
) -> Arrays:
    """Compute the features of one clip from the file of aligned faces; runs in a worker process.

    Parameters
    ----------
    ahead : FieldsAhead, optional
        Where the field comes from, if it is not computed here and now.
    device : str
        What it is computed on here and now.
    """
    with open_aligned(source) as file:
        landmarks, scheme = file.landmarks(clip.id), file.scheme
    seen = seen_at(landmarks, config)
    found = ahead(clip) if ahead else field_of(clip, source=source, config=config, device=device)
    field = found.flow
    if config.mask_eyes:
        field = np.where(eyes_mask(seen, scheme, config.working_size), np.float32(0), field)
    made = features_of(field, five_points(region_points(seen, scheme)), landmarks, config)
    return replace(made, head=found.head).arrays()


def features_of(
    field: NDArray[np.float32], points: NDArray[np.float32], landmarks: NDArray[np.float32] | None, config: FlowConfig
) -> ClipFeatures:
    """Return channels, regions and landmarks of one flow field at the working size.

    Parameters
    ----------
    field : (2, S, S) float32
        At the working size, in its pixels.
    points : (5, 2) float32
        (x, y) in pixels of `field`, see `merprep.features.POINT_NAMES`.
    landmarks : (P, 2) float32, optional
        Stored as they are.

    Examples
    --------
    >>> from merprep.features import fallback_points
    >>> made = features_of(np.zeros((2, 224, 224), np.float32), fallback_points(224), None, FlowConfig())
    >>> made.features.shape, made.regions["anatomical"].shape
    ((3, 28, 28), (4, 3, 14, 14))
    """
    maps = channels_of(field, config.channels)
    small = shrunk(field, maps, config.channels, partial(area_average, size=config.size))
    # The centre of the first pixel is (0, 0) at both sizes, so its left edge is at -1/2.
    scaled = (points + 0.5) * (config.size / maps.shape[-1]) - 0.5
    regions = {PUBLISHED: cut_published(small, scaled)}
    for name, table in {ANATOMICAL: anatomical_table(), **config.regions}.items():
        cut = partial(cut_regions, points=points, table=table, size=config.size, edges=config.region_edges)
        regions[name] = shrunk(field, maps, config.channels, cut)
    return ClipFeatures(small, regions, landmarks)


def _header(settings: FlowConfig, source: Path, done: Sequence[Clip], device: str) -> FeatureHeader:
    with open_aligned(source) as file:
        scheme, aligned_id = file.scheme, file.config_id
    return FeatureHeader(
        channels=settings.channels,
        units=tuple(unit_of(name) for name in settings.channels),
        normalisation="none",
        config=settings.model_dump(mode="json"),
        inputs={"aligned": aligned_id, "manifest": digest_of(done)},
        region_sets=region_sets(
            settings.size,
            points=f"means of {scheme} landmarks of the onset frame",
            tables={ANATOMICAL: anatomical_table(), **settings.regions},
            edges=settings.region_edges,
        ),
        landmark_scheme=scheme,
        device=device,
    )


def _noted(clip: Clip, outcome: Outcome, settings: FlowConfig) -> Outcome:
    first, second = ends(clip, settings)
    if outcome.state != "done" or first != second:
        return outcome
    return replace(
        outcome, reason="; ".join(part for part in (_STILL.format(*settings.pair.split("-")), outcome.reason) if part)
    )


def _nothing(final: Path, outcomes: Sequence[Outcome]) -> NothingComputedError:
    reasons: list[str] = []
    for outcome in outcomes:
        if outcome.reason not in (KEPT, *reasons):
            reasons = sorted([*reasons, outcome.reason])[:3]
    error = NothingComputedError(
        "Not one clip could be computed, so no feature file was written",
        where=str(final),
        found=f"{len(outcomes)} clips; " + " | ".join(reasons) if outcomes else "a manifest without clips",
        mend="see the reasons; `merprep align` names them for each clip",
    )
    error.outcomes = outcomes
    return error
