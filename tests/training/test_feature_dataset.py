"""The torch dataset over a feature file, and what it makes of a clip."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.utils.data import DataLoader

import merprep
from merprep.errors import ModelError, StoreError, TrainingError
from merprep.models import InputSpec
from merprep.store import open_features
from merprep.training import FeatureDataset
from merprep.training.inputs import normalise

MAPS = arrays(np.float32, (2, 3, 4, 4), elements=st.floats(-5, 5, width=32))


def test_an_item_is_the_stored_map_and_the_schemes_number(make_features: Callable[..., Path]) -> None:
    path = make_features()
    dataset = merprep.FeatureDataset(path, scheme=3)
    with open_features(path) as file:
        image, label = dataset[4]
        assert np.array_equal(image.numpy(), file.features[4])
    assert label == 1
    assert len(dataset) == 24
    assert dataset.classes == ("negative", "positive", "surprise")
    assert np.array_equal(dataset.images()[4], image.numpy())


def test_channels_come_in_the_order_that_the_network_asks_for(make_features: Callable[..., Path]) -> None:
    path = make_features()
    stored = FeatureDataset(path)[0][0]
    ordered = FeatureDataset(path, spec=InputSpec(channels=("strain", "v", "u")))[0][0]
    assert torch.equal(ordered, stored[[2, 1, 0]])


def test_a_mosaic_is_scaled_by_its_whole_map(make_features: Callable[..., Path]) -> None:
    spec = InputSpec(representation="mosaic:anatomical", channels=("u", "v", "strain"), normalisation="minmax-255")
    path = make_features()
    # The regions of these files are the quarters, so that their mosaic is the map again.
    whole = FeatureDataset(path, spec=spec.model_copy(update={"representation": "map"}))
    assert torch.equal(FeatureDataset(path, spec=spec)[3][0], whole[3][0])
    assert whole[3][0].amax(dim=(1, 2)).tolist() == pytest.approx([255] * 3)


def test_the_dataset_is_picklable_and_opens_the_file_in_every_worker(make_features: Callable[..., Path]) -> None:
    dataset = FeatureDataset(make_features())
    first = dataset[0][0]
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[0][0], first)
    loaded = torch.cat([images for images, _ in DataLoader(dataset, batch_size=5, num_workers=2)])
    assert np.array_equal(loaded.numpy(), dataset.images())
    dataset.close()


def test_a_transform_is_applied_to_items(make_features: Callable[..., Path]) -> None:
    path = make_features()
    assert torch.equal(FeatureDataset(path, transform=torch.neg)[0][0], -FeatureDataset(path)[0][0])


def test_clips_without_a_label_are_counted_by_reason(make_features: Callable[..., Path]) -> None:
    dataset = FeatureDataset(make_features(emotions=lambda _: ("negative", "positive", "Other")))
    assert len(dataset) == 8
    assert sum(dataset.skipped.values()) == 4
    assert all(dataset.skipped)
    assert dataset.clip_ids[2] == "samm/s1/c0"


def test_a_file_without_any_label_is_refused(make_features: Callable[..., Path]) -> None:
    with pytest.raises(TrainingError, match="No clip has a label"):
        FeatureDataset(make_features(emotions=lambda _: ("Other",)))


def test_a_missing_channel_or_region_set_is_named(make_features: Callable[..., Path]) -> None:
    path = make_features(channels=("u", "v", "magnitude"), regions=False)
    with pytest.raises(ModelError, match="no channel 'strain'"):
        FeatureDataset(path, spec=InputSpec())
    with pytest.raises(ModelError, match="no regions 'anatomical'"):
        FeatureDataset(path, spec=InputSpec(representation="mosaic:anatomical", channels=("u",)))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        FeatureDataset(tmp_path / "nothing.h5")


@given(MAPS)
def test_normalised_values_stay_in_their_range_and_flat_channels_stay_finite(values: np.ndarray) -> None:
    for rule, low, high in (("minmax-255", 0, 255), ("minmax-symmetric", -1, 1), ("peak-symmetric", -1, 1)):
        scaled = normalise(values, values, InputSpec(channels=("u",), normalisation=rule))
        assert np.isfinite(scaled).all()
        assert scaled.min() >= low - 1e-4 * high
        assert scaled.max() <= high * (1 + 1e-4)


def test_stretching_published_maps_again_changes_nothing() -> None:
    values = np.arange(256, dtype=np.float32).reshape(1, 16, 16)
    assert np.array_equal(
        np.rint(normalise(values, values, InputSpec(channels=("u",), normalisation="minmax-255"))), values
    )
