"""The mean motion of each class, from the maps as they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from merprep.report import raster
from merprep.report.blocks import Figure, slug
from merprep.report.gallery import edge, legend
from merprep.report.svg import drawing, tag, text
from merprep.store import FeatureFile

Maps = NDArray[np.float32]

_SIDE = 224
_GAP = 10
_TOP = 22
# One arrow for so many stored cells a side.
_ARROWS = 14
_SHORTEST = 2.5


def class_means(file: FeatureFile, members: Mapping[str, Sequence[int]]) -> dict[str, Maps]:
    """Return the mean map of each class, (C, H, W), as stored.

    Parameters
    ----------
    file : FeatureFile
    members : mapping of str to sequence of int
        By class, the rows of its clips, ascending; a class without clips is left out.
    """
    means = {}
    for name, rows in members.items():
        if rows:
            total = np.zeros(file.features.shape[1:], np.float64)
            for start in range(0, len(rows), 512):
                total += file.features[list(rows[start : start + 512])].sum(axis=0, dtype=np.float64)
            means[name] = (total / len(rows)).astype(np.float32)
    return means


def mean_figures(means: Mapping[str, Maps], counts: Mapping[str, int], channels: Sequence[str]) -> tuple[Figure, ...]:
    """Draw the mean flow and strain of each class, all on one scale so that classes can be compared.

    Parameters
    ----------
    means : mapping of str to (C, H, W)
    counts : mapping of str to int
        How many clips each mean is over.
    channels : sequence of str
        With ``u`` and ``v``, and ``strain`` if it is to be drawn.
    """
    place = {name: index for index, name in enumerate(channels)}
    flows = {name: maps[[place["u"], place["v"]]] for name, maps in means.items()}
    strains = {name: maps[place["strain"]] for name, maps in means.items()} if "strain" in place else {}
    bound = max((float(np.hypot(*flow).max()) for flow in flows.values()), default=0.0) or 1e-6
    most = max((float(values.max()) for values in strains.values()), default=0.0) or 1e-6
    return tuple(_figure(name, flow, strains.get(name), (bound, most), counts[name]) for name, flow in flows.items())


def level_figures(
    means: Mapping[str, Maps], counts: Mapping[str, int], channels: Sequence[str], units: Sequence[str]
) -> tuple[Figure, ...]:
    """Draw the mean of each channel as it is, for maps that are no flow in pixels; classes share each channel's scale.

    Parameters
    ----------
    means : mapping of str to (C, H, W)
    counts : mapping of str to int
    channels, units : sequence of str
    """
    together = np.stack(list(means.values())) if means else np.zeros((1, len(channels), 1, 1), np.float32)
    low, high = together.min(axis=(0, 2, 3)), together.max(axis=(0, 2, 3))
    figures = []
    for name, maps in means.items():
        parts = []
        for index, (channel, unit) in enumerate(zip(channels, units, strict=True)):
            x = index * (_SIDE + _GAP)
            told = f"{channel}, {low[index]:.3g} to {high[index]:.3g} {unit}"
            picture = raster.level_picture(maps[index], float(low[index]), float(high[index]))
            parts += [text(x, 16, told, size=15), _picture(x, picture), edge(x, _TOP)]
        title = f"{name}, mean over {counts[name]} clips"
        width = len(channels) * (_SIDE + _GAP) - _GAP
        svg = drawing(width, _TOP + _SIDE + 4, f"Mean maps of {name}", f"{title}: {', '.join(channels)}", *parts)
        figures.append(Figure(svg, title, slug(f"mean-{name}")))
    return tuple(figures)


def _figure(name: str, flow: Maps, strain: Maps | None, scales: tuple[float, float], count: int) -> Figure:
    bound, most = scales
    where = np.unravel_index(int(np.hypot(*flow).argmax()), flow.shape[1:])
    size = flow.shape[-1]
    parts = [
        text(0, 16, "mean flow", size=15),
        _picture(0, raster.flow_picture(_enlarged(flow), bound)),
        _arrows(flow, bound),
        edge(0, _TOP),
    ]
    if strain is not None:
        picture = raster.heat_picture(_enlarged(strain[np.newaxis])[0], most)
        parts += [text(_SIDE + _GAP, 16, "mean optical strain", size=15), _picture(_SIDE + _GAP, picture)]
    parts += legend(_TOP + _SIDE + 8, bound, most)
    u, v = (float(channel[where]) for channel in flow)
    told = (
        f"{name}, mean over {count} clips; largest {np.hypot(u, v):.2f} px (u {u:+.2f}, v {v:+.2f}) at "
        f"x {(where[1] + 0.5) / size:.0%}, y {(where[0] + 0.5) / size:.0%} of the face"
    )
    svg = drawing(2 * _SIDE + _GAP, _TOP + _SIDE + 8 + 62, f"Mean motion of {name}", told, *parts)
    return Figure(svg, told, slug(f"mean-{name}"))


def _picture(x: float, picture: str) -> Markup:
    return tag("image", href=picture, x=x, y=_TOP, width=_SIDE, height=_SIDE)


def _enlarged(maps: Maps) -> Maps:
    import cv2

    return np.stack([cv2.resize(np.asarray(m), (_SIDE // 2, _SIDE // 2), interpolation=cv2.INTER_LINEAR) for m in maps])


def _arrows(flow: Maps, bound: float) -> Markup:
    """Draw lines that start at a dot; one as long as its cell stands for `bound` px."""
    size = flow.shape[-1]
    step = max(size // _ARROWS, 1)
    cell = _SIDE / size
    shafts, tails = [], []
    for y in range(step // 2, size, step):
        for x in range(step // 2, size, step):
            dx, dy = (float(channel[y, x]) / bound * cell * step for channel in flow)
            if np.hypot(dx, dy) >= _SHORTEST:
                tail = f"M{(x + 0.5) * cell:.1f} {(y + 0.5) * cell + _TOP:.1f}"
                shafts.append(f"{tail}l{dx:.1f} {dy:.1f}")
                tails.append(f"{tail}h0")
    drawn = tag("path", d="".join(shafts) or "M0 0", stroke="#111111", stroke_width=1.2, fill="none")
    return drawn + tag("path", d="".join(tails) or "M0 0", stroke="#111111", stroke_width=3, stroke_linecap="round")
