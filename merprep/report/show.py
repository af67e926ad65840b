"""What `merprep show` draws of one clip: a figure, two methods side by side, or the whole clip as it moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from merprep.flow import strain
from merprep.report.animation import write_animation
from merprep.report.clip_figure import ClipPicture, draw_clip
from merprep.report.clip_motion import ClipMotion, key_motion, whole_motion
from merprep.report.compare_figure import draw_comparison
from merprep.store import Workspace
from merprep.store.workspace import safe_name


def show_clip(workspace: Workspace, clip_id: str, *, method: str | None = None, path: Path | None = None) -> Path:
    """Draw onset, apex, landmarks, regions, flow and strain of one clip.

    Parameters
    ----------
    workspace : Workspace
    clip_id : str
        The clip's id, or its name alone where that is unique.
    method : str, optional
        A flow method with its defaults; None takes the settings of the newest feature file. The flow is computed at
        the size of the aligned faces.
    path : Path, optional
        The PNG, PDF or SVG to write; ``figures/<clip>.png`` in the workspace where None.

    Returns
    -------
    Path

    Raises
    ------
    StoreError
        Where the clip's faces were not aligned, or it has no apex.
    """
    motion = key_motion(workspace, clip_id, method)
    return draw_clip(clip_picture(motion), path or _place(workspace, motion, ".png"))


def clip_picture(motion: ClipMotion) -> ClipPicture:
    """Compute what is drawn of one clip's onset and apex."""
    [flow] = motion.fields()
    return ClipPicture(
        title=f"{motion.told}, peak motion {float(np.hypot(flow[0], flow[1]).max()):.2f} px",
        onset=motion.frames[0],
        apex=motion.frames[1],
        landmarks=motion.landmarks,
        boxes=motion.boxes,
        flow=flow,
        strain=strain(flow),
    )


def compare_methods(
    workspace: Workspace, clip_id: str, methods: tuple[str, str], *, path: Path | None = None
) -> tuple[Path, float]:
    """Draw the flow and strain of one clip by two methods, on one scale, and how far apart they are.

    Parameters
    ----------
    workspace : Workspace
    clip_id : str
    methods : (str, str)
        Both with their default parameters and the same treatment of the head's motion.
    path : Path, optional
        ``figures/<clip>-<method>-<method>.png`` in the workspace where None.

    Returns
    -------
    Path
    float
        The mean distance between the two fields, px.

    Raises
    ------
    StoreError
        Where the clip's faces were not aligned, or it has no apex.
    UnknownNameError
        Where there is no such method.
    """
    motion = key_motion(workspace, clip_id)
    flows = tuple(motion.fields(method)[0] for method in methods)
    target = path or _place(workspace, motion, f"-{methods[0]}-{methods[1]}.png")
    apart = float(np.hypot(*(flows[0] - flows[1])).mean())
    return draw_comparison(motion, methods, (flows[0], flows[1]), target), apart


def animate_clip(
    workspace: Workspace, clip_id: str, *, method: str | None = None, path: Path | None = None, rate: float = 8.0
) -> Path:
    """Write a clip from onset to offset as it moves: the face, and the flow and strain since the onset.

    Parameters
    ----------
    workspace : Workspace
    clip_id : str
    method : str, optional
        As for `show_clip`.
    path : Path, optional
        A ``.gif``, ``.webp`` or ``.mp4``; ``figures/<clip>.gif`` in the workspace where None.
    rate : float
        Frames a second; a clip at its own rate is over in a blink.

    Returns
    -------
    Path

    Raises
    ------
    StoreError
        Where the clip's faces were not aligned, or it has too few frames.
    UsageError
        Where the file's suffix is none of these.
    """
    motion = whole_motion(workspace, clip_id, method)
    return write_animation(motion, path or _place(workspace, motion, ".gif"), rate=rate)


def _place(workspace: Workspace, motion: ClipMotion, suffix: str) -> Path:
    return workspace.figures / f"{safe_name(motion.clip.id)}{suffix}"
