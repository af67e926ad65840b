"""What figures of one clip are drawn from: its aligned frames, its landmarks and the settings of flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import StoreError
from merprep.faces import AlignConfig, region_points
from merprep.faces.alignment import warp_frame
from merprep.faces.reading import read_frames
from merprep.features import FlowConfig, anatomical_boxes, five_points
from merprep.flow import to_grey
from merprep.records import Clip
from merprep.report.motion import fields_between
from merprep.store import Workspace, open_features, read_manifest
from merprep.store.aligned import AlignedFile, open_aligned

Boxes = list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class ClipMotion:
    """Frames of one clip, aligned, and how flow between them is computed.

    Parameters
    ----------
    clip : Clip
    numbers : tuple of int
        File numbers of the frames, the onset first.
    frames : (T, S, S) or (T, S, S, 3) uint8
        Grey or BGR.
    landmarks : (P, 2) float32
        (x, y) in aligned pixels.
    scheme : str
        What the landmarks are.
    config : mapping
        Settings of flow; see `merprep.features.FlowConfig`.
    """

    clip: Clip
    numbers: tuple[int, ...]
    frames: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    scheme: str
    config: Mapping[str, Any]

    @property
    def boxes(self) -> Boxes:
        """The four regions, (left, top, right, bottom) in aligned pixels."""
        points = five_points(region_points(self.landmarks, self.scheme))
        return anatomical_boxes(points, self.frames.shape[1:])

    def fields(self, method: str | None = None) -> NDArray[np.float32]:
        """Return the flow from the first frame to each of the others, (T - 1, 2, S, S), px.

        Parameters
        ----------
        method : str, optional
            With its default parameters, in place of the configured one.
        """
        grey = to_grey(self.frames)
        config = self.config if method is None else {**self.config, "method": method, "parameters": {}}
        first = np.repeat(grey[:1], len(grey) - 1, axis=0)
        return fields_between(first, grey[1:], self.landmarks, self.scheme, config)

    @property
    def told(self) -> str:
        """The clip, its emotion and its key frames, for a title."""
        clip = self.clip
        details = [
            clip.emotion or "no emotion",
            f"AU {clip.action_units}" if clip.action_units else "",
            f"onset {clip.onset}, apex {clip.apex} ({clip.apex_source})",
        ]
        return f"{clip.id} — " + ", ".join(part for part in details if part)


def key_motion(workspace: Workspace, clip_id: str, method: str | None = None) -> ClipMotion:
    """Return onset and apex of a clip.

    Raises
    ------
    StoreError
        Where the clip's faces were not aligned, or it has no apex.
    """
    clip = read_manifest(workspace).clip(clip_id)
    if clip.onset is None or clip.apex is None:
        raise StoreError(
            "The clip has no apex, so there is no motion from onset to apex to draw",
            where=clip.id,
            mend="annotate an apex, run `merprep spot`, or choose another clip",
        )
    with aligned_file_of(workspace, clip) as aligned:
        numbers = (clip.onset, clip.apex)
        return _motion(workspace, aligned, clip, numbers, aligned.frames(clip.id, numbers), method)


def whole_motion(workspace: Workspace, clip_id: str, method: str | None = None, *, most: int = 60) -> ClipMotion:
    """Return a clip from onset to offset; frames that are not in the aligned file are aligned from the raw ones.

    Parameters
    ----------
    workspace : Workspace
    clip_id : str
    method : str, optional
    most : int
        Longer clips are sampled evenly; onset and apex stay.

    Raises
    ------
    StoreError
        Where the clip's faces were not aligned, or it has no onset or too few frames.
    ImageError
        Where a raw frame is needed and cannot be read.
    """
    manifest = read_manifest(workspace)
    clip = manifest.clip(clip_id)
    with aligned_file_of(workspace, clip) as aligned:
        numbers = _numbers(clip, most)
        present = set(aligned.numbers(clip.id))
        if set(numbers) <= present:
            frames = aligned.frames(clip.id, numbers)
        else:
            config = AlignConfig.read(aligned.config, where=str(aligned.path))
            transform = aligned.transform(clip.id)
            reference = aligned.frames(clip.id, [aligned.reference(clip.id)])[0]
            raw = read_frames(manifest.root_of(clip), clip.frames, numbers)
            frames = np.stack([warp_frame(image, reference, transform, config) for image in raw])
        return _motion(workspace, aligned, clip, numbers, frames, method)


def _motion(
    workspace: Workspace,
    aligned: AlignedFile,
    clip: Clip,
    numbers: Sequence[int],
    frames: NDArray[np.uint8],
    method: str | None,
) -> ClipMotion:
    config = _settings(workspace, method)
    return ClipMotion(clip, tuple(numbers), frames, aligned.landmarks(clip.id), aligned.scheme, config)


def _settings(workspace: Workspace, method: str | None) -> Mapping[str, Any]:
    """Return the settings of the feature file that was made last, those of a method, or the default ones."""
    if method is not None:
        return FlowConfig(method=method).model_dump(mode="json")
    for path in workspace.feature_files():
        with open_features(path) as file:
            if "method" in file.config:
                return file.config
    return FlowConfig().model_dump(mode="json")


def _numbers(clip: Clip, most: int) -> tuple[int, ...]:
    """Return the frames from onset to offset, evenly thinned, with the apex."""
    from merprep.temporal import uniform_indices

    first = clip.onset
    last = clip.offset if clip.offset is not None else max(clip.frames.numbers, default=None)
    if first is None or last is None:
        raise StoreError("The clip has no onset, so there is nothing to animate from", where=clip.id)
    inside = [number for number in clip.frames.numbers if first <= number <= last]
    if len(inside) < 2 or inside[0] != first:
        raise StoreError(
            "The clip has too few frames from onset to offset to animate",
            where=clip.id,
            expected="two or more, the onset among them",
            found=str(len(inside)),
        )
    taken = {inside[index] for index in uniform_indices(len(inside), min(most, len(inside)))}
    return tuple(number for number in inside if number in taken or number == clip.apex)


def aligned_file_of(workspace: Workspace, clip: Clip) -> AlignedFile:
    """Open the file of aligned faces, of those that have a clip, that was made last.

    Raises
    ------
    StoreError
        Where none has it.
    """
    files = [path for path in workspace.aligned_files() if path.name.startswith("aligned-")]
    for path in files:
        aligned = open_aligned(path)
        if clip.id in aligned:
            return aligned
        aligned.close()
    raise StoreError(
        "The clip's faces are not aligned",
        where=clip.id,
        found=clip.reason or f"{len(files)} files of aligned faces, none with this clip",
        mend="run `merprep align`; its report says why a clip was skipped",
    )
