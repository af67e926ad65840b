"""What align does with one clip: its face is found in the onset frame, and the frames wanted are warped."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from merprep.config import canonical_json, short_hash
from merprep.errors import ImageError
from merprep.faces.backends import backend, scheme_of
from merprep.faces.config import AlignConfig
from merprep.faces.regions import region_points
from merprep.records import Clip
from merprep.stages.runner import SkipClip
from merprep.store.aligned import AlignedFile, ClipFaces, faces_digest, open_aligned
from merprep.store.parts import Arrays

Frames = Literal["key", "all"]
Stamps = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class AlignTask:
    """What is to be done for one clip: the files of the frames wanted, or the reason why nothing is."""

    stamps: Stamps
    reason: str = ""
    check: bool = False

    def digest(self, clip: Clip) -> str:
        """Of what the clip is made from."""
        made_from = [clip.onset, sorted([n, *stamp] for n, stamp in self.stamps.items())]
        return short_hash(canonical_json([*made_from, *(["check"] if self.check else [])]), 16)

    def faces_digest(self, clip: Clip) -> str:
        """Of the faces that come out: that of `ClipFaces` for just these frames."""
        numbers = sorted(self.stamps)
        return faces_digest(clip.onset or 0, numbers, [self.stamps[number] for number in numbers])


def align_task(
    clip: Clip,
    roots: Mapping[str, Path],
    frames: Frames,
    config: AlignConfig,
    *,
    check: bool = False,
    held: Container[int] = (),
) -> AlignTask:
    """Return what is to be done for a clip; frames that an earlier run has aligned (`held`) are wanted again.

    Frames whose landmarks the transform is made from are always among those wanted, so that their files count, too.
    """
    reason = _why_not(clip)
    if reason:
        return AlignTask({}, reason)
    present = clip.frames.numbers
    keys = {clip.onset, clip.apex, clip.offset, *_following(clip, config)}
    wanted = present if frames == "all" else [number for number in present if number in keys or number in held]
    stamps = {number: stamp_of(roots[clip.database] / clip.frames.path(number)) for number in wanted}
    return AlignTask(stamps, check=check)


def _following(clip: Clip, config: AlignConfig) -> list[int]:
    """Return the frames after the onset that landmarks are looked for in as well."""
    onset = clip.onset or 0
    return [number for number in clip.frames.numbers if number > onset][: config.reference_frames - 1]


def held_frames(file: AlignedFile | None, clip_id: str) -> tuple[int, ...]:
    """Return the frames of a clip that a finished file has, which a check of its frames must not lose."""
    return file.numbers(clip_id) if file is not None and clip_id in file else ()


def _why_not(clip: Clip) -> str:
    if clip.status != "ok":
        return clip.reason or "excluded from the manifest"
    if clip.onset is None:
        return "it has no onset"
    if clip.onset not in clip.frames.numbers:
        return f"the file of its onset is missing: {clip.frames.path(clip.onset)}"
    return ""


def stamp_of(path: Path) -> tuple[int, int]:
    """Return size and time of change of a file; what is not there is found out when it is read."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def align_clip(
    clip: Clip,
    *,
    roots: Mapping[str, Path],
    frames: Frames,
    config: AlignConfig,
    device: str,
    final: Path,
    check: bool = False,
) -> Arrays:
    """Find the face of the onset frame and warp the frames wanted, one after the other.

    Frames that the file of an earlier run has, made from the same files, are taken from there, with their transform.
    """
    from merprep.faces.alignment import warp_frame
    from merprep.faces.reading import read_frames

    task = align_task(clip, roots, frames, config, held=_held(final, clip) if check else ())
    if task.reason or clip.onset is None:
        raise SkipClip(task.reason)
    root = roots[clip.database]
    onset = next(read_frames(root, clip.frames, [clip.onset]))
    face = _earlier(clip, final, task.stamps)
    if face is None:
        following = list(read_frames(root, clip.frames, _following(clip, config)))
        face = _found(clip, onset, following, config, device)
    warped = dict(zip(face.numbers.tolist(), face.frames, strict=True))
    missing = [number for number in sorted(task.stamps) if number not in warped]
    reference = warped[clip.onset]
    for number, image in zip(missing, read_frames(root, clip.frames, missing), strict=True):
        if image.shape != onset.shape:
            raise _other_shape(clip, number, image.shape, onset.shape)
        warped[number] = warp_frame(image, reference, face.transform, config)
    wanted = sorted(task.stamps)
    lost = _lost(clip, root, wanted, face, config, device) if check else None
    return replace(
        face,
        frames=np.stack([warped[number] for number in wanted]),
        numbers=np.array(wanted, np.int64),
        stamps=np.array([task.stamps[number] for number in wanted], np.int64),
        flags="; ".join([*_flags(face, reference, warped, config), *_loss(clip, wanted, lost)]),
        lost=None if lost is None else np.array(lost, np.int64),
    ).arrays()


def _held(final: Path, clip: Clip) -> tuple[int, ...]:
    if not final.is_file():
        return ()
    with open_aligned(final) as file:
        return held_frames(file, clip.id)


def _earlier(clip: Clip, final: Path, stamps: Stamps) -> ClipFaces | None:
    """Return what an earlier run made of a clip, where its frames are among those wanted and their files the same."""
    if not final.is_file():
        return None
    with open_aligned(final) as file:
        if clip.id not in file:
            return None
        earlier = file.clip(clip.id)
        same = earlier.reference == clip.onset and earlier.stamps.items() <= stamps.items()
        return file.faces(clip.id) if same else None


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

    points = region_points(face.landmarks, scheme_in_use(config))
    numbers = sorted(warped)
    return flags(
        score=face.score,
        turn=turn_of(points["image_left_eye"], points["image_right_eye"]),
        residual=face.residual if config.backend != "none" else 0.0,  # nothing was fitted
        image=reference,
        frames=[warped[number] for number in numbers],
        numbers=numbers,
    )


def _lost(
    clip: Clip, root: Path, wanted: list[int], face: ClipFaces, config: AlignConfig, device: str
) -> tuple[int, ...]:
    """Return the frames in which the face that was aligned is not seen."""
    from merprep.faces.backends.base import DetectedFace, FaceBox
    from merprep.faces.following import lost_frames
    from merprep.faces.geometry import apply, inverse
    from merprep.faces.reading import read_frames

    # The transform sets the face upright; before it the face was turned the other way.
    angle = -float(np.arctan2(face.transform[1, 0], face.transform[0, 0]))
    x, y, width, height = map(float, face.box)
    landmarks = apply(inverse(face.transform), face.landmarks.astype(np.float64))
    known = DetectedFace(FaceBox(x, y, width, height, face.score, angle), landmarks, scheme_in_use(config), face.score)
    others = [number for number in wanted if number != clip.onset]
    finder = backend(config.backend, device=device, landmarks=config.landmarks)
    return lost_frames(zip(others, read_frames(root, clip.frames, others), strict=True), finder, known)


def _loss(clip: Clip, wanted: list[int], lost: tuple[int, ...] | None) -> list[str]:
    from merprep.faces.following import frames_in_words

    if not lost:
        return []
    keys = [name for name, number in (("apex", clip.apex), ("offset", clip.offset)) if number in lost]
    among = f", {' and '.join(keys)} among them" if keys else ""
    return [f"the face is lost in {frames_in_words(lost, wanted)}{among}"]


def scheme_in_use(config: AlignConfig) -> str:
    """Return what the landmarks of a configuration are."""
    return scheme_of(config.backend) or backend(config.backend, landmarks=config.landmarks).scheme


def _other_shape(clip: Clip, number: int, found: tuple[int, ...], expected: tuple[int, ...]) -> ImageError:
    return ImageError(
        "A frame has another shape than the onset frame",
        where=clip.frames.path(number),
        expected=str(expected),
        found=str(found),
    )
