"""Gives the clips of a feature file to other programs: tables, NumPy archives, the folders of published scripts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from merprep.errors import UsageError
from merprep.labels import LabelScheme, scheme
from merprep.records import Outcome, StageReport
from merprep.store import FeatureFile, open_features
from merprep.store.whole import sweep

if TYPE_CHECKING:
    from merprep.store import Workspace

Target = Literal["csv", "npz", "htnet-folders"]
TARGETS: tuple[Target, ...] = ("csv", "npz", "htnet-folders")
# What leaves with the features: who, what and when. No path, and no note, which may hold one.
COLUMNS = (
    "id", "database", "subject", "clip", "person", "variant", "onset", "apex", "offset", "fps", "emotion",
    "action_units", "objective_class", "apex_source",
)  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """An open feature file and what a scheme calls its clips.

    `table` has one row a clip in the order of the arrays: the columns of `COLUMNS`, ``label`` (-1 without one),
    ``class`` and ``reason`` (why there is no label).
    """

    file: FeatureFile
    scheme: LabelScheme
    table: pd.DataFrame

    @classmethod
    def of(cls, file: FeatureFile, labelling: LabelScheme) -> Labelled:
        """Label the clips of an open file."""
        table = file.clips[list(COLUMNS)].reset_index(drop=True).copy()
        clips = file.records()
        found = [labelling.label(clip) for clip in clips]
        table["label"] = [-1 if label is None else label for label in found]
        table["class"] = ["" if label is None else labelling.classes[label] for label in found]
        table["reason"] = [labelling.reason(clip) for clip in clips]
        return cls(file, labelling, table)


def export(
    features: str | Path, to: Target, out: str | Path | None = None, *, scheme_name: str | int = 3, workspace: Workspace
) -> tuple[Path, StageReport]:
    """Write the clips of a feature file in another form.

    Parameters
    ----------
    features : path-like
        A feature file.
    to : str
        ``csv``: a folder with ``clips.csv`` and ``features.csv`` (one row a clip, columns ``u_3_5`` for channel, row
        and column). ``npz``: one NumPy archive that opens without pickle (``X, y, groups, ids, ...``).
        ``htnet-folders``: the maps and the folders of HTNet's and STSTNet's scripts, one fold a person.
    out : path-like, optional
        Where to; None is ``exports/`` in the workspace.
    scheme_name : str or int
        The label scheme. Clips without a label stay in ``csv`` and ``npz`` (label -1), and are left out of
        ``htnet-folders``, with their reason.
    workspace : Workspace

    Returns
    -------
    (Path, StageReport)

    Raises
    ------
    UsageError
        Where `to` is unknown.
    StoreError
        Where the file cannot be read, or the target cannot be written.

    Examples
    --------
    >>> export("features/flow-3f9a12c4.h5", "npz", workspace=Workspace("study"))  # doctest: +SKIP
    """
    from merprep.stages import export_htnet, export_tables

    if to not in TARGETS:
        raise UsageError("There is no such form to export to", found=str(to), expected=", ".join(TARGETS))
    began = time.perf_counter()
    suffix = ".npz" if to == "npz" else ""
    target = Path(out) if out else workspace.folder / "exports" / f"{Path(features).stem}-{to}{suffix}"
    sweep([target.parent, target])
    with open_features(features) as file:
        labelled = Labelled.of(file, scheme(scheme_name))
        writer = {"csv": export_tables.write_csv, "npz": export_tables.write_npz, "htnet-folders": export_htnet.write}
        skipped = writer[to](labelled, target)
        outcomes = tuple(
            Outcome(clip, "skipped" if clip in skipped else "done", skipped.get(clip, ""))
            for clip in labelled.table["id"]
        )
    seconds = time.perf_counter() - began
    return target, StageReport(f"export {to}", outcomes, seconds=seconds, outputs=(str(target),))
