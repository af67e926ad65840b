"""A clip as it moves: the face, and the flow and strain since the onset, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ImageError, UsageError
from merprep.flow import strain
from merprep.report.clip_figure import LEAST_BOUND, high
from merprep.report.clip_motion import ClipMotion
from merprep.report.colours import colour_wheel, flow_colours, hsv_to_rgb
from merprep.report.raster import heat_palette
from merprep.store.workspace import written_whole

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

Pixels = NDArray[np.uint8]
Course = NDArray[np.floating[Any]]

FORMATS = (".gif", ".webp", ".mp4")
_PAPER, _INK, _FAINT = (255, 255, 255), (27, 31, 36), (190, 196, 202)
_MARK, _BOX = (37, 116, 181), (255, 210, 63)
_GAP, _TOP, _COURSE = 8, 26, 64
_WHEEL = 36
# The apex is what the eye should rest on, and the last frame what it should know the end by.
_HOLD = 4


def write_animation(motion: ClipMotion, path: Path, *, rate: float = 8.0) -> Path:
    """Write a clip as an animation, in the format of the path's suffix.

    GIF and WebP are written by Pillow, MP4 (MPEG-4 part 2) by OpenCV.

    Parameters
    ----------
    motion : ClipMotion
        From onset to offset.
    path : Path
        A ``.gif``, ``.webp`` or ``.mp4``.
    rate : float
        Frames a second.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UsageError
        Where the suffix is none of `FORMATS`, or the rate is not above 0.
    ImageError
        Where this build of OpenCV writes no MP4.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError("Animations are written by the suffix of their file", expected=known, found=str(path))
    if not rate > 0:
        raise UsageError("An animation needs a rate above 0 frames a second", found=str(rate))
    pictures = list(_pictures(motion))
    held = [_HOLD if number in (motion.clip.apex, motion.numbers[-1]) else 1 for number in motion.numbers]
    with written_whole(path) as temporary:
        if suffix == ".mp4":
            _write_mp4(pictures, held, rate, temporary)
        else:
            _write_pillow(pictures, held, rate, temporary, suffix)
    return path


def _write_pillow(pictures: list[Pixels], held: list[int], rate: float, path: Path, suffix: str) -> None:
    from PIL import Image as Images

    images = [Images.fromarray(picture) for picture in pictures]
    options: dict[str, Any] = {"quality": 88}
    if suffix == ".gif":
        palette = _gif_palette(images[0])
        images = [image.quantize(palette=palette, dither=Images.Dither.NONE) for image in images]
        options = {"optimize": False, "disposal": 1}
    times = [round(1000.0 / rate * count) for count in held]
    options |= {"save_all": True, "append_images": images[1:], "duration": times, "loop": 0}
    images[0].save(path, format=suffix[1:].upper(), **options)


def _gif_palette(sheet: Image) -> Image:
    """Return the 256 colours of a GIF, the same for all frames: of flow, of heat, of ink, and the rest for the face."""
    from PIL import Image as Images

    hue, saturation = np.meshgrid(np.arange(24) / 24.0, np.array([0.12, 0.35, 0.6, 1.0]))
    flow = np.rint(hsv_to_rgb(hue.ravel(), saturation.ravel()) * 255).astype(np.uint8)
    known = np.concatenate([flow, heat_palette()[::5], np.array([_PAPER, _INK, _FAINT, _MARK, _BOX], np.uint8)])
    face = sheet.crop((_GAP, _TOP, _GAP + (sheet.width - 4 * _GAP) // 3, sheet.height - _COURSE - 2 * _GAP))
    taken = face.quantize(256 - len(known)).getpalette() or []
    palette = Images.new("P", (1, 1))
    palette.putpalette([*known.ravel().tolist(), *taken[: 3 * (256 - len(known))]])
    return palette


def _write_mp4(pictures: list[Pixels], held: list[int], rate: float, path: Path) -> None:
    import cv2

    height, width = (side - side % 2 for side in pictures[0].shape[:2])
    # OpenCV goes by the suffix, which a temporary name lacks.
    target = path.with_suffix(".mp4")
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height))
    if not writer.isOpened():
        raise ImageError("This build of OpenCV writes no MP4", where=str(path), mend="choose .gif or .webp")
    for picture, count in zip(pictures, held, strict=True):
        for _ in range(count):
            writer.write(np.ascontiguousarray(picture[:height, :width, ::-1]))
    writer.release()
    target.replace(path)


def _pictures(motion: ClipMotion) -> Iterator[Pixels]:
    """Draw each frame, RGB: face, flow and strain side by side, the course of the motion below."""
    size = motion.frames.shape[1]
    still = np.zeros((1, 2, size, size), np.float32)
    fields = np.concatenate([still, motion.fields()])
    strains = strain(fields)
    bound = max(high(np.hypot(fields[:, 0], fields[:, 1])), LEAST_BOUND)
    most = high(strains)
    course = np.percentile(np.hypot(fields[:, 0], fields[:, 1]).reshape(len(fields), -1), 95.0, axis=1)
    palette = heat_palette()
    for index, frame in enumerate(motion.frames):
        heat = palette[np.rint(np.clip(strains[index] / most, 0.0, 1.0) * 255).astype(np.uint8)]
        colours = np.rint(flow_colours(fields[index], bound) * 255).astype(np.uint8)
        yield _composed(motion, index, (_rgb(frame), colours, heat), course, (bound, most))


def _composed(
    motion: ClipMotion, index: int, panels: tuple[Pixels, ...], course: Course, scales: tuple[float, float]
) -> Pixels:
    from PIL import Image, ImageFont
    from PIL.ImageDraw import Draw

    size = panels[0].shape[0]
    sheet = Image.new("RGB", (3 * size + 4 * _GAP, _TOP + size + _COURSE + 2 * _GAP), _PAPER)
    pen = Draw(sheet)
    font = ImageFont.load_default(12)
    flow_title = f"flow since onset (full colour {scales[0]:.2f} px)"
    titles = (_frame_title(motion, index), flow_title, f"strain (to {scales[1]:.3f} px/px)")
    for column, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        left = _GAP + column * (size + _GAP)
        sheet.paste(Image.fromarray(panel), (left, _TOP))
        pen.text((left, 6), title, fill=_INK, font=font)
    for box in motion.boxes:
        pen.rectangle([_GAP + box[0], _TOP + box[1], _GAP + box[2] - 1, _TOP + box[3] - 1], outline=_BOX)
    wheel = Image.fromarray(np.rint(colour_wheel(_WHEEL) * 255).astype(np.uint8))
    sheet.paste(wheel, (2 * _GAP + 2 * size - _WHEEL - 2, _TOP + size - _WHEEL - 2), wheel)
    _draw_course(pen, motion, index, course, (_GAP, _TOP + size + _GAP, sheet.width - _GAP, sheet.height - _GAP))
    return np.asarray(sheet)


def _frame_title(motion: ClipMotion, index: int) -> str:
    number, clip = motion.numbers[index], motion.clip
    names = {clip.onset: " (onset)", clip.offset: " (offset)", clip.apex: " (apex)"}
    return f"frame {number}{names.get(number, '')}"


def _draw_course(
    pen: ImageDraw, motion: ClipMotion, index: int, course: Course, box: tuple[int, int, int, int]
) -> None:
    """Draw how far the strongest twentieth has moved by each frame, up to this one in full ink."""
    left, top, right, bottom = box
    first, last = motion.numbers[0], motion.numbers[-1]
    tall = max(float(course.max()), LEAST_BOUND)
    x = [left + (number - first) / max(last - first, 1) * (right - left) for number in motion.numbers]
    y = [bottom - value / tall * (bottom - top - 14) for value in course]
    pen.line([(left, bottom), (right, bottom)], fill=_FAINT)
    if motion.clip.apex in motion.numbers:
        at = x[motion.numbers.index(motion.clip.apex)]
        pen.line([(at, top), (at, bottom)], fill=_FAINT)
    points = list(zip(x, y, strict=True))
    pen.line(points, fill=_FAINT, width=2)
    pen.line(points[: index + 1], fill=_MARK, width=2)
    pen.ellipse([x[index] - 4, y[index] - 4, x[index] + 4, y[index] + 4], fill=_MARK)


def _rgb(image: Pixels) -> Pixels:
    return np.repeat(image[..., np.newaxis], 3, axis=2) if image.ndim == 2 else image[..., ::-1]
