"""Two flow methods side by side, on one scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from merprep.flow import strain
from merprep.report.clip_figure import LEAST_BOUND, draw_face, draw_flow, draw_heat, draw_marks, high, save
from merprep.report.clip_motion import ClipMotion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Flow = NDArray[np.float32]


def draw_comparison(motion: ClipMotion, methods: tuple[str, str], flows: tuple[Flow, Flow], path: Path) -> Path:
    """Draw onset, both flows and both strains on the same scales, and the distance between the flows.

    Parameters
    ----------
    motion : ClipMotion
        With onset and apex.
    methods : (str, str)
    flows : ((2, S, S), (2, S, S)) float32
    path : Path
        A PNG, PDF or SVG.

    Returns
    -------
    Path
        `path`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.2, 7.2), dpi=130, layout="constrained")
    panels = figure.subplots(2, 3)
    for panel in panels.flat:
        panel.set_axis_off()
    draw_face(panels[0, 0], motion.frames[0], "onset, landmarks and regions")
    draw_marks(panels[0, 0], motion.landmarks, motion.boxes, motion.frames.shape[1:3])
    strains = [strain(flow) for flow in flows]
    bound = max(*(high(np.hypot(flow[0], flow[1])) for flow in flows), LEAST_BOUND)
    most = max(high(values) for values in strains)
    for column, (method, flow, values) in enumerate(zip(methods, flows, strains, strict=True), start=1):
        draw_flow(panels[0, column], flow, bound, title=f"{method} (full colour = {bound:.2f} px)")
        image = draw_heat(panels[1, column], values, most, f"strain, {method} (px/px)")
    figure.colorbar(image, ax=panels[1, 1:], fraction=0.046, pad=0.01, extend="max")
    _distance(panels[1, 0], flows, bound)
    figure.suptitle(motion.told, fontsize=10, parse_math=False)
    return save(figure, path)


def _distance(axes: Axes, flows: tuple[Flow, Flow], bound: float) -> None:
    apart = np.hypot(*(flows[0] - flows[1]))
    title = f"distance between them, mean {apart.mean():.3f} px"
    image = draw_heat(axes, apart, bound, title, colours="viridis")
    axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02, extend="max")
