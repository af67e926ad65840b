"""After the folds: a network fitted on everybody, kept without pickle, and its predictions for new clips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.errors import ModelError, TrainingError
from merprep.models import build_preset
from merprep.models.presets import Preset
from merprep.store.workspace import written_whole
from merprep.training.fit import probabilities
from merprep.training.job import Clips, Plan, train_network
from merprep.training.normalising import Normaliser, fit_normalising
from merprep.training.preparing import attach, seen_at_once
from merprep.training.sources import open_source, readable

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
        A feature file with the channels and regions that the run's preset eats, or the file of aligned faces where it
        sees pictures; labels are not needed.

    Returns
    -------
    pandas.DataFrame
        One row a clip: ``id, person, database, prediction, probability_<class>...``. Where clips cannot be read (no
        apex), their prediction is empty, and a column ``reason`` says why.

    Raises
    ------
    TrainingError
        Where the run has no final network.
    ModelError, StoreError
        Where the feature file does not fit it.
    """
    network, preset, classes, normaliser = _load(Path(run_folder) / _NAME)
    source = open_source(features, preset.input)
    try:
        rows, lacks = readable(source)
        images: NDArray[Any] = source.read(rows) if rows else np.empty((0, 1), np.float32)
        table = pd.DataFrame(
            [{"id": clip.id, "person": clip.person, "database": clip.database} for clip in source.clips]
        )
    finally:
        source.close()
    chances = np.full((len(table), len(classes)), np.nan)
    if rows:
        if normaliser is not None:
            images = normaliser.apply(images)
        chances[rows] = _chances(network.to(device), images, preset, device)
    table["prediction"] = [classes[row.argmax()] if place not in lacks else "" for place, row in enumerate(chances)]
    for number, name in enumerate(classes):
        table[f"probability_{name}"] = chances[:, number]
    return table.assign(reason=[lacks.get(place, "") for place in range(len(table))]) if lacks else table


def _chances(network: Any, images: NDArray[Any], preset: Preset, device: str) -> NDArray[np.float32]:
    import torch

    # Frames that are drawn at random are the same ones each time.
    with torch.random.fork_rng(devices=[torch.device(device)] if device.startswith("cuda") else []):
        torch.manual_seed(0)
        seen = torch.from_numpy(images).to(device)
        return cast("NDArray[np.float32]", probabilities(network, seen, seen_at_once(preset.input)).numpy())


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
    network = attach(build_preset(preset, len(about["classes"])), preset.input)
    network.load_state_dict(tensors)
    fitted = about.get("normaliser")
    return network.eval(), preset, list(about["classes"]), Normaliser.of_json(fitted) if fitted else None
