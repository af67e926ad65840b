"""After the folds: a model fitted on everybody, kept without pickle.

A network keeps its weights. A baseline keeps the inputs and labels that it was fitted on, from which it is fitted again
each time: that takes seconds, and a support vector machine has no other format than pickle.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import TrainingError
from merprep.models.presets import Preset
from merprep.store.features import open_features
from merprep.training.folds import seed_of
from merprep.training.job import Clips, Plan, train_network
from merprep.training.normalising import Normaliser, fit_normalising
from merprep.training.recipe import Recipe
from merprep.training.sealed import read_sealed, write_sealed

_NAME = "final.safetensors"


@dataclass(frozen=True)
class FinalModel:
    """What ``final.safetensors`` holds: tensors, and in its metadata everything needed to use them.

    `shape` is that of one clip's input; `origin` says in which units the feature file was and how it was normalised;
    `persons` and `ids` are those that the model was fitted on, `precision` is what it computed in.
    """

    preset: Preset
    classes: tuple[str, ...]
    tensors: dict[str, Any] = field(repr=False)
    shape: tuple[int, ...] = ()
    scheme: str = ""
    origin: dict[str, Any] = field(default_factory=dict)
    persons: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    normaliser: Normaliser | None = None
    precision: str = "float32"

    def about(self) -> dict[str, Any]:
        """Return plain JSON values: the metadata."""
        return {
            "preset": self.preset.model_dump(mode="json"),
            "classes": list(self.classes),
            "clips": len(self.ids),
            "shape": list(self.shape),
            "scheme": self.scheme,
            "origin": self.origin,
            "persons": sorted(self.persons),
            "ids": sorted(self.ids),
            "normaliser": self.normaliser and self.normaliser.as_json(),
            "precision": self.precision,
        }


def fit_final(
    plan: Plan, clips: Clips, folder: Path, seed: int = 0, *, scheme: str = "", origin: dict[str, Any] | None = None
) -> Path:
    """Fit on all clips and write ``final.safetensors`` with its configuration inside.

    Parameters
    ----------
    scheme : str
        The label scheme, by which the truth of new clips is told beside the prediction.
    origin : dict, optional
        See `origin_of`.
    """
    everybody = np.arange(len(clips.ids))
    normaliser = fit_normalising(plan.preset.input, clips.images, everybody)
    if normaliser is not None:
        clips = replace(clips, images=normaliser.apply(clips.images))
    model = FinalModel(
        plan.preset,
        plan.classes,
        _tensors(plan, clips, everybody, seed),
        tuple(clips.images.shape[1:]),
        scheme,
        origin or {},
        # Whoever the first stage has seen is no test either.
        frozenset(clips.persons) | (plan.start.persons if plan.start is not None else frozenset()),
        frozenset(clips.ids),
        normaliser,
        plan.precision,
    )
    write_sealed(folder / _NAME, model.tensors, model.about())
    return folder / _NAME


def _tensors(plan: Plan, clips: Clips, everybody: NDArray[np.int64], seed: int) -> dict[str, Any]:
    import torch

    if plan.recipe is None:
        kept = {"images": np.ascontiguousarray(clips.images), "labels": np.ascontiguousarray(clips.labels)}
        return {name: torch.from_numpy(values) for name, values in kept.items()}
    found: dict[str, Any] = {}
    for member in range(plan.recipe.members):
        number = seed if member == 0 else seed_of(seed, f"everybody/member {member}")
        network = train_network(plan, plan.recipe, clips, everybody, number, batches=seed).network
        found |= {f"{prefix_of(member)}{name}": tensor for name, tensor in network.state_dict().items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in found.items()}


def prefix_of(member: int) -> str:
    """Return what stands before the names of a network's tensors, of several that are averaged; the first has none."""
    return f"member {member}/" if member else ""


def origin_of(features: str | Path, preset: Preset) -> dict[str, Any]:
    """Return what a feature file says of its values: units by channel, and how it was normalised."""
    if preset.input.is_picture:
        return {}
    with open_features(features) as file:
        units = dict(zip(file.channels, file.units, strict=True))
        return {"units": {name: units[name] for name in preset.input.channels}, "normalisation": file.normalisation}


def read_final(run_folder: str | Path) -> FinalModel:
    """Read a run's final model; nothing in it is ever executed.

    Raises
    ------
    TrainingError
        Where there is none, or its file is damaged.
    """
    path = Path(run_folder) / _NAME
    if not path.is_file():
        raise TrainingError(
            "The run has no final network",
            where=str(path.parent),
            expected=_NAME,
            mend="train once more with --final; finished folds are kept",
        )
    try:
        return _model(*read_sealed(path), path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrainingError(
            f"The final network cannot be read: {error}",
            where=str(path),
            mend="remove the file and train once more with --final; finished folds are kept",
        ) from error


def _model(about: dict[str, Any], tensors: dict[str, Any], path: Path) -> FinalModel:
    fitted = about.get("normaliser")
    chosen = Preset.read(about["preset"], where=str(path))
    if chosen.kind == "network":
        Recipe.read(chosen.recipe, where=str(path))
    elif not {"images", "labels"} <= set(tensors):
        raise ValueError("it lacks what the baseline was fitted on")
    classes, scheme = list(about["classes"]), about.get("scheme", "")
    if not all(isinstance(name, str) for name in (*classes, scheme)):
        raise TypeError("its classes are no names")
    return FinalModel(
        chosen,
        tuple(classes),
        tensors,
        tuple(about.get("shape", ())),
        scheme,
        about.get("origin", {}),
        frozenset(about.get("persons", ())),
        frozenset(about.get("ids", ())),
        Normaliser.of_json(fitted) if fitted else None,
        about.get("precision", "float32"),
    )
