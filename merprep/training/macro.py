"""Clips of macro-expressions, or a folder of labelled faces, as a network's first stage sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ModelError, TrainingError
from merprep.models.presets import InputSpec
from merprep.ordinary import open_ordinary
from merprep.records import Clip
from merprep.store.workspace import Workspace
from merprep.training.dataset import Labelling
from merprep.training.pictures import coloured
from merprep.training.sources import Source, newest_source, open_source

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Macros:
    """What the first stage learns from.

    `images` as `Clips.images` has them, `labels` (N,) int64; a person is an empty text where nobody knows who it is.
    """

    images: NDArray[Any]
    labels: NDArray[np.int64]
    persons: list[str]
    ids: list[str]
    classes: tuple[str, ...]
    source: str
    scheme: str = ""
    notes: tuple[str, ...] = ()


def read_macros(path: str | Path, spec: InputSpec, scheme: Labelling | None = None) -> Macros:
    """Read labelled macro-expressions.

    Parameters
    ----------
    path : path-like
        A file of aligned faces (or a feature file, for a network that sees maps), a workspace, whose newest such file
        is taken, or a folder with one subfolder of face pictures a class.
    spec : InputSpec
        What the network sees.
    scheme : label scheme, optional
        Gives the classes; None takes the emotions as they were annotated. It is asked as if the clips were
        micro-expressions.

    Raises
    ------
    TrainingError
        Where there are no labelled clips, or all are of one class.
    StoreError, ModelError
        Where the file does not fit.
    """
    place = Path(path)
    if place.is_dir() and not Workspace(place).manifest_path.is_file():
        found = _of_folder(place, spec)
    else:
        file = newest_source(Workspace(place), spec) if place.is_dir() else place
        found = _of_clips(file, spec, scheme)
    if len(set(found.labels.tolist())) < 2:
        raise TrainingError(
            "The macro-expressions are of fewer than two classes",
            where=found.source,
            found=", ".join(found.classes) or "none",
            mend="choose another set, or another scheme (--pretrain-scheme)",
        )
    return found


def _of_clips(path: Path, spec: InputSpec, scheme: Labelling | None) -> Macros:
    source = open_source(path, spec)
    try:
        macro = [clip.variant == "macro" for clip in source.clips]
        wanted = [row for row, is_macro in enumerate(macro) if is_macro or not any(macro)]
        labels, reasons = _labelled(source, wanted, scheme)
        if not labels:
            raise TrainingError(
                "No macro-expression has a label",
                where=str(path),
                found="; ".join(f"{count} clips: {reason}" for reason, count in reasons.items()),
                mend="choose a scheme with --pretrain-scheme, for example objective-7, which needs action units only",
            )
        rows = list(labels)
        classes = tuple(sorted(set(labels.values()))) if scheme is None else scheme.classes
        notes = [f"{count} clips were not pretrained on: {reason}" for reason, count in reasons.items()]
        if not any(macro):
            notes.append("no clip of the first stage is marked as a macro-expression: all of them were taken")
        clips = [source.clips[row] for row in rows]
        numbers = np.array([classes.index(labels[row]) for row in rows], np.int64)
        return Macros(
            source.read(rows), numbers, [clip.person for clip in clips], [clip.id for clip in clips], classes,
            path.name, "" if scheme is None else scheme.name, tuple(notes),
        )  # fmt: skip
    finally:
        source.close()


def _labelled(source: Source, rows: Iterable[int], scheme: Labelling | None) -> tuple[dict[int, str], Counter[str]]:
    labels: dict[int, str] = {}
    reasons: Counter[str] = Counter()
    for row in rows:
        clip = source.clips[row]
        label, reason = _label(clip, scheme)
        reason = reason or source.lack(clip)
        if reason:
            reasons[reason] += 1
        else:
            labels[row] = label
    return labels, reasons


def _label(clip: Clip, scheme: Labelling | None) -> tuple[str, str]:
    if scheme is None:
        emotion = clip.emotion.strip().lower()
        return emotion, "" if emotion else "no emotion is annotated"
    asked = replace(clip, variant="")
    number = scheme.label(asked)
    return ("", scheme.reason(asked)) if number is None else (scheme.classes[number], "")


def _of_folder(folder: Path, spec: InputSpec) -> Macros:
    if not spec.is_picture or spec.normalisation == "onset-difference" or spec.sampling == "random":
        raise ModelError(
            "A folder of pictures cannot stand for what this network sees",
            where=str(folder),
            found=f"{spec.representation}, {spec.normalisation}, {spec.sampling}",
            mend="pretrain on clips: a workspace, or its file",
        )
    classes = tuple(sorted(below.name for below in folder.iterdir() if below.is_dir() and _pictures(below)))
    files = [(file, number) for number, name in enumerate(classes) for file in _pictures(folder / name)]
    if not files:
        raise TrainingError(
            "The folder holds no labelled pictures",
            where=str(folder),
            expected="one subfolder a class, with " + ", ".join(_PICTURES),
            mend="check the name, or name a workspace",
        )
    note = "who is on the pictures of the first stage is not known: make sure that nobody is in the target set too"
    return Macros(
        np.stack([_picture(file, spec) for file, _ in files]),
        np.array([number for _, number in files], np.int64),
        [""] * len(files),
        [f"{classes[number]}/{file.name}" for file, number in files],
        classes,
        folder.name,
        notes=(note,),
    )


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _PICTURES)


def _picture(path: Path, spec: InputSpec) -> NDArray[np.uint8]:
    """Read one picture as (C, S, S), or as a clip that keeps still."""
    from PIL import Image, UnidentifiedImageError

    try:
        with open_ordinary(path) as stream, Image.open(stream) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise TrainingError(
            f"A picture cannot be read: {error}", where=str(path), mend="remove it or convert it to PNG"
        ) from error
    found = coloured(pixels[np.newaxis, ..., ::-1], spec, spec.train_size or spec.size)
    return np.repeat(found, spec.frames + 2, axis=1) if spec.frames else found[:, 0]
