from __future__ import annotations

from pathlib import Path

import numpy as np

from merprep.faces import AlignConfig
from merprep.stages import align, ingest
from merprep.store import Workspace
from merprep.store.aligned import open_aligned
from merprep.synthetic import write_database


def test_faces_out_of_videos_are_those_out_of_frames_but_for_the_codec(
    tmp_path: Path, workspace: Workspace, mesh_weights: list[Path]
) -> None:
    """The same clips as selected frames and as videos of the release; MJPG compresses as JPEG does."""
    aligned = []
    for layout in ("raw-selected", "compressed"):
        own = Workspace(workspace.folder / layout)
        write_database(
            "casme2", tmp_path / layout, layout=layout, subjects=1, clips_per_class=1, frame_size=(320, 240), n_frames=9
        )
        ingest(own, "casme2", tmp_path / layout)
        report = align(own, AlignConfig(), frames="key")
        assert report.counts() == {"in": 3, "done": 3, "skipped": 0, "failed": 0}
        with open_aligned(Path(report.outputs[0])) as file:
            names = sorted(file.clips["id"])
            aligned.append({name: (file.numbers(name), file.frames(name), file.transform(name)) for name in names})
    frames, videos = aligned
    assert frames.keys() == videos.keys()
    for name, (numbers, images, transform) in frames.items():
        assert np.array_equal(numbers, videos[name][0])
        middle = np.array([160, 120, 1])
        assert np.linalg.norm(transform @ middle - videos[name][2] @ middle) < 1.5  # px of the aligned face
        inside = slice(40, -40)
        apart = images[:, inside, inside].astype(float) - videos[name][1][:, inside, inside]
        assert np.abs(apart).mean() < 4
