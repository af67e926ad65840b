"""Published checkpoints, one a person, scored on the clips of the person that each was trained without."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.errors import ModelError, UsageError
from merprep.evaluation import score_table, tables_beside
from merprep.evaluation.published import PublishedResult
from merprep.models import build, load_published
from merprep.models import preset as read_preset
from merprep.models.checkpoints import SUFFIXES, read_checkpoint
from merprep.models.presets import Preset
from merprep.training.dataset import FeatureDataset, Labelling
from merprep.training.device import resolve_device
from merprep.training.job import Clips
from merprep.training.prepare import clips_of
from merprep.training.preparing import attach, seen_at_once

if TYPE_CHECKING:
    from torch import Tensor, nn

Source = str | Path | Mapping[str, Any]
CHOSEN = ("last", "test-oracle", "unknown")
_MOST = 5


@dataclass(frozen=True)
class CheckpointScores:
    """What published checkpoints score here.

    `full` and `databases` are as in `merprep.training.TrainResult`. `selection` says how the publishers chose the
    epoch: with ``test-oracle`` on the very people that are tested, so that the score is optimistic. `published` holds
    the numbers that were published for this model on the same clips.
    """

    model: str
    preset: str
    selection: str
    scheme: str
    classes: tuple[str, ...]
    full: dict[str, Any]
    databases: dict[str, dict[str, Any]]
    published: tuple[PublishedResult, ...]
    notes: tuple[str, ...]
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    def title(self) -> str:
        """Say in one line what was scored."""
        stamp = " [OPTIMISTIC: THE EPOCH WAS CHOSEN ON THE TEST PERSON]" if self.selection == "test-oracle" else ""
        return f"{self.model} ({self.preset}), {self.full['persons']} checkpoints, {self.full['n']} clips{stamp}"

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return column names and rows for a reader: this score, each database's, and what was published."""
        rows = [
            [name, str(scores["n"]), *(f"{scores[score]:.4f}" for score in ("uf1", "uar", "accuracy")), "", ""]
            for name, scores in {"all": self.full, **self.databases}.items()
        ]
        for row in self.published:
            told = [f"{value:.4f}" if value is not None else "–" for value in (row.full.uf1, row.full.uar)]
            rows.append([f"published: {row.method}", "", *told, "", row.selection, row.source])
        return ["", "clips", "UF1", "UAR", "accuracy", "epoch chosen", "read in"], rows

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        published = [
            {"method": row.method, "selection": row.selection, "source": row.source}
            | {"uf1": row.full.uf1, "uar": row.full.uar}
            for row in self.published
        ]
        return {
            "model": self.model,
            "preset": self.preset,
            "selection": self.selection,
            "optimistic": self.selection == "test-oracle",
            "scheme": self.scheme,
            "classes": list(self.classes),
            "full": self.full,
            "databases": self.databases,
            "published": published,
            "notes": list(self.notes),
        }


def score_checkpoints(
    checkpoints: str | Path | Mapping[str, Source],
    features: str | Path,
    *,
    model: str,
    preset: str = "published",
    scheme: str | int | Labelling = "megc2019",
    selection: str | None = None,
    device: str = "cpu",
    **overrides: Any,
) -> CheckpointScores:
    """Let each published checkpoint predict the person that it was trained without, and score the pooled predictions.

    Nothing is trained. What a network is given (channels, their order, their range) is what the preset says; for
    ``published`` presets, what the published code was given.

    Parameters
    ----------
    checkpoints : path-like, or mapping of str to path-like or state dict
        A folder with one file a person, named after the person (``sub01.pth``, ``006.pth``, ``samm_006.safetensors``;
        folders on the way and words beside the name do not matter), or a mapping from person (``samm:6``) or subject
        (``006``) to a file or to the weights themselves. Only tensors are read from files.
    features : path-like
        The feature file, such as `merprep import htnet-features` writes it.
    model, preset : str
    scheme : str, int or label scheme
    selection : str, optional
        How the publishers chose the epoch: ``last``, ``test-oracle`` (on the tested person: the score is optimistic) or
        ``unknown``. None takes what `manifests/results` says of the model.
    device : str
    **overrides
        Settings of the network by their published names, where the checkpoints are of another size.

    Returns
    -------
    CheckpointScores

    Raises
    ------
    UsageError
        Where a person has no checkpoint or several, or a checkpoint belongs to nobody.
    ModelError
        Where a checkpoint cannot be read, or does not fit the network.

    Examples
    --------
    >>> found = score_checkpoints("weights/", "maps.h5", model="ststnet")  # doctest: +SKIP
    >>> found.full["uf1"], found.full["uar"]  # doctest: +SKIP
    """
    if selection not in (None, *CHOSEN):
        raise UsageError("There is no such way of choosing an epoch", found=str(selection), expected=", ".join(CHOSEN))
    chosen = read_preset(model, preset)
    dataset = FeatureDataset(features, scheme, spec=chosen.input)
    clips = clips_of(dataset, None)
    sources = _by_person(_listed(checkpoints), _names_of(dataset.clip_ids, clips.persons))
    place = resolve_device(device)
    chances = np.full((len(clips.ids), len(dataset.classes)), np.nan)
    for person, source in sources.items():
        rows = np.flatnonzero(np.array(clips.persons) == person)
        network = _network(chosen, len(dataset.classes), overrides, source, person)
        chances[rows] = _chances(network.to(place), clips.images[rows], chosen, place)
    table = _table(clips, dataset.classes, chances)
    scored = score_table(table, dataset.classes)
    beside, notes = _published(chosen.model, dataset.scheme, scored)
    how = selection or _told_selection(beside)
    return CheckpointScores(
        chosen.model,
        chosen.name,
        how,
        dataset.scheme,
        dataset.classes,
        scored["full"],
        scored["databases"],
        beside,
        (*_notes(how), *notes, *(f"{count} clips have no label: {why}" for why, count in dataset.skipped.items())),
        table,
    )


def _listed(checkpoints: str | Path | Mapping[str, Source]) -> dict[str, Source]:
    if isinstance(checkpoints, Mapping):
        return {str(name): source for name, source in checkpoints.items()}
    folder = Path(checkpoints)
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    if not files:
        raise UsageError(
            "The folder holds no checkpoints", where=str(folder), expected="files of " + ", ".join(SUFFIXES)
        )
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}


def _names_of(ids: Iterable[str], persons: Iterable[str]) -> dict[str, set[str]]:
    """Return what each person may be called: the person, the subject as written, with and without the database."""
    found: dict[str, set[str]] = {}
    for clip, person in zip(ids, persons, strict=True):
        database, subject, _ = clip.split("/", 2)
        names = (person, subject, f"{database}{subject}", f"{database}:{subject}")
        found.setdefault(person, set()).update(map(_plain, names))
    return found


def _plain(name: str) -> str:
    """Spell a name so that case, signs and leading zeros do not matter.

    Examples
    --------
    >>> _plain("SAMM_006"), _plain("samm:6"), _plain("s01")
    ('samm6', 'samm6', 's1')
    """
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[^0-9a-z]+", "", name.casefold()))


def _by_person(listed: Mapping[str, Source], names: Mapping[str, set[str]]) -> dict[str, Source]:
    """Give every person one checkpoint, or raise."""
    found: dict[str, list[str]] = {person: [] for person in names}
    unclear = []
    for key in listed:
        owners = _owners(key, names)
        if len(owners) == 1:
            found[owners[0]].append(key)
        else:
            unclear.append(f"{key} ({' or '.join(owners) if owners else 'nobody'})")
    several = [f"{person}: {', '.join(keys)}" for person, keys in found.items() if len(keys) > 1]
    missing = [person for person, keys in found.items() if not keys]
    for what, wrong in (
        ("Checkpoints belong to nobody, or to several people", unclear),
        ("People have several checkpoints", several),
        ("People have no checkpoint", missing),
    ):
        if wrong:
            raise UsageError(
                what,
                expected="one file for each of " + _some(list(found)),
                found=_some(wrong),
                mend="name the files after the subjects, or give a mapping from person to file",
            )
    return {person: listed[keys[0]] for person, keys in found.items()}


def _owners(key: str, names: Mapping[str, set[str]]) -> list[str]:
    """Return whose checkpoint this is: by its whole name first, then by the words of its path."""
    whole = {_plain(key), _plain(key.rpartition("/")[2])}
    owners = [person for person, own in names.items() if own & whole]
    words = {_plain(word) for word in re.split(r"[^0-9A-Za-z]+", key)}
    return owners or [person for person, own in names.items() if own & words]


def _network(preset: Preset, classes: int, overrides: dict[str, Any], source: Source, person: str) -> nn.Module:
    network = build(preset.model, preset.name, num_classes=classes, **overrides)
    weights: Mapping[str, Tensor] = source if isinstance(source, Mapping) else read_checkpoint(source)
    try:
        load_published(network, weights)
    except ModelError as error:
        error.where = f"the checkpoint of {person}" + ("" if isinstance(source, Mapping) else f": {source}")
        raise
    return attach(network, preset.input).eval()


def _chances(network: nn.Module, images: NDArray[Any], preset: Preset, device: str) -> NDArray[np.float64]:
    import torch

    with torch.no_grad():
        parts = torch.split(torch.from_numpy(images).to(device), seen_at_once(preset.input))
        found = torch.cat([network(part).double().softmax(dim=1).cpu() for part in parts])
    return cast("NDArray[np.float64]", found.numpy())


def _table(clips: Clips, classes: tuple[str, ...], chances: NDArray[np.float64]) -> pd.DataFrame:
    about = {"id": clips.ids, "person": clips.persons, "database": clips.databases}
    said = {"truth": [classes[c] for c in clips.labels], "prediction": [classes[c] for c in chances.argmax(axis=1)]}
    return pd.DataFrame(about | said | {f"probability_{name}": chances[:, c] for c, name in enumerate(classes)})


def _published(model: str, scheme: str, scored: dict[str, Any]) -> tuple[tuple[PublishedResult, ...], list[str]]:
    full = scored["full"]
    tables, notes = tables_beside("loso", scheme, list(scored["databases"]), clips=full["n"], persons=full["persons"])
    rows = tuple(row for table in tables.values() for row in table.of_model(model) if row.full.uf1 is not None)
    return rows, notes


def _told_selection(rows: Iterable[PublishedResult]) -> str:
    known = {str(row.selection) for row in rows} - {"unknown"}
    return known.pop() if len(known) == 1 else "unknown"


def _notes(selection: str) -> list[str]:
    notes = [
        "that no checkpoint was trained on the person it predicts is its publishers' word: a file does not show it"
    ]
    if selection == "test-oracle":
        notes.append("optimistic: the epoch of each checkpoint was chosen on the very person that it predicts")
    if selection == "unknown":
        notes.append("how the epoch of each checkpoint was chosen is not known: the score may be optimistic")
    return notes


def _some(words: list[str]) -> str:
    return ", ".join(words[:_MOST]) + (f" and {len(words) - _MOST} more" if len(words) > _MOST else "")
