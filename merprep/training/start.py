"""What the networks of a run begin with: weights drawn anew, or those of a first stage on macro-expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ModelError
from merprep.training.job import Clips, Plan, sides_of, train_network
from merprep.training.macro import Macros, read_macros
from merprep.training.normalising import normalised
from merprep.training.pretraining import (
    SCRATCH,
    FirstStage,
    Trainer,
    check_strangers,
    first_stage,
    run_first_stage,
)

if TYPE_CHECKING:
    from torch import nn

    from merprep.progress import Progress
    from merprep.training.dataset import Labelling
    from merprep.training.folds import Fold
    from merprep.training.recipe import Recipe


@dataclass(frozen=True)
class Stage:
    """The first stage of a run, or that there is none.

    `notes` are for the reader of the score, `told` is what was done in a few words.
    """

    first: FirstStage | None = None
    macros: Macros | None = None
    notes: list[str] = field(default_factory=list)
    told: str = SCRATCH

    def placed(self, plan: Plan) -> Plan:
        """Let the plan look for the first stage's weights beside its folds."""
        if self.first is None:
            return plan
        return replace(plan, start=replace(self.first, folder=plan.folder.parent / "first-stage"), stack=1)

    def run(
        self, plan: Plan, tasks: Sequence[tuple[Fold, int, str]], clips: Clips, *, final: bool, progress: Progress
    ) -> None:
        """Train whatever the folds, and the final network, will start from."""
        if plan.start is None or self.macros is None:
            return
        fitted = [sides_of(plan, fold, seed, clips)[0] for fold, seed, _ in tasks]
        sides = [{clips.persons[index] for index in rows} for rows in fitted]
        if final:
            sides.append(set(clips.persons))
        run_first_stage(plan.start, self.macros, sides, _trainer(plan), progress)


def stage_of(plan: Plan, clips: Clips, pretrain: str | Path | None, scheme: str | None) -> Stage:
    """Read what a run's networks are to begin with.

    Raises
    ------
    ModelError, TrainingError, LeakError
        Where the set cannot be pretrained on.
    """
    if pretrain is None:
        return Stage(notes=_from_scratch(plan))
    if plan.preset.kind != "network":
        raise ModelError(f"{plan.preset.model} is a baseline, which has no first stage", mend="leave --pretrain out")
    macros = read_macros(pretrain, plan.preset.input, _labelling(scheme))
    check_strangers(macros, clips.images)
    first = first_stage(plan.preset, macros, clips.persons, Path())
    return Stage(first, macros, first.notes(), first.told())


def _labelling(scheme: str | None) -> Labelling | None:
    if scheme is None:
        return None
    from merprep.labels import scheme as find

    return cast("Labelling", find(int(scheme) if scheme.isdigit() else scheme))


def _from_scratch(plan: Plan) -> list[str]:
    if not plan.preset.pretraining:
        return []
    return [
        f"trained from scratch: {plan.preset.model} as published starts from weights of macro-expressions, which were "
        "never released (--pretrain learns them from a set of your own)"
    ]


def _trainer(plan: Plan) -> Trainer:
    def train(recipe: Recipe, macros: Macros, rows: NDArray[np.int64]) -> nn.Module:
        alone = replace(plan, start=None, recipe=recipe, classes=macros.classes)
        images = normalised(plan.preset.input, macros.images, rows)
        clips = Clips(images, macros.labels, macros.persons, [""] * len(macros.ids), macros.ids)
        # One first stage for all seeds, as published weights would be.
        return train_network(alone, recipe, clips, rows, 0).network

    return train
