"""The first of two stages: a network learns macro-expressions before it sees a micro-expression.

Who is tested in a fold must not have been seen in its first stage either: persons of the target set that are not on a
fold's training side are left out of that fold's first stage. Folds that leave out the same people share one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from merprep.config import canonical_json, short_hash
from merprep.errors import LeakError, ModelError, TrainingError
from merprep.evaluation import input_digests
from merprep.models.presets import Preset
from merprep.training.macro import Macros
from merprep.training.recipe import Recipe
from merprep.training.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from merprep.progress import Progress

SCRATCH = "from scratch"
_HEAD = "head."

# Trains a network on the clips at these places, and returns it.
Trainer = Callable[[Recipe, Macros, NDArray[np.int64]], "nn.Module"]


@dataclass(frozen=True)
class FirstStage:
    """What the folds of a run start from.

    Parameters
    ----------
    folder : Path
        Where the weights are, one file for each set of persons left out.
    persons : frozenset of str
        Who is in the first stage's clips.
    target : frozenset of str
        Who is in the clips of the run.
    about : dict
        What stands in the run's configuration: source, clips, persons, classes, recipe, digest of the inputs.
    """

    folder: Path
    persons: frozenset[str]
    target: frozenset[str]
    about: dict[str, Any]

    def left_out(self, trained_on: Iterable[str]) -> tuple[str, ...]:
        """Return who must not be in the first stage of a fold whose training side shows these persons."""
        return tuple(sorted((self.target - set(trained_on)) & self.persons))

    def path(self, left_out: Sequence[str]) -> Path:
        """Return the file of the weights that never saw these persons."""
        key = short_hash(canonical_json([self.about, list(left_out)]), 16)
        return self.folder / f"first-{key}.safetensors"

    def start(self, network: nn.Module, trained_on: Iterable[str]) -> None:
        """Give a network the weights of the first stage, all but those of its head.

        Raises
        ------
        TrainingError
            Where they are not there, or do not fit.
        """
        path = self.path(self.left_out(trained_on))
        own = network.state_dict()
        kept = {name: tensor for name, tensor in _read(path).items() if _is_kept(name)}
        wanted = {name for name in own if _is_kept(name)}
        if set(kept) != wanted or any(own[name].shape != kept[name].shape for name in wanted):
            raise TrainingError("The weights of the first stage are not those of this network", where=str(path))
        network.load_state_dict({**own, **kept})

    def told(self) -> str:
        """Say in a few words what was done."""
        counted = f"{self.about['clips']} clips of {self.about['persons']} persons"
        return f"pretrained on {counted} ({len(self.about['classes'])} classes) from {self.about['source']}"

    def notes(self) -> list[str]:
        """Say what a reader of the score must know of the first stage."""
        shared = sorted(self.persons & self.target)
        notes = [f"{self.told()}; its head was replaced", *self.about["notes"]]
        if shared:
            notes.append(
                f"{len(shared)} persons are in both sets: those whom a fold tests were left out of its first stage"
            )
        return notes


def _is_kept(name: str) -> bool:
    # Counts of batches begin anew: a moving average over both sets would describe neither.
    return not name.startswith(_HEAD) and not name.endswith("num_batches_tracked")


def first_stage(preset: Preset, macros: Macros, target: Iterable[str], folder: Path) -> FirstStage:
    """Describe the first stage of a run; nothing is trained yet.

    Raises
    ------
    ModelError
        Where the preset is a baseline.
    """
    if preset.kind != "network":
        raise ModelError(f"{preset.model} is a baseline, which has no first stage", mend="leave --pretrain out")
    recipe = stage_recipe(preset)
    about = {
        "source": macros.source,
        "clips": len(macros.labels),
        "persons": len(set(macros.persons)),
        "classes": list(macros.classes),
        "scheme": macros.scheme,
        "inputs": _digest(macros),
        # Computed in the precision of the run, which its configuration names.
        "recipe": recipe.model_dump(mode="json", exclude={"precision"}),
        "notes": list(macros.notes),
    }
    return FirstStage(folder, frozenset(macros.persons) - {""}, frozenset(target), about)


def check_strangers(macros: Macros, images: NDArray[Any]) -> None:
    """Raise where a picture of somebody unknown is also an input of the run: then it cannot be left out of a fold.

    Raises
    ------
    LeakError
    """
    unknown = [place for place, person in enumerate(macros.persons) if not person]
    seen = set(input_digests(images)) - {""}
    same = [macros.ids[place] for place, own in zip(unknown, input_digests(macros.images[unknown]), strict=True)
            if own in seen]  # fmt: skip
    if same:
        raise LeakError(
            "The first stage holds inputs of the target set, of people whom nobody names",
            where=", ".join(same[:5]),
            found=f"{len(same)} inputs in both",
            mend="remove them, or pretrain on a workspace, where persons are known",
        )


def stage_recipe(preset: Preset, **overrides: Any) -> Recipe:
    """Return the recipe of a preset's first stage."""
    values = {"recipe": preset.pretraining or preset.recipe}
    return Recipe.of(preset.model_copy(update=values), **overrides)


def run_first_stage(
    stage: FirstStage, macros: Macros, sides: Iterable[Iterable[str]], train: Trainer, progress: Progress
) -> None:
    """Train whatever the folds will start from and that is not there yet.

    Parameters
    ----------
    sides : iterable of iterables of str
        The persons on the training side of each fold that is to come.
    train : callable
        See `Trainer`.

    Raises
    ------
    TrainingError
        Where leaving people out leaves nothing to learn from.
    """
    wanted = {stage.left_out(side) for side in sides}
    missing = sorted(left_out for left_out in wanted if not stage.path(left_out).is_file())
    progress.start("train, first stage", len(wanted))
    progress.advance(len(wanted) - len(missing))
    recipe = Recipe.read(stage.about["recipe"], where="the first stage's recipe")
    for left_out in missing:
        rows = np.flatnonzero(~np.isin(macros.persons, left_out)).astype(np.int64)
        _check_classes(macros, rows, left_out)
        _write(stage.path(left_out), train(recipe, macros, rows), stage.about, left_out)
        progress.advance()
    progress.finish()


def _check_classes(macros: Macros, rows: NDArray[np.int64], left_out: Sequence[str]) -> None:
    if len(set(macros.labels[rows].tolist())) < 2:
        raise TrainingError(
            "The first stage has fewer than two classes left",
            where=macros.source,
            found=f"{len(rows)} of {len(macros.labels)} clips, without {', '.join(left_out[:5]) or 'anybody left out'}",
            mend="pretrain on a set with more people who are not in the target set",
        )


def _write(path: Path, network: nn.Module, about: dict[str, Any], left_out: Sequence[str]) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_sealed(path, tensors, {**about, "left_out": list(left_out)})


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return read_sealed(path)[1]
    except ValueError as error:
        raise TrainingError(
            f"The weights of the first stage cannot be read: {error}", where=str(path), mend="remove it and train again"
        ) from error


def _digest(macros: Macros) -> str:
    inputs = hashlib.sha256(np.ascontiguousarray(macros.images).tobytes())
    inputs.update(canonical_json([macros.ids, macros.persons, macros.labels.tolist()]).encode())
    return inputs.hexdigest()[:16]
