"""One figure of one clip: onset, apex, landmarks, regions, flow and strain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from merprep.report.colours import colour_wheel, flow_colours
from merprep.store.workspace import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Motion below this is the flow's own noise; the colours are not stretched over it.
_LEAST_BOUND = 0.2


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
    boxes: list[tuple[int, int, int, int]]
    flow: NDArray[np.float32]
    strain: NDArray[np.float32]


def draw_clip(picture: ClipPicture, path: Path) -> Path:
    """Draw a clip as four panels and write a PNG.

    Returns
    -------
    Path
        `path`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 3.9), dpi=130, layout="constrained")
    panels = figure.subplots(1, 4)
    for panel in panels:
        panel.set_axis_off()
    _draw_face(panels[0], picture.onset, "onset, landmarks and regions")
    _draw_marks(panels[0], picture)
    _draw_face(panels[1], picture.apex, "apex")
    _draw_flow(panels[2], picture.flow)
    # A few pixels at the border of the picture would otherwise set the scale.
    image = panels[3].imshow(picture.strain, cmap="inferno", vmin=0.0, vmax=_high(picture.strain))
    panels[3].set_title("optical strain (1/px)", fontsize=9)
    figure.colorbar(image, ax=panels[3], fraction=0.046, pad=0.02, extend="max")
    figure.suptitle(picture.title, fontsize=10, parse_math=False)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png")
    return path


def _draw_face(axes: Axes, image: NDArray[np.uint8], title: str) -> None:
    if image.ndim == 2:
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    else:
        axes.imshow(image[..., ::-1])
    axes.set_title(title, fontsize=9)


def _high(values: NDArray[np.float32]) -> float:
    return max(float(np.percentile(values, 99.5)), 1e-6)


def _draw_marks(axes: Axes, picture: ClipPicture) -> None:
    from matplotlib.patches import Rectangle

    height, width = picture.onset.shape[:2]
    axes.plot(picture.landmarks[:, 0], picture.landmarks[:, 1], ".", markersize=1.5, color="#39d0ff", alpha=0.7)
    for left, top, right, bottom in picture.boxes:
        axes.add_patch(
            Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#ffd23f", linewidth=1.2)
        )
    # Landmarks may lie outside the face's square, which keeps its size.
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _draw_flow(axes: Axes, flow: NDArray[np.float32]) -> None:
    size = flow.shape[-1]
    bound = max(_high(np.hypot(flow[0], flow[1])), _LEAST_BOUND)
    axes.imshow(flow_colours(flow, bound))
    step = max(size // 20, 1)
    rows, columns = np.mgrid[step // 2 : size : step, step // 2 : size : step]
    u, v = flow[:, rows, columns]
    # An arrow as long as its cell stands for motion of `bound` px.
    axes.quiver(columns, rows, u, v, angles="xy", scale_units="xy", scale=bound / step, width=0.003, color="#00000088")
    legend = axes.inset_axes((0.80, 0.01, 0.19, 0.19))
    legend.imshow(colour_wheel(65))
    legend.set_axis_off()
    axes.set_title(f"flow, onset to apex (full colour = {bound:.2f} px)", fontsize=9)
