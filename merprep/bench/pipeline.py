"""What the whole line costs: from raw frames on disk to a finished feature file, by stage and by step."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from merprep.errors import UsageError
from merprep.features import FlowConfig

_CLASSES = 3
_SUBJECTS = 17
FRAME_SIZE = (640, 480)
_SAMPLE = 24  # clips whose steps are timed one by one


@dataclass(frozen=True)
class StageTime:
    """What a stage took for all clips, wall clock.

    Parameters
    ----------
    stage : str
        ``ingest``, ``align``, ``flow``; ``total`` is their sum.
    clips : int
    jobs : int
        Worker processes asked for.
    seconds : float
    """

    stage: str
    clips: int
    jobs: int
    seconds: float


@dataclass(frozen=True)
class StepTime:
    """What a step takes for one clip, in one process on one thread.

    Parameters
    ----------
    step : str
    cpu_ms : float
        Time on the processor, so that other work on the machine hardly counts; median over the clips that were timed.
    """

    step: str
    cpu_ms: float


@dataclass(frozen=True)
class PipelineBench:
    """Both tables."""

    stages: tuple[StageTime, ...]
    steps: tuple[StepTime, ...]


def pipeline(
    clips: int = 255, *, config: FlowConfig | None = None, jobs: int = 2, folder: Path | None = None
) -> PipelineBench:
    """Write clips laid out as CASME II has them, then time ingest, align and flow on them.

    The clips (frames of 640 by 480 in colour, as JPEG) are rendered first, which is not counted.

    Parameters
    ----------
    clips : int
        How many; rounded up to whole subjects.
    config : FlowConfig, optional
    jobs : int
        Worker processes.
    folder : Path, optional
        Where frames and workspace are made; a temporary folder where None.

    Raises
    ------
    UsageError
        Where nothing would be measured.
    WeightsError
        Where the landmark weights are missing and cannot be fetched.
    """
    if clips < 1 or jobs < 1:
        raise UsageError("A measurement needs at least one clip and one job", found=f"{clips} and {jobs}")
    with tempfile.TemporaryDirectory() as temporary:
        return _measured(Path(folder or temporary), clips, config or FlowConfig(), jobs)


def _measured(folder: Path, clips: int, config: FlowConfig, jobs: int) -> PipelineBench:
    from merprep import stages
    from merprep.flow import estimator
    from merprep.store import Workspace
    from merprep.synthetic import write_database

    subjects = min(_SUBJECTS, -(-clips // _CLASSES))
    each = -(-clips // (_CLASSES * subjects))
    written = write_database(
        "casme2", folder / "raw", subjects=subjects, clips_per_class=each, frame_size=FRAME_SIZE, frames="key"
    )
    estimator(config.method, **config.parameters).prepare()  # numba compiles once on a machine, not once a run
    workspace = Workspace(folder / "study")
    runs: dict[str, Callable[[], object]] = {
        "ingest": partial(stages.ingest, workspace, "casme2", folder / "raw"),
        "align": partial(stages.align, workspace, config.align, jobs=jobs),
        "flow": partial(stages.flow, workspace, config, jobs=jobs, device="cpu"),
    }
    count = len(written.clips)
    rows = [StageTime(name, count, jobs, _seconds(run)) for name, run in runs.items()]
    rows.append(StageTime("total", count, jobs, sum(row.seconds for row in rows)))
    return PipelineBench(tuple(rows), _steps(workspace, config, folder))


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _steps(workspace: Any, config: FlowConfig, folder: Path) -> tuple[StepTime, ...]:
    """Time each step on some clips; OpenCV with one thread."""
    import cv2

    from merprep.store import read_manifest

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        manifest = read_manifest(workspace)
        times = [_of_clip(clip, manifest.root_of(clip), config, folder) for clip in manifest.usable[:_SAMPLE]]
    finally:
        cv2.setNumThreads(threads)
    medians = {step: 1000 * float(np.median([row[step] for row in times])) for step in times[0]}
    return (*(StepTime(step, ms) for step, ms in medians.items()), StepTime("sum", sum(medians.values())))


def _of_clip(clip: Any, root: Path, config: FlowConfig, folder: Path) -> dict[str, float]:
    from merprep.faces import region_points
    from merprep.faces.backends import backend
    from merprep.faces.geometry import apply, face_transform
    from merprep.faces.outlines import rigid_mask
    from merprep.faces.reading import read_frames
    from merprep.faces.warp import warp
    from merprep.features import five_points
    from merprep.flow import estimator, to_grey
    from merprep.flow.steady import steady_fields
    from merprep.stages.flow import features_of
    from merprep.store.parts import Parts

    watch = _Watch()
    frames = list(read_frames(root, clip.frames, sorted({clip.onset, clip.apex, clip.offset})))
    watch("decode three frames")
    finder = backend(config.align.backend)
    box = finder.find(frames[0])[0]
    watch("find the face")
    face = finder.mark(frames[0], box)
    if face is None:
        raise UsageError("A rendered face was not found", where=clip.id)
    watch("landmarks")
    transform, _ = face_transform(face.landmarks, face.scheme, config.align)
    faces = np.stack([warp(image, transform, config.align.size) for image in frames])
    watch("warp three frames")
    grey = to_grey(faces)
    landmarks = apply(transform, face.landmarks).astype(np.float32)
    watch("grey")
    engine = estimator(config.method, **config.parameters)
    if config.head_motion == "none":
        field = engine.fields(grey[:1], grey[1:2], threads=1)[0]
    else:
        region = rigid_mask(landmarks, face.scheme, config.align.size)[None]
        field = steady_fields(engine, grey[:1], grey[1:2], config.head_motion, region=region, threads=1)[0][0]
    watch("flow")
    made = features_of(field, five_points(region_points(landmarks, face.scheme)), landmarks, config)
    watch("strain and regions")
    Parts(folder / "parts").save(clip.id, "bench", made.arrays())
    watch("write")
    return watch.seconds


class _Watch:
    """Notes the processor's time since it was last asked."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def __call__(self, step: str) -> None:
        now = time.process_time()
        self.seconds[step] = now - self._last
        self._last = time.process_time()
