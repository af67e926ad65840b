"""Fields by batches are those of each clip alone, heads and all; a face outside the picture is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from merprep.errors import FlowError
from merprep.features import FlowConfig
from merprep.records import Clip
from merprep.stages import align, ingest
from merprep.stages.fields import ClipField, field_of, fields_ahead, fields_of, planes_of, readable
from merprep.store import Workspace, read_manifest
from merprep.synthetic import write_database

pytestmark = pytest.mark.usefixtures("mesh_weights")


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Clip], FlowConfig]:
    """Align a rendered database of three clips; return the file, its clips and the settings of flow."""
    folder = tmp_path_factory.mktemp("fields")
    write_database("casme2", folder / "raw", subjects=1, clips_per_class=1, frames="key", frame_size=(240, 200))
    workspace, config = Workspace(folder / "study"), FlowConfig(flow_size=112)
    ingest(workspace, "casme2", folder / "raw")
    align(workspace, config.align, jobs=1)
    return workspace.aligned_path(config.align.config_id()), list(read_manifest(workspace).clips), config


@pytest.mark.parametrize("head_motion", ["none", "similarity", "affine"])
def test_a_batch_gives_each_clip_the_field_and_the_head_that_it_has_alone(
    aligned: tuple[Path, list[Clip], FlowConfig], head_motion: str
) -> None:
    source, clips, settings = aligned
    config = settings.model_copy(update={"head_motion": head_motion})
    ahead = fields_ahead(clips, source=source, config=config, device="cpu")
    for clip in clips:
        together, alone = ahead(clip), field_of(clip, source=source, config=config)
        np.testing.assert_array_equal(together.flow, alone.flow)
        assert (alone.head is None) == (head_motion == "none")
        if alone.head is not None:
            np.testing.assert_array_equal(together.head, alone.head)


def test_planes_are_both_frames_and_where_the_head_may_be_read(aligned: tuple[Path, list[Clip], FlowConfig]) -> None:
    source, clips, config = aligned
    planes = planes_of(clips[0], source=source, config=config)
    assert planes.shape == (3, 112, 112)
    assert set(np.unique(planes[2])) == {0.0, 1.0}
    assert 0.1 < planes[2].mean() < 0.7  # the face, without eyes and mouth
    still = planes_of(clips[0], source=source, config=config.model_copy(update={"head_motion": "none"}))
    np.testing.assert_array_equal(still, planes[:2])


def test_the_head_is_read_off_the_face_where_it_is_outlined_and_off_all_else_otherwise() -> None:
    outside = np.full((478, 2), -100, np.float32)
    with pytest.raises(FlowError, match="outside the picture") as caught:
        readable(outside, "mesh478", 64)
    assert "--head-motion none" in str(caught.value)
    assert readable(outside[:5], "five", 64).all()


def test_a_region_that_is_too_small_is_an_error_of_its_clip() -> None:
    images = np.zeros((1, 32, 32), np.float32)
    with pytest.raises(FlowError, match="Too little of the face"):
        fields_of(images, images, images, config=FlowConfig(), device="cpu")
    assert isinstance(fields_of(images, images, images + 1, config=FlowConfig(), device="cpu")[0], ClipField)
