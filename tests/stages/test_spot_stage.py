from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.errors import UnknownNameError, UsageError
from merprep.records import Clip, FrameSet
from merprep.stages import spot
from merprep.stages.runner import KEPT
from merprep.store import Manifest, Workspace, read_manifest, write_manifest
from merprep.synthetic.render import render_clip
from merprep.temporal import SpotConfig

pytestmark = pytest.mark.usefixtures("mesh_weights")

# Half the usual size, and flow of the frames as they are: quick, and the rendered head moves by 0.3 px only.
CONFIG = SpotConfig.model_validate({"align": {"size": 64}, "steady": False})
FIRST, COUNT, APEX = 10, 13, 4


def clip_of(root: Path, name: str, frames: np.ndarray, **values: object) -> Clip:
    (root / name).mkdir(parents=True)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(root / name / f"img{FIRST + index:03d}.png"), frame)
    last = FIRST + len(frames) - 1
    clip = Clip(
        "smic",
        "s1",
        name,
        person="smic:1",
        frames=FrameSet(f"{name}/img###.png", tuple(range(FIRST, last + 1))),
        onset=FIRST,
        apex=FIRST + (len(frames) - 1) // 2,
        offset=last,
        emotion="surprise",
        apex_source="midpoint",
        notes=("a note of the sheet",),
    )
    return replace(clip, **values)


@pytest.fixture
def study(workspace: Workspace, tmp_path: Path) -> Workspace:
    root = tmp_path / "raw"
    moving = render_clip("surprise", seed=3, n_frames=COUNT, apex=APEX, size=(160, 120), amplitude=1.5).frames
    flat = np.full((4, 120, 160, 3), 90, np.uint8)
    clips = [
        clip_of(root, "annotated", moving[:5], apex=12, apex_source="annotated"),
        clip_of(root, "endless", moving[:5], offset=None),
        clip_of(root, "faceless", flat),
        clip_of(root, "moving", moving),
        clip_of(root, "short", moving[:2]),
        clip_of(root, "still", np.repeat(moving[:1], 5, axis=0)),
    ]
    write_manifest(workspace, Manifest(tuple(clips), {"smic": {"root": str(root)}}))
    return workspace


def test_a_clip_without_an_annotated_apex_gets_one_with_confidence_and_provenance(study: Workspace) -> None:
    report = spot(study, CONFIG, jobs=1)
    manifest = read_manifest(study)
    assert report.counts() == {"in": 6, "done": 1, "skipped": 4, "failed": 1}
    moving = manifest.clip("moving")
    assert (moving.apex_source, moving.notes[0]) == ("spotted", "a note of the sheet")
    assert abs(moving.apex - (FIRST + APEX)) <= 1
    assert f"flow {CONFIG.config_id()}, confidence 0." in moving.notes[1]
    assert moving.notes[1].endswith("midpoint 16")
    assert manifest.sources["smic"]["spot"]["config"] == CONFIG.model_dump(mode="json")
    account = json.loads(Path(report.outputs[0]).read_text(encoding="utf-8"))
    assert account["clips"]["smic/s1/moving"]["apex"] == moving.apex

    # What has no apex to be found keeps what it had, and says why.
    reasons = {outcome.clip_id.rpartition("/")[2]: outcome.reason for outcome in report.outcomes}
    assert reasons["annotated"] == "its apex is annotated"
    assert reasons["short"] == "only 2 frames from onset to offset"
    assert reasons["endless"] == "it has no offset"
    assert reasons["still"] == "nothing changes in it"
    assert "No face was found" in reasons["faceless"]
    for name in ("endless", "faceless", "short", "still"):
        assert manifest.clip(name).apex_source == "midpoint"
        assert reasons[name].split(" (")[0] in manifest.clip(name).notes[1]
    assert manifest.clip("annotated").notes == ("a note of the sheet",)

    # A second run takes what is there and changes nothing; other settings put the midpoint back.
    before = study.manifest_path.read_bytes()
    again = spot(study, CONFIG, jobs=1)
    assert [outcome.reason for outcome in again.of_state("done")] == [KEPT]
    assert study.manifest_path.read_bytes() == before
    spot(study, CONFIG.model_copy(update={"least_confidence": 1.0}), jobs=1)
    moving = read_manifest(study).clip("moving")
    assert (moving.apex, moving.apex_source) == (16, "midpoint")
    assert len(moving.notes) == 2


def test_only_the_databases_named_are_spotted(study: Workspace) -> None:
    with pytest.raises(UnknownNameError):
        spot(study, CONFIG, databases=["samm"])
    assert spot(study, CONFIG, databases=[], jobs=1).counts()["in"] == 0


def test_eyes_without_outlines_are_refused_before_the_first_clip(study: Workspace, tmp_path: Path) -> None:
    names = [f"{axis}_{point}" for point in range(5) for axis in "xy"]
    places = dict(zip(names, [60, 50, 100, 50, 80, 70, 66, 90, 94, 90], strict=True))
    rows = [["clip", *places], *([clip.id, *places.values()] for clip in read_manifest(study).clips)]
    path = tmp_path / "points.csv"
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    values = {"align": {"size": 64, "backend": "precomputed", "landmarks": str(path)}, "steady": False}
    with pytest.raises(UsageError, match="outline"):
        spot(study, SpotConfig.model_validate(values), jobs=1)
    report = spot(study, SpotConfig.model_validate({**values, "mask_eyes": False}), jobs=1)
    assert report.counts() == {"in": 6, "done": 1, "skipped": 5, "failed": 0}
