"""One card a clip: flow in colours, strain as heat, the four regions; the face itself only where it was asked for."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from merprep.faces import region_points
from merprep.faces.outlines import outlines
from merprep.features import anatomical_boxes, five_points, mosaic
from merprep.flow import strain as strain_of
from merprep.flow import to_grey
from merprep.records import Clip
from merprep.report import raster
from merprep.report.blocks import Figure, slug
from merprep.report.motion import fields_between, is_outlined
from merprep.report.svg import INK, drawing, rect, tag, text
from merprep.store import FeatureFile, open_features
from merprep.store.aligned import AlignedFile, open_aligned

Maps = NDArray[np.float32]

_SIDE = 224
_GAP = 10
_LEGEND = 62
_WIDTH = 2 * _SIDE + _GAP
ON_FLOW, ON_FACE = "#111111", "#ffd23f"
# Motion below this is the flow's own noise; the colours are not stretched over it.
_LEAST_BOUND = 0.2


class Gallery:
    """Draws cards of clips from a feature file and the aligned faces that it was made from.

    Parameters
    ----------
    features, aligned : Path
    faces : bool
        Whether pixels of persons may be shown.
    """

    def __init__(self, features: Path, aligned: Path, *, faces: bool) -> None:
        self._stack = ExitStack()
        self.faces = faces
        self.features: FeatureFile = self._stack.enter_context(open_features(features))
        self.aligned: AlignedFile = self._stack.enter_context(open_aligned(aligned))
        self._rows = {str(name): row for row, name in enumerate(self.features.clips["id"])}

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def has(self, clip: Clip) -> bool:
        """Whether both files hold the frames that the clip's flow is between."""
        first, second = self.ends(clip)
        if clip.id not in self.aligned or clip.id not in self._rows or first is None or second is None:
            return False
        return {first, second} <= set(self.aligned.numbers(clip.id))

    def ends(self, clip: Clip) -> tuple[int | None, int | None]:
        """Return the two frames that the feature file's flow is between."""
        pair = str(self.features.config.get("pair", "onset-apex"))
        return (clip.apex, clip.offset) if pair == "apex-offset" else (clip.onset, clip.apex)

    def card(self, clip: Clip, strength: float) -> Figure:
        """Draw one clip."""
        first, second = self.ends(clip)
        frames = self.aligned.frames(clip.id, [number for number in (first, second) if number is not None])
        grey, landmarks = to_grey(frames), self.aligned.landmarks(clip.id)
        [field] = fields_between(grey[:1], grey[1:], landmarks, self.aligned.scheme, self.features.config)
        strain = strain_of(field)
        bound = max(float(np.percentile(np.hypot(field[0], field[1]), 99.5)), _LEAST_BOUND)
        most = max(float(np.percentile(strain, 99.5)), 1e-6)
        top = 22 if not self.faces else _SIDE + 50
        parts = self._face_panels(clip, frames) if self.faces else []
        parts += self._panel(
            0, top, "flow", raster.flow_picture(field, bound), self._marks(clip, frames.shape[1], ON_FLOW)
        )
        parts += self._panel(1, top, "optical strain", raster.heat_picture(strain, most), Markup(""))
        below = top + _SIDE + 28
        parts += self._region_panels(clip, below, bound)
        parts += legend(below + _SIDE + 8, bound, most)
        told = self._told(clip, strength)
        svg = drawing(_WIDTH, below + _SIDE + 8 + _LEGEND, f"Flow and strain of {clip.id}", told, *parts)
        return Figure(svg, f"{clip.id}: {told}", slug(clip.id))

    def _told(self, clip: Clip, strength: float) -> str:
        pair = str(self.features.config.get("pair", "onset-apex")).replace("-", " to ")
        first, second = self.ends(clip)
        details = [
            clip.emotion or "no emotion",
            f"AU {clip.action_units}" if clip.action_units else "",
            f"{pair}: frames {first} to {second} (apex {clip.apex_source})",
            f"strength {strength:.2f} px",
        ]
        return ", ".join(part for part in details if part)

    def _face_panels(self, clip: Clip, frames: NDArray[np.uint8]) -> list[Markup]:
        names = str(self.features.config.get("pair", "onset-apex")).split("-")
        parts: list[Markup] = []
        for column, (name, frame) in enumerate(zip(names, frames, strict=True)):
            marks = self._marks(clip, frames.shape[1], ON_FACE) if column == 0 else Markup("")
            parts += self._panel(column, 22, name, raster.face_picture(frame), marks)
        return parts

    def _panel(self, column: int, top: float, title: str, picture: str, marks: Markup) -> list[Markup]:
        x = column * (_SIDE + _GAP)
        image = tag("image", href=picture, x=x, y=top, width=_SIDE, height=_SIDE, preserveAspectRatio="none")
        # A drawing inside the drawing: outlines that leave the face's square are cut off at its border.
        frame = tag("svg", marks, x=x, y=top, width=_SIDE, height=_SIDE, viewBox=f"0 0 {_SIDE} {_SIDE}")
        return [_title(x, top, title), image, frame, edge(x, top)]

    def _region_panels(self, clip: Clip, top: float, bound: float) -> list[Markup]:
        """Draw the four regions as they are stored: eyes above, corners of the mouth below."""
        name = "anatomical" if "anatomical" in self.features.regions else next(iter(self.features.regions), "")
        if not name:
            return []
        stored = self.features.regions[name][self._rows[clip.id]]
        maps = mosaic(stored)
        channels = {channel: maps[index] for index, channel in enumerate(self.features.channels)}
        parts: list[Markup] = []
        if {"u", "v"} <= channels.keys():
            picture = raster.flow_picture(np.stack([channels["u"], channels["v"]]), bound)
            parts += self._mosaic(0, top, f"regions, {name}", picture)
        if "strain" in channels:
            # Averages over cells are smaller than the strain itself, so they have a scale of their own.
            own = max(float(channels["strain"].max()), 1e-6)
            picture = raster.heat_picture(channels["strain"], own)
            parts += self._mosaic(1, top, f"strain, to {own:.3f} px/px", picture)
        return parts

    def _mosaic(self, column: int, top: float, title: str, picture: str) -> list[Markup]:
        x = column * (_SIDE + _GAP)
        half = _SIDE / 2
        image = tag("image", href=picture, x=x, y=top, width=_SIDE, height=_SIDE, image_rendering="pixelated")
        cross = tag("path", d=f"M{x + half} {top}v{_SIDE}M{x} {top + half}h{_SIDE}", stroke="#8a9096", stroke_width=2)
        return [_title(x, top, title), image, cross, edge(x, top)]

    def _marks(self, clip: Clip, size: int, ink: str) -> Markup:
        return marks_of(self.aligned.landmarks(clip.id), self.aligned.scheme, size, ink)


def marks_of(landmarks: NDArray[np.float32], scheme: str, size: int, ink: str) -> Markup:
    """Draw the outlines of a face's parts, which show nobody's looks, and the four regions, on a panel.

    Parameters
    ----------
    landmarks : (P, 2) float32
        (x, y) in pixels of the aligned face.
    scheme : str
        What they are.
    size : int
        Side of the aligned face, px.
    ink : str
        A colour.
    """
    scale = _SIDE / size
    parts = [_outline(landmarks[indices] * scale, ink) for indices in _outlines(scheme)]
    points = five_points(region_points(landmarks, scheme))
    for left, up, right, down in anatomical_boxes(points, (size, size)):
        place = (left * scale, up * scale, (right - left) * scale, (down - up) * scale)
        parts.append(rect(*place, fill="none", stroke=ink, stroke_opacity=0.7, stroke_dasharray="4 3"))
    return Markup("").join(parts)


def face_figure(image: NDArray[np.uint8], marks: Markup, title: str, caption: str) -> Figure:
    """Draw one aligned face, grey or BGR, with its marks."""
    picture = tag("image", href=raster.face_picture(image), x=0, y=0, width=_SIDE, height=_SIDE)
    return Figure(drawing(_SIDE, _SIDE, title, caption, picture, marks), caption, slug(title))


def edge(x: float, top: float, side: float = _SIDE) -> Markup:
    """Draw the border of a map, which may be as white as the paper."""
    return rect(x, top, side, side, fill="none", stroke=INK, stroke_opacity=0.3)


def _title(x: float, top: float, title: str) -> Markup:
    return text(x, top - 6, title, size=15)


def _outlines(scheme: str) -> list[list[int]]:
    return list(outlines(scheme).values()) if is_outlined(scheme) else []


def _outline(points: Maps, ink: str) -> Markup:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
    return tag("path", d=path, fill="none", stroke=ink, stroke_opacity=0.55, stroke_width=1)


def legend(top: float, bound: float, most: float) -> list[Markup]:
    """Draw the scales of flow and strain, for a card of two columns."""
    wheel = tag("image", href=raster.wheel_picture(), x=0, y=top, width=52, height=52)
    scale = tag(
        "image", href=raster.heat_scale(), x=_SIDE + _GAP, y=top + 6, width=_SIDE, height=12, preserveAspectRatio="none"
    )
    x = _SIDE + _GAP
    return [
        wheel,
        text(60, top + 20, f"full colour: {bound:.2f} px", size=14),
        text(60, top + 39, "hue: where to", size=14),
        scale,
        text(x, top + 35, "0", size=14),
        text(x + _SIDE, top + 35, f"{most:.3f} px/px", size=14, anchor="end"),
    ]
