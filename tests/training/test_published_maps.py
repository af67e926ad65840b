"""Training on the 442 published maps of the MEGC2019 composite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from merprep.models import preset
from merprep.stages import import_htnet_features
from merprep.store import Workspace
from merprep.training import FeatureDataset, TrainResult, train


@pytest.fixture(scope="module")
def published_maps(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("published"))
    return import_htnet_features(workspace, shared_data / "htnet-features")[0]


@pytest.fixture(scope="module")
def trained(published_maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainResult]:
    def run(**settings: object) -> TrainResult:
        return train(published_maps, runs_folder=tmp_path_factory.mktemp("runs"), **settings)

    return run


def test_the_composite_has_442_clips_of_68_persons_in_three_classes(published_maps: Path) -> None:
    dataset = FeatureDataset(published_maps, scheme=3)
    assert len(dataset) == 442
    assert len(set(dataset.persons)) == 68
    assert [(dataset.labels == number).sum() for number in range(3)] == [250, 109, 83]
    assert not dataset.skipped


def test_published_networks_are_given_the_published_pixels(published_maps: Path, shared_data: Path) -> None:
    folder = shared_data / "htnet-features" / "STSNet_whole_norm_u_v_os"
    whole = FeatureDataset(published_maps, spec=preset("ststnet").input)
    maps, mosaics = whole.images(), FeatureDataset(published_maps, spec=preset("htnet").input).images()
    for row, clip in enumerate(whole.clip_ids):
        # OpenCV reads blue, green, red: strain, v, u.
        stored = cv2.imread(str(folder / f"{'_'.join(clip.split('/')[1:])} .png"))
        assert stored is not None
        assert np.array_equal(maps[row], stored.transpose(2, 0, 1))
    # The four windows around the points that stand in where no face is found, rows and columns swapped as published.
    assert np.array_equal(mosaics[:, :, :14, :14], maps[:, :, 2:16, 4:18])
    assert np.array_equal(mosaics[:, :, :14, 14:], maps[:, :, 14:28, 3:17])
    assert np.array_equal(mosaics[:, :, 14:, :14], maps[:, :, 3:17, 14:28])
    assert np.array_equal(mosaics[:, :, 14:, 14:], maps[:, :, 13:27, 14:28])


def test_majority_scores_what_250_of_442_negatives_say(trained: Callable[..., TrainResult]) -> None:
    result = trained(model="majority")
    assert result.full["accuracy"] == pytest.approx(250 / 442)
    assert result.full["uf1"] == pytest.approx(2 * 250 / (250 + 442) / 3)


@pytest.mark.slow
def test_the_support_vector_machine_reaches_its_known_score(trained: Callable[..., TrainResult]) -> None:
    assert trained(model="svm").full["uf1"] == pytest.approx(0.709, abs=0.01)


@pytest.mark.slow
def test_htnet_sanity_learns_the_published_maps_from_half_of_the_persons(trained: Callable[..., TrainResult]) -> None:
    # Two trainings instead of 68, on half of the clips each: the score of all folds (see docs) is higher.
    result = trained(model="htnet", preset="sanity", protocol="kfold-2")
    assert result.full["uf1"] > 0.58
    assert result.optimistic is not None
    assert result.optimistic["full"]["accuracy"] >= result.full["accuracy"]


@pytest.mark.slow
def test_ststnet_learns_by_its_published_recipe(trained: Callable[..., TrainResult]) -> None:
    # One training of 800 epochs on half of the clips; all 68 folds take half an hour on two cores.
    result = trained(model="ststnet", protocol="kfold-2", max_folds=1)
    assert result.full["uf1"] > 0.5
