"""One figure of one clip: onset, apex, landmarks, regions, flow and strain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from merprep.errors import UsageError
from merprep.report.colours import colour_wheel, flow_colours
from merprep.store.workspace import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Box = tuple[int, int, int, int]

# Motion below this is the flow's own noise; the colours are not stretched over it.
LEAST_BOUND = 0.2
FORMATS = (".png", ".pdf", ".svg")


@dataclass(frozen=True)
class ClipPicture:
    """What is drawn of a clip, all in aligned pixels.

    Parameters
    ----------
    title : str
    onset, apex : (S, S) or (S, S, 3) uint8
        Grey or BGR, as the aligned file holds them.
    landmarks : (P, 2) float32
        (x, y).
    boxes : list of (left, top, right, bottom)
        Of each region.
    flow : (2, S, S) float32
    strain : (S, S) float32
    """

    title: str
    onset: NDArray[np.uint8]
    apex: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    boxes: list[Box]
    flow: NDArray[np.float32]
    strain: NDArray[np.float32]


def draw_clip(picture: ClipPicture, path: Path) -> Path:
    """Draw a clip as four panels.

    Parameters
    ----------
    picture : ClipPicture
    path : Path
        A PNG, or a PDF or SVG for print.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UsageError
        Where the suffix is none of these.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 3.9), dpi=130, layout="constrained")
    panels = figure.subplots(1, 4)
    for panel in panels:
        panel.set_axis_off()
    draw_face(panels[0], picture.onset, "onset, landmarks and regions")
    draw_marks(panels[0], picture.landmarks, picture.boxes, picture.onset.shape[:2])
    draw_face(panels[1], picture.apex, "apex")
    bound = max(high(np.hypot(picture.flow[0], picture.flow[1])), LEAST_BOUND)
    draw_flow(panels[2], picture.flow, bound, title=f"flow, onset to apex (full colour = {bound:.2f} px)")
    # A few pixels at the border of the picture would otherwise set the scale.
    image = draw_heat(panels[3], picture.strain, high(picture.strain), "optical strain (px/px)")
    figure.colorbar(image, ax=panels[3], fraction=0.046, pad=0.02, extend="max")
    figure.suptitle(picture.title, fontsize=10, parse_math=False)
    return save(figure, path)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole, in the format of the path's suffix.

    Raises
    ------
    UsageError
        Where the suffix is none of `FORMATS`.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError("Figures are written by the suffix of their file", expected=known, found=str(path))
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=suffix[1:])
    return path


def high(values: NDArray[np.floating]) -> float:
    """Return the value that all but one in two hundred lie below."""
    return max(float(np.percentile(values, 99.5)), 1e-6)


def draw_face(axes: Axes, image: NDArray[np.uint8], title: str) -> None:
    """Draw a face, grey or BGR."""
    if image.ndim == 2:
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    else:
        axes.imshow(image[..., ::-1])
    axes.set_title(title, fontsize=9)


def draw_marks(axes: Axes, landmarks: NDArray[np.float32], boxes: Sequence[Box], shape: tuple[int, ...]) -> None:
    """Draw landmarks and regions over a face of this height and width."""
    from matplotlib.patches import Rectangle

    axes.plot(landmarks[:, 0], landmarks[:, 1], ".", markersize=1.5, color="#39d0ff", alpha=0.7)
    for left, top, right, bottom in boxes:
        axes.add_patch(
            Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#ffd23f", linewidth=1.2)
        )
    # Landmarks may lie outside the face's square, which keeps its size.
    axes.set_xlim(-0.5, shape[1] - 0.5)
    axes.set_ylim(shape[0] - 0.5, -0.5)


def draw_heat(
    axes: Axes, values: NDArray[np.floating], most: float, title: str, *, colours: str = "inferno"
) -> AxesImage:
    """Draw a map from 0 to `most`."""
    image = axes.imshow(values, cmap=colours, vmin=0.0, vmax=most)
    axes.set_title(title, fontsize=9)
    return image


def draw_flow(axes: Axes, flow: NDArray[np.float32], bound: float, *, title: str) -> None:
    """Draw a flow field in colours and arrows; motion of `bound` px is fully coloured."""
    size = flow.shape[-1]
    axes.imshow(flow_colours(flow, bound))
    step = max(size // 20, 1)
    rows, columns = np.mgrid[step // 2 : size : step, step // 2 : size : step]
    u, v = flow[:, rows, columns]
    # An arrow as long as its cell stands for motion of `bound` px.
    axes.quiver(columns, rows, u, v, angles="xy", scale_units="xy", scale=bound / step, width=0.003, color="#00000088")
    legend = axes.inset_axes((0.80, 0.01, 0.19, 0.19))
    legend.imshow(colour_wheel(65))
    legend.set_axis_off()
    axes.set_title(title, fontsize=9)
