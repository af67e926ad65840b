"""Fills the files of a planned clip: rendered frames, or one tiny valid image many times."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from merprep.databases.spec import ImageSpec
from merprep.errors import StoreError
from merprep.synthetic.plans import ClipPlan

Frames = Literal["all", "key", "stub"]
_STUB = (8, 8)
_STUB_VIDEO = (64, 48)


def write_clip(
    root: Path,
    plan: ClipPlan,
    image: ImageSpec,
    *,
    frames: Frames,
    size: tuple[int, int] | None,
    seed: int,
    amplitude: float = 1.0,
) -> tuple[str, ...]:
    """Write the frames of one clip.

    Returns
    -------
    tuple of str
        The action units that were rendered; empty for stubs.
    """
    (root / plan.folder).mkdir(parents=True, exist_ok=True)
    rendered = _chosen(plan, frames)
    if plan.frames.is_video:
        return write_recording(root, [plan], image, frames=frames, size=size, seed=seed, amplitude=amplitude)[0]
    suffix = Path(plan.file).suffix
    stub = stub_bytes(suffix, image.colour)
    for number in plan.frames.numbers:
        path = root / plan.frames.path(number)
        # What another clip of the same recording rendered stays.
        if number not in rendered and not (plan.video and path.exists()):
            _write(path, stub)
    if not rendered:
        return ()
    clip = _render(plan, image, rendered, size or (image.width, image.height), seed, amplitude)
    for number in rendered:
        picture = clip.frame(_index(plan, number))
        _write(root / plan.frames.path(number), encode(picture, suffix))
    units: tuple[str, ...] = clip.action_units
    return units


def _chosen(plan: ClipPlan, frames: Frames) -> list[int]:
    present = plan.frames.numbers
    if frames == "stub":
        return []
    if frames == "all":
        return list(present)
    wanted = {plan.onset, plan.peak, plan.offset, plan.last}
    return [number for number in present if number in wanted]


def _render(
    plan: ClipPlan, image: ImageSpec, numbers: Iterable[int], size: tuple[int, int], seed: int, amplitude: float
) -> Any:
    from merprep.synthetic.render import render_clip

    length = max(plan.offset - plan.first + 1, 3)
    # A clip whose annotated apex is its first or last frame moves too.
    apex = min(max(plan.peak - plan.first, 1), length - 2)
    only = sorted({_index(plan, number) for number in numbers})
    return render_clip(
        plan.emotion,
        subject=plan.face,
        n_frames=length,
        apex=apex,
        size=size,
        amplitude=amplitude,
        seed=plan.seed(seed),
        colour=image.colour,
        only=only,
    )


def _index(plan: ClipPlan, number: int) -> int:
    """Return the place of a frame in its rendered clip; after the offset the face keeps still."""
    if plan.first == plan.last:
        return 1  # a clip of one image shows the apex
    return min(number, max(plan.offset, plan.first)) - plan.first


def write_recording(
    root: Path,
    plans: Sequence[ClipPlan],
    image: ImageSpec,
    *,
    frames: Frames,
    size: tuple[int, int] | None,
    seed: int,
    amplitude: float = 1.0,
) -> list[tuple[str, ...]]:
    """Write one video file that holds one clip or several; frames that are not rendered are grey.

    Returns
    -------
    list of tuple of str
        The action units that were rendered, by clip; empty for stubs.
    """
    import cv2

    size = (size or (image.width, image.height)) if frames != "stub" else _STUB_VIDEO
    clips = [
        _render(plan, image, rendered, size, seed, amplitude) for plan in plans if (rendered := _chosen(plan, frames))
    ]
    shown = {
        number: clip.frame(_index(plan, number))
        for plan, clip in zip(plans, clips, strict=False)
        for number in _chosen(plan, frames)
    }
    first, last = plans[0], max(plan.last for plan in plans)
    path = root / first.frames.path(first.first)
    path.parent.mkdir(parents=True, exist_ok=True)
    code = "mp4v" if path.suffix == ".mp4" else "MJPG"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), first.fps or 25.0, size)
    if not video.isOpened():
        raise StoreError("This OpenCV cannot write videos", where=str(path))
    grey = np.full((size[1], size[0], 3), 127, np.uint8)
    for number in range(first.begins, last + 1):
        picture = shown.get(number, grey)
        video.write(picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    video.release()
    return [clip.action_units for clip in clips] or [() for _ in plans]


@cache
def stub_bytes(suffix: str, colour: bool) -> bytes:
    """Return the smallest valid image of a kind, encoded.

    Examples
    --------
    >>> stub_bytes(".bmp", True)[:2]
    b'BM'
    """
    shape = (*_STUB, 3) if colour else _STUB
    return encode(np.full(shape, 127, np.uint8), suffix)


def encode(picture: NDArray[np.uint8], suffix: str) -> bytes:
    """Return an image as the bytes of a file of this kind, JPEG at quality 95."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
    worked, data = cv2.imencode(suffix, picture, options)
    if not worked:
        raise StoreError(f"An image cannot be encoded as {suffix}")
    encoded: bytes = data.tobytes()
    return encoded


def write_stubs(root: Path, names: Collection[str], suffix: str, colour: bool) -> None:
    """Write tiny images under the given names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        _write(root / name, stub_bytes(suffix, colour))


def _write(path: Path, data: bytes) -> None:
    # Thousands of files: the plain call is several times as fast as Path.write_bytes with its checks.
    with open(path, "wb", buffering=0) as stream:  # noqa: PTH123
        stream.write(data)
