"""What `merprep show` draws, from the aligned faces on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from merprep.errors import StoreError
from merprep.faces import region_points
from merprep.features import anatomical_boxes, five_points
from merprep.flow import estimate, strain, to_grey
from merprep.records import Clip
from merprep.report.clip_figure import ClipPicture, draw_clip
from merprep.store import Workspace, read_manifest
from merprep.store.aligned import AlignedFile, open_aligned
from merprep.store.workspace import safe_name


def show_clip(workspace: Workspace, clip_id: str, *, method: str = "tvl1", path: Path | None = None) -> Path:
    """Draw onset, apex, landmarks, regions, flow and strain of one clip.

    Parameters
    ----------
    workspace : Workspace
    clip_id : str
        The clip's id, or its name alone where that is unique.
    method : str
        The flow method to draw; the flow is computed at the size of the aligned faces.
    path : Path, optional
        The PNG to write; ``figures/<clip>.png`` in the workspace where None.

    Returns
    -------
    Path

    Raises
    ------
    StoreError
        Where the clip's faces were not aligned, or it has no apex.
    """
    clip = read_manifest(workspace).clip(clip_id)
    with _aligned_file_of(workspace, clip) as aligned:
        picture = clip_picture(aligned, clip, method=method)
    return draw_clip(picture, path or workspace.figures / f"{safe_name(clip.id)}.png")


def clip_picture(aligned: AlignedFile, clip: Clip, *, method: str = "tvl1") -> ClipPicture:
    """Gather what is drawn of one clip from a file of aligned faces.

    Raises
    ------
    StoreError
        Where the clip has no apex.
    """
    if clip.onset is None or clip.apex is None:
        raise StoreError(
            "The clip has no apex, so there is no motion from onset to apex to draw",
            where=clip.id,
            mend="annotate an apex, or choose another clip",
        )
    onset, apex = aligned.frames(clip.id, [clip.onset, clip.apex])
    flow = estimate(to_grey(onset), to_grey(apex), method=method)
    landmarks = aligned.landmarks(clip.id)
    peak = float(np.hypot(flow[0], flow[1]).max())
    details = [clip.emotion or "no emotion", f"AU {clip.action_units}" if clip.action_units else "",
               f"onset {clip.onset}, apex {clip.apex} ({clip.apex_source})", f"peak motion {peak:.2f} px"]  # fmt: skip
    return ClipPicture(
        title=f"{clip.id} — " + ", ".join(part for part in details if part),
        onset=onset,
        apex=apex,
        landmarks=landmarks,
        boxes=anatomical_boxes(five_points(region_points(landmarks, aligned.scheme)), onset.shape),
        flow=flow,
        strain=strain(flow),
    )


def _aligned_file_of(workspace: Workspace, clip: Clip) -> AlignedFile:
    files = sorted((workspace.folder / "aligned").glob("*.h5"), key=lambda path: path.stat().st_mtime, reverse=True)
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
