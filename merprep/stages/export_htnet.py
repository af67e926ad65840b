"""Exports maps as the folders that the published HTNet and STSTNet scripts read, one fold a person.

::

    STSNet_whole_norm_u_v_os/<subject>_<clip> .png            every map once
    combined_3_class2_for_optical_flow.csv                    the list: dataset, sub, filename_o, label, ...
    three_norm_u_v_os/<subject>/u_train/<label>/<subject>_<clip> .png
    three_norm_u_v_os/<subject>/u_test/<label>/<subject>_<clip> .png

Maps are 28 by 28 PNG files of 8 bits with R=u, G=v, B=strain, each channel of each clip stretched from its least value
(0) to its largest (255); the blank before ``.png`` is in the published names too. `merprep import htnet-features` reads
the folder back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merprep.errors import ModelError, StoreError
from merprep.stages.export_tables import spreadsheet_table
from merprep.stages.imports import CSV_NAME, MAPS_FOLDER, NORMALISATION
from merprep.store import written_whole

if TYPE_CHECKING:
    from merprep.stages.exports import Labelled

FOLDS_FOLDER = "three_norm_u_v_os"
_CHANNELS = ("u", "v", "strain")
_SIZE = 28


def write(labelled: Labelled, folder: Path) -> dict[str, str]:
    """Write the maps, the list and one fold a person into a new or empty folder.

    Returns
    -------
    dict of str to str
        By the id of a clip that has no label: the reason.

    Raises
    ------
    ModelError
        Where the features are not what those scripts read (u, v and strain at 28 by 28).
    StoreError
        Where the folder holds something already.
    """
    _check(labelled, folder)
    kept = labelled.table[labelled.table["label"] >= 0].copy()
    kept["name"] = [f"{subject}_{clip} .png" for subject, clip in zip(kept["subject"], kept["clip"], strict=True)]
    kept["fold"] = _fold_names(kept)
    _refuse_twins(kept)
    with written_whole(folder) as temporary:
        _write_maps(labelled, kept, temporary)
        _write_list(kept, temporary / CSV_NAME)
    left = labelled.table[labelled.table["label"] < 0]
    return dict(zip(left["id"], left["reason"], strict=True))


def _check(labelled: Labelled, folder: Path) -> None:
    shape = tuple(labelled.file.features.shape[-2:])
    missing = [name for name in _CHANNELS if name not in labelled.file.channels]
    if missing or shape != (_SIZE, _SIZE):
        raise ModelError(
            "These features do not fit the published scripts",
            where=str(labelled.file.path),
            expected=f"channels {', '.join(_CHANNELS)} at {_SIZE} by {_SIZE}",
            found=f"channels {', '.join(labelled.file.channels)} at {shape[0]} by {shape[1]}",
            mend=f"run `merprep flow --size {_SIZE}` with these channels, or export to npz",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(
            "The folder to export to holds something already",
            where=str(folder),
            mend="remove it, or name another with --out: stale clips in a fold would be trained on",
        )


def _fold_names(kept: pd.DataFrame) -> list[str]:
    """Name each person's fold after the subject, and after the database too where two persons share a name."""
    first = kept.drop_duplicates("person").set_index("person")
    shared = first["subject"].duplicated(keep=False)
    names = {
        person: f"{row.database}_{row.subject}" if shared[person] else str(row.subject)
        for person, row in zip(first.index, first.itertuples(), strict=True)
    }
    return [names[person] for person in kept["person"]]


def _refuse_twins(kept: pd.DataFrame) -> None:
    twins = kept.loc[kept["name"].duplicated(keep=False), "id"].tolist()
    if twins:
        raise StoreError(
            "Two clips would have the same file name in the published layout",
            found=", ".join(twins[:6]),
            mend="export the databases one by one, or export to npz",
        )


def _encoded(labelled: Labelled, kept: pd.DataFrame) -> Iterator[tuple[str, bytes]]:
    import cv2

    order = [labelled.file.channels.index(name) for name in _CHANNELS]
    stretched = labelled.file.normalisation == NORMALISATION
    for index, name in zip(kept.index, kept["name"], strict=True):
        maps = np.asarray(labelled.file.features[index], np.float32)[order]
        levels = np.rint(maps).astype(np.uint8) if stretched else to_levels(maps)
        # OpenCV writes blue first: strain, v, u.
        yield name, cv2.imencode(".png", np.ascontiguousarray(levels[::-1].transpose(1, 2, 0)))[1].tobytes()


def to_levels(maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Stretch each channel from its least value (0) to its largest (255); a flat channel becomes 0.

    Parameters
    ----------
    maps : (C, H, W) float32

    Returns
    -------
    (C, H, W) uint8

    Examples
    --------
    >>> to_levels(np.array([[[-1.0, 0.0, 1.0]]], np.float32)).ravel().tolist()
    [0, 128, 255]
    """
    low = maps.min(axis=(-2, -1), keepdims=True)
    span = maps.max(axis=(-2, -1), keepdims=True) - low
    unit: NDArray[np.float32] = np.divide(maps - low, span, out=np.zeros_like(maps), where=span > 0)
    levels: NDArray[np.uint8] = np.rint(unit * 255).astype(np.uint8)
    return levels


def _write_maps(labelled: Labelled, kept: pd.DataFrame, folder: Path) -> None:
    """Write every map once, and into the training or test side of every fold."""
    for (name, image), row in zip(_encoded(labelled, kept), kept.itertuples(), strict=True):
        _write_bytes(folder / MAPS_FOLDER / name, image)
        for fold in kept["fold"].unique():
            side = "u_test" if row.fold == fold else "u_train"
            _write_bytes(folder / FOLDS_FOLDER / str(fold) / side / str(row.label) / name, image)


def _write_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write_list(kept: pd.DataFrame, path: Path) -> None:
    table = pd.DataFrame(
        {
            "dataset": kept["database"],
            "sub": kept["subject"],
            "filename_o": kept["clip"],
            "label": kept["label"],
            "apex": kept["apex"],
            "imagename": [name.replace(" .png", ".jpg") for name in kept["name"]],
            "sub_filename": "",
        }
    )
    spreadsheet_table(table).to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
