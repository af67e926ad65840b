"""One step of training: a batch is gathered, changed and shown to the network, which then learns from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from merprep.training.augment import Drawn, Mirror, changed, draw
from merprep.training.optimisers import optimiser_of
from merprep.training.precision import logits_of
from merprep.training.recipe import Recipe


class Step:
    """A training step that can be recorded (`merprep.training.replay`): it reads and leaves nothing but tensors.

    Parameters
    ----------
    network : nn.Module
        On the device of `images`.
    images : (N, C, H, W) float32
        All clips that are trained on, or pictures as stored.
    labels : (N,) int64
    recipe : Recipe
    weights : (classes,) float32, optional
        What a clip of each class weighs in the loss.
    mirror : Mirror
        What the augmentation's flip does to this input.
    generator : torch.Generator
        Draws the augmentation, on the device of `images`.
    precision : str
        ``float32`` or ``bfloat16``.
    recorded : bool
        Whether the step may be recorded, so that learning rates stand in tensors.

    Attributes
    ----------
    total : () float32
        The sum of the losses since it was last set to zero.
    optimiser : torch.optim.Optimizer
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        recipe: Recipe,
        *,
        weights: Tensor | None,
        mirror: Mirror,
        generator: torch.Generator,
        precision: str = "float32",
        recorded: bool = False,
    ) -> None:
        self.network, self.images, self.labels = network, images, labels
        self.augmentation, self.mirror, self.generator = recipe.augmentation, mirror, generator
        self.precision = precision
        self.optimiser = optimiser_of(network, recipe, recorded=recorded)
        self.weights, self.smoothing = weights, recipe.label_smoothing
        self.total = torch.zeros((), device=images.device)

    def __call__(self, places: Tensor) -> None:
        """Train on the clips at these places, (B,) int64, and add the loss to `total`."""
        batch, drawn = self.images[places], Drawn()
        if not self.augmentation.is_off:
            drawn = draw(batch.shape, self.augmentation, self.generator)
            batch = changed(batch, drawn, self.augmentation, self.mirror)
        loss = self._loss(logits_of(self.network, batch, self.precision), self.labels[places], drawn)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.total += loss.detach()

    def _loss(self, logits: Tensor, labels: Tensor, drawn: Drawn) -> Tensor:
        """Return the mean cross-entropy, weighted by class; of a blended clip, by its share of each class."""
        if drawn.partner is None or drawn.share is None:
            return functional.cross_entropy(logits, labels, self.weights, label_smoothing=self.smoothing)
        weights = logits.new_ones(logits.shape[1]) if self.weights is None else self.weights
        total = weight = logits.new_zeros(())
        for own, share in ((labels, 1 - drawn.share), (labels[drawn.partner], drawn.share)):
            each = functional.cross_entropy(logits, own, self.weights, reduction="none", label_smoothing=self.smoothing)
            total = total + (share * each).sum()
            weight = weight + (share * weights[own]).sum()
        return total / weight
