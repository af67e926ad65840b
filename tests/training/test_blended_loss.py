"""What a blended clip costs: as much of each class as was blended in."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from merprep.training import Recipe
from merprep.training.augment import Drawn, Mirror
from merprep.training.recipe import Augmentation
from merprep.training.step import Step

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])


def _loss(drawn: Drawn, weights: Tensor | None, smoothing: float = 0.0) -> float:
    step = Step(
        nn.Linear(1, 1), LOGITS, LABELS, Recipe(label_smoothing=smoothing), weights=weights, mirror=Mirror((), 0.0),
        generator=torch.Generator(),
    )  # fmt: skip
    return float(step._loss(LOGITS, LABELS, drawn))


def _cost(clip: int, label: int) -> float:
    values = LOGITS[clip].tolist()
    return math.log(sum(map(math.exp, values))) - values[label]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_two_blended_clips_by_hand(weighted: bool) -> None:
    weights = [2.0, 1.0, 0.5] if weighted else [1.0, 1.0, 1.0]
    drawn = Drawn(partner=torch.tensor([1, 0]), share=torch.tensor([0.25, 0.0], dtype=torch.float64))
    total = 0.75 * weights[0] * _cost(0, 0) + 0.25 * weights[2] * _cost(0, 2) + weights[2] * _cost(1, 2)
    expected = total / (0.75 * weights[0] + 0.25 * weights[2] + weights[2])
    found = _loss(drawn, torch.tensor(weights, dtype=torch.float64) if weighted else None)
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_share_of_nothing_is_the_plain_loss() -> None:
    weights = torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64)
    nothing = Drawn(partner=torch.tensor([1, 0]), share=torch.zeros(2, dtype=torch.float64))
    assert _loss(nothing, weights, 0.1) == pytest.approx(_loss(Drawn(), weights, 0.1), rel=1e-12)


@pytest.mark.parametrize("share", [-0.1, 0.6])
def test_no_more_than_half_of_a_clip_is_another(share: float) -> None:
    with pytest.raises(ValueError, match="blend"):
        Augmentation(blend=share)
