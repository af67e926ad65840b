"""Augmentation that respects what flow means."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from merprep.errors import ModelError
from merprep.models import InputSpec
from merprep.training import Augmentation
from merprep.training.augment import Drawn, Mirror, changed, check_augmentation, draw


def augment(images: Tensor, augmentation: Augmentation, mirror: Mirror, generator: torch.Generator) -> Tensor:
    """Change a batch by what is drawn for it."""
    return changed(images, draw(images.shape, augmentation, generator), augmentation, mirror)


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


def _field(angle: float) -> torch.Tensor:
    """u, v and a scalar of a smooth motion around the centre, the whole turned by `angle` from x towards y."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 41), torch.linspace(-1, 1, 41), indexing="ij")
    cosine, sine = torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))
    # Where each place was before turning, what moved there, and the motion turned with it.
    a, b = cosine * x + sine * y, cosine * y - sine * x
    weight = torch.exp(-3 * ((a - 0.2) ** 2 + b**2))
    u, v = weight, 0.5 * weight * a
    return torch.stack([cosine * u - sine * v, sine * u + cosine * v, weight])[None]


@pytest.mark.parametrize("degrees", [5.0, -20.0])
def test_turning_a_face_turns_its_flow_and_moves_its_strain(degrees: float) -> None:
    angle = torch.tensor([math.radians(degrees)])
    turned = changed(_field(0.0), Drawn(angle=angle), Augmentation(rotation=90), Mirror((0,), 0.0, (1,)))
    expected = _field(float(angle))
    inner = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    assert torch.allclose(turned[inner], expected[inner], atol=0.01)
    assert not torch.allclose(_field(0.0)[inner], expected[inner], atol=0.03)


def test_a_flow_away_from_the_centre_does_not_change_when_it_is_turned() -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 21), torch.linspace(-1, 1, 21), indexing="ij")
    images = torch.stack([x, y])[None]
    turned = changed(images, Drawn(angle=torch.tensor([0.3])), Augmentation(rotation=90), Mirror((0,), 0.0, (1,)))
    assert torch.allclose(turned[..., 5:-5, 5:-5], images[..., 5:-5, 5:-5], atol=1e-5)


def test_turning_respects_the_value_that_stands_for_no_motion() -> None:
    still = torch.full((1, 2, 9, 9), 127.5)
    mirror = Mirror.of(InputSpec(channels=("v", "u"), normalisation="minmax-255"))
    assert mirror.vertical == (0,)
    assert torch.allclose(mirror.turned(still, torch.tensor([0.4])), still)


def test_noise_at_the_flows_own_level_is_a_part_of_each_channels_spread() -> None:
    images = torch.stack([torch.randn(64, 64), 10 * torch.randn(64, 64), torch.full((64, 64), 3.0)])[None]
    noise = augment(images, Augmentation(flow_noise=0.5), Mirror((), 0.0), _generator()) - images
    assert noise[0].std(dim=(1, 2)).tolist() == pytest.approx([0.5, 5.0, 0.0], rel=0.1)


def test_turning_is_refused_where_it_has_no_meaning() -> None:
    with pytest.raises(ModelError, match="one centre"):
        check_augmentation(Augmentation(rotation=5), InputSpec(representation="mosaic:anatomical"))
    with pytest.raises(ModelError, match="only one of them"):
        check_augmentation(Augmentation(rotation=5), InputSpec(channels=("u", "strain")))
    check_augmentation(Augmentation(rotation=5), InputSpec(channels=("strain",)))


def test_flips_and_shifts_drawn_together_are_one_after_the_other() -> None:
    images = torch.rand(6, 3, 9, 7)
    drawn = Drawn(flip=torch.tensor([True, False] * 3), shift=torch.randint(-2, 3, (6, 2)))
    mirror = Mirror((0,), 0.5, (1,))
    flipped = changed(images, Drawn(flip=drawn.flip), Augmentation(), mirror)
    # First mirrored, then shifted.
    both = changed(images, drawn, Augmentation(), mirror)
    assert torch.equal(both, changed(flipped, Drawn(shift=drawn.shift), Augmentation(), mirror))


@pytest.mark.parametrize(
    ("change", "channel"), [("flip", "curl"), ("flip", "orientation"), ("rotation", "strain_xy"), ("rotation", "mine")]
)
def test_a_channel_whose_rule_is_not_known_is_not_augmented(change: str, channel: str) -> None:
    spec = InputSpec(channels=("u", "v", channel))
    with pytest.raises(ModelError, match=f"no rule for what {change}"):
        check_augmentation(Augmentation(**{change: 0.5}), spec)
    check_augmentation(Augmentation(shift=2, noise=0.1), spec)


def test_a_blended_clip_is_so_much_of_another_of_its_own_lot() -> None:
    lots = [draw((size, 1, 4, 4), Augmentation(blend=0.4), _generator(size)) for size in (5, 7)]
    for lot, size in zip(lots, (5, 7), strict=True):
        assert sorted(lot.partner.tolist()) == list(range(size))
        assert 0 <= lot.share.min() <= lot.share.max() <= 0.4
    both = Drawn.joined(lots)
    images = torch.arange(12.0)[:, None, None, None].expand(12, 1, 4, 4)
    blended = changed(images, both, Augmentation(blend=0.4), Mirror((), 0.0))
    expected = [
        (1 - lot.share) * (first + torch.arange(len(lot.share))) + lot.share * (first + lot.partner)
        for first, lot in zip((0, 5), lots, strict=True)
    ]
    assert torch.allclose(blended[:, 0, 0, 0], torch.cat(expected), atol=1e-5)


def test_shares_are_drawn_evenly_up_to_the_largest() -> None:
    shares = draw((4000, 1, 1, 1), Augmentation(blend=0.5), _generator()).share
    assert shares.mean().item() == pytest.approx(0.25, abs=0.01)
    assert (shares < 0.1).float().mean().item() == pytest.approx(0.2, abs=0.03)
