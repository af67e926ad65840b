"""Augmentation that respects what flow means."""

from __future__ import annotations

import pytest
import torch

from merprep.errors import ModelError
from merprep.models import InputSpec
from merprep.training import Augmentation
from merprep.training.augment import Mirror, augment, check_augmentation


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_mirrored_face_is_flipped_and_moves_the_other_way() -> None:
    images = torch.randn(2, 3, 6, 6)
    mirrored = Mirror.of(InputSpec(channels=("u", "v", "strain")))(images)
    assert torch.equal(mirrored[:, 0], -images[:, 0].flip(-1))
    assert torch.equal(mirrored[:, 1:], images[:, 1:].flip(-1))


@pytest.mark.parametrize("normalisation", ["minmax-255", "minmax-symmetric", "none"])
def test_mirroring_twice_is_nothing(normalisation: str) -> None:
    images = torch.rand(3, 3, 5, 5)
    mirror = Mirror.of(InputSpec(channels=("strain", "v", "u"), normalisation=normalisation))
    assert torch.allclose(mirror(mirror(images)), images, atol=1e-4)


def test_shifts_stay_within_their_bound_and_repeat_the_border() -> None:
    image = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(50, 1, 1, 1)
    shifted = augment(image, Augmentation(shift=2), Mirror((), 0.0), _generator())
    inner = shifted[:, 0, 4, 4] - image[0, 0, 4, 4]
    steps = {(int(d) + 18) // 8 - 2 for d in inner}
    assert steps == {-2, -1, 0, 1, 2}
    assert shifted.min() >= 0
    assert shifted.max() <= 63


def test_the_same_generator_gives_the_same_draws_and_leaves_the_input_alone() -> None:
    images = torch.rand(4, 3, 8, 8)
    before = images.clone()
    settings = Augmentation(flip=0.5, shift=2, noise=0.1)
    first, second = (augment(images, settings, Mirror((0,), 0.0), _generator(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(images, before)
    assert not torch.equal(first, images)


def test_no_augmentation_is_the_identity() -> None:
    images = torch.rand(2, 3, 8, 8)
    assert Augmentation().is_off
    assert torch.equal(augment(images, Augmentation(), Mirror((0,), 0.0), _generator()), images)


def test_mirroring_is_refused_for_the_transposed_mosaic() -> None:
    spec = InputSpec(representation="mosaic:htnet-published")
    check_augmentation(Augmentation(shift=1), spec)
    with pytest.raises(ModelError, match="transposed"):
        check_augmentation(Augmentation(flip=0.5), spec)
