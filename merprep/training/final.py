"""After the folds: a network fitted on everybody, kept without pickle, and its predictions for new clips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from merprep.errors import ModelError, TrainingError
from merprep.models import build_preset
from merprep.models.presets import Preset
from merprep.store.features import open_features
from merprep.store.workspace import written_whole
from merprep.training.fit import probabilities
from merprep.training.inputs import check_input, read_input
from merprep.training.job import Clips, Plan, train_network
from merprep.training.normalising import Normaliser, fit_normalising

_NAME = "final.safetensors"


def fit_final(plan: Plan, clips: Clips, folder: Path, seed: int = 0) -> Path:
    """Fit on all clips and write ``final.safetensors`` with its configuration inside.

    Raises
    ------
    ModelError
        Where the model is a baseline, which has no weights to keep.
    """
    from safetensors.torch import save_file

    if plan.recipe is None:
        raise ModelError(f"{plan.preset.model} has no weights to keep", mend="train a network for a final fit")
    everybody = np.arange(len(clips.ids))
    normaliser = fit_normalising(plan.preset.input, clips.images, everybody)
    if normaliser is not None:
        clips = replace(clips, images=normaliser.apply(clips.images))
    network, _ = train_network(plan, plan.recipe, clips, everybody, seed)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    about = {"preset": plan.preset.model_dump(mode="json"), "classes": list(plan.classes), "clips": len(clips.ids),
             "normaliser": normaliser and normaliser.as_json()}  # fmt: skip
    with written_whole(folder / _NAME) as temporary:
        save_file(tensors, temporary, metadata={"merprep": json.dumps(about)})
    return folder / _NAME


def predict(run_folder: str | Path, features: str | Path, *, device: str = "cpu") -> pd.DataFrame:
    """Predict the clips of a feature file with a run's final network.

    Parameters
    ----------
    run_folder : path-like
        A run that was trained with ``final=True``.
    features : path-like
        A feature file with the channels and regions that the run's preset eats; labels are not needed.

    Returns
    -------
    pandas.DataFrame
        One row a clip: ``id, person, database, prediction, probability_<class>...``.

    Raises
    ------
    TrainingError
        Where the run has no final network.
    ModelError, StoreError
        Where the feature file does not fit it.
    """
    import torch

    network, preset, classes, normaliser = _load(Path(run_folder) / _NAME)
    with open_features(features) as file:
        check_input(file, preset.input)
        images = np.ascontiguousarray(read_input(file, slice(None), preset.input))
        table = file.clips[["id", "person", "database"]].reset_index(drop=True)
    if normaliser is not None:
        images = normaliser.apply(images)
    chances = probabilities(network.to(device), torch.from_numpy(images).to(device)).numpy()
    table["prediction"] = [classes[number] for number in chances.argmax(axis=1)]
    for number, name in enumerate(classes):
        table[f"probability_{name}"] = chances[:, number]
    return table


def _load(path: Path) -> tuple[Any, Preset, list[str], Normaliser | None]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise TrainingError(
            "The run has no final network",
            where=str(path.parent),
            expected=_NAME,
            mend="train once more with --final; finished folds are kept",
        )
    try:
        with safe_open(path, framework="pt") as stored:
            about = json.loads(stored.metadata()["merprep"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"The final network cannot be read: {error}", where=str(path)) from error
    preset = Preset.read(about["preset"], where=str(path))
    network = build_preset(preset, len(about["classes"]))
    network.load_state_dict(tensors)
    fitted = about.get("normaliser")
    return network.eval(), preset, list(about["classes"]), Normaliser.of_json(fitted) if fitted else None
