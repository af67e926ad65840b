"""A run's final model on new clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.errors import MerprepError, ModelError, TrainingError
from merprep.evaluation import Scores
from merprep.models import build_preset
from merprep.models.presets import Preset
from merprep.plain import for_spreadsheet
from merprep.records import Clip
from merprep.store.whole import sweep, written_whole
from merprep.training.augment import mirror_for_tests
from merprep.training.baselines import baseline
from merprep.training.dataset import labelling_of
from merprep.training.device import resolve_device, steady
from merprep.training.final import FinalModel, origin_of, prefix_of, read_final
from merprep.training.preparing import attach, seen_at_once
from merprep.training.recipe import Recipe
from merprep.training.sources import open_source, readable
from merprep.training.watching import probabilities

_PROBABILITY = "probability_"
# Scaled clip by clip, so that the units of the file do not matter.
_UNIT_FREE = ("minmax-255", "minmax-symmetric", "peak-symmetric")


def predict(run_folder: str | Path, features: str | Path, *, device: str = "cpu") -> pd.DataFrame:
    """Predict the clips of a feature file with a run's final model.

    Parameters
    ----------
    run_folder : path-like
        A run that was trained with ``final=True``.
    features : path-like
        A feature file with the channels and regions that the run's preset eats, in any order and beside any others, or
        the file of aligned faces where it sees pictures; labels are not needed.
    device : str

    Returns
    -------
    pandas.DataFrame
        One row a clip: ``id, person, database, prediction, truth, trained_on, probability_<class>...``. `truth` is
        empty where the run's label scheme gives the clip no class; `trained_on` says that the clip's person was among
        those that the model was fitted on, so that the row is no test of it. Where clips cannot be read (no apex),
        their prediction is empty, and a column ``reason`` says why. ``table.attrs["notes"]`` holds what a reader must
        know.

    Raises
    ------
    TrainingError
        Where the run has no final model, or its file is damaged.
    ModelError, StoreError
        Where the feature file does not fit it.
    """
    model = read_final(run_folder)
    chosen = resolve_device(device)
    _check_origin(model, _origin(features, model.preset), str(features))
    source = open_source(features, model.preset.input)
    try:
        rows, lacks = readable(source)
        images: NDArray[Any] = source.read(rows) if rows else np.empty((0, *model.shape), np.float32)
        clips = list(source.clips)
    finally:
        source.close()
    _check_shape(model, images, str(features))
    chances = np.full((len(clips), len(model.classes)), np.nan)
    if rows:
        if model.normaliser is not None:
            images = model.normaliser.apply(images)
        chances[rows] = _chances(model, images, chosen)
    return _table(model, clips, chances, lacks)


def write_predictions(table: pd.DataFrame, path: str | Path) -> Path:
    """Write what `predict` returned as CSV; no text in it is a formula to a spreadsheet.

    Raises
    ------
    StoreError
        Where the file cannot be written.
    """
    target = Path(path)
    sweep([target.parent])
    plain = table.map(lambda value: for_spreadsheet(value) if isinstance(value, str) else value)
    with written_whole(target) as temporary:
        plain.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
    return target


def scores_of_new(table: pd.DataFrame) -> Scores | None:
    """Score predictions of people whom the model was not fitted on, where their truth is known.

    Parameters
    ----------
    table : DataFrame
        As `predict` returns it.

    Returns
    -------
    Scores or None
        None where there is no such clip.
    """
    classes = [name.removeprefix(_PROBABILITY) for name in table.columns if name.startswith(_PROBABILITY)]
    tested = table[(table["truth"] != "") & (table["prediction"] != "") & ~table["trained_on"]]
    if tested.empty:
        return None
    truth, said = ([classes.index(name) for name in tested[column]] for column in ("truth", "prediction"))
    return Scores.of(truth, said, classes, databases=tested["database"].tolist())


def _table(model: FinalModel, clips: list[Clip], chances: NDArray[np.float64], lacks: dict[int, str]) -> pd.DataFrame:
    said = ["" if place in lacks else model.classes[int(row.argmax())] for place, row in enumerate(chances)]
    table = pd.DataFrame(
        {
            "id": [clip.id for clip in clips],
            "person": [clip.person for clip in clips],
            "database": [clip.database for clip in clips],
            "prediction": said,
            "truth": _truths(model, clips),
            "trained_on": [clip.person in model.persons for clip in clips],
        }
    )
    for number, name in enumerate(model.classes):
        table[f"{_PROBABILITY}{name}"] = chances[:, number]
    if lacks:
        table["reason"] = [lacks.get(place, "") for place in range(len(table))]
    table.attrs["notes"] = _notes(model, table, lacks)
    return table


def _truths(model: FinalModel, clips: list[Clip]) -> list[str]:
    try:
        labelling = labelling_of(model.scheme)
    except MerprepError:  # a scheme of the caller's own, which has no table
        return [""] * len(clips)
    if labelling.classes != model.classes:
        return [""] * len(clips)
    numbers = [labelling.label(clip) for clip in clips]
    return ["" if number is None else model.classes[number] for number in numbers]


def _notes(model: FinalModel, table: pd.DataFrame, lacks: dict[int, str]) -> list[str]:
    notes = []
    known = int(table["trained_on"].sum())
    if known:
        same = int(table["id"].isin(model.ids).sum())
        notes.append(
            f"{known} of {len(table)} clips show people that the model was fitted on ({same} are the very clips): "
            "their rows are no test of it"
        )
    unlabelled = int((table["truth"] == "").sum())
    if unlabelled:
        notes.append(f"{unlabelled} of {len(table)} clips have no class in {model.scheme or 'the run’s own scheme'}")
    if lacks:
        notes.append(f"{len(lacks)} clips could not be read; the column reason says why")
    return notes


def _chances(model: FinalModel, images: NDArray[Any], device: str) -> NDArray[np.float64]:
    import torch

    if model.preset.kind == "baseline":
        return baseline(model.preset.model)(
            model.tensors["images"].numpy(),
            model.tensors["labels"].numpy(),
            images,
            n_classes=len(model.classes),
            seed=0,
            settings=model.preset.architecture,
        )
    seen, at_once = torch.from_numpy(images).to(device), seen_at_once(model.preset.input)
    found = []
    recipe = Recipe.of(model.preset)
    mirror = mirror_for_tests(recipe, model.preset.input)
    for member in range(recipe.members):
        network = _network(model, prefix_of(member)).to(device)
        # Frames that are drawn at random are the same ones each time.
        cuda = [torch.device(device)] if device.startswith("cuda") else []
        with torch.random.fork_rng(devices=cuda), steady(device):
            torch.manual_seed(0)
            chances = probabilities(network, seen, at_once, model.precision, mirror)
            found.append(chances.cpu().numpy().astype(np.float64))
    return cast("NDArray[np.float64]", np.mean(found, axis=0))


def _network(model: FinalModel, prefix: str) -> Any:
    import torch

    own = {name.removeprefix(prefix): value for name, value in model.tensors.items() if name.startswith(prefix)}
    own = own if prefix else {name: value for name, value in own.items() if "/" not in name}
    # Without memory first: a configuration that is not that of the weights may ask for any amount of it.
    with torch.device("meta"):
        wanted = build_preset(model.preset, len(model.classes)).state_dict()
    for name in sorted({*wanted, *own}):
        sizes = [list(part[name].shape) if name in part else "nothing" for part in (wanted, own)]
        if sizes[0] != sizes[1]:
            raise TrainingError(
                "The final network's weights are not those of its configuration",
                expected=f"{sizes[0]} of {name}",
                found=str(sizes[1]),
                mend="train once more with --final; finished folds are kept",
            )
    network = build_preset(model.preset, len(model.classes))
    network.load_state_dict(own)
    return attach(network, model.preset.input).eval()


def _origin(features: str | Path, preset: Preset) -> dict[str, Any]:
    """Return `origin_of` a file that may lack what the preset eats, after the check that says so."""
    open_source(features, preset.input).close()
    return origin_of(features, preset)


def _check_origin(model: FinalModel, found: dict[str, Any], where: str) -> None:
    """Raise where new values are in other units than those that the model learned from."""
    if not model.origin or model.preset.input.normalisation in _UNIT_FREE or found == model.origin:
        return
    raise ModelError(
        "The values of this feature file are not of the kind that the model was fitted on",
        where=where,
        expected=_told(model.origin),
        found=_told(found),
        mend="make the features as those of the run were made, or train a preset that scales each clip by itself",
    )


def _told(origin: dict[str, Any]) -> str:
    units = ", ".join(f"{name} in {unit}" for name, unit in origin.get("units", {}).items())
    return f"{units}; normalisation: {origin.get('normalisation', 'unknown')}"


def _check_shape(model: FinalModel, images: NDArray[Any], where: str) -> None:
    found = tuple(images.shape[1:])
    # Pictures are brought to the network's size when it sees them.
    if not model.shape or found == model.shape or model.preset.input.is_picture:
        return
    wanted, got = ("×".join(map(str, shape[-2:])) for shape in (model.shape, found))
    raise ModelError(
        "The maps of this feature file are of another size than those that the model was fitted on",
        where=where,
        expected=wanted,
        found=got,
        mend=f"run `merprep flow --size {model.shape[-1]}`",
    )
