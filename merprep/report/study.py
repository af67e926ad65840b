"""What a report is about: everything that a workspace holds, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from merprep.ordinary import json_of
from merprep.records import Clip
from merprep.report.runs import Run, UnitRun, read_runs
from merprep.store import Manifest, Workspace, open_features, read_manifest_or_empty
from merprep.store.accounts import Entry, read_journal
from merprep.store.checked import Ingested, checked


@dataclass(frozen=True)
class Study:
    """A workspace, as its report sees it.

    Parameters
    ----------
    workspace : Workspace
    manifest : Manifest
        Empty where nothing was ingested.
    imported : bool
        Whether the clips are those of an imported feature file, in place of a manifest.
    ingests : dict
        ``reports/ingest-<database>.json`` by database.
    aligned, features : Path or None
        The feature file that was made last, and the aligned faces that it was made from (or else those made last).
    runs : tuple of Run
        The newest first.
    unit_runs : tuple of UnitRun
        Runs over action units.
    unfinished : tuple of str
        Names of run folders without scores.
    journal : tuple of Entry
        What each run of a stage did and took, in order.
    faces : bool
        Whether pixels of persons may be shown.
    """

    workspace: Workspace
    manifest: Manifest
    imported: bool = False
    ingests: dict[str, dict[str, Any]] = field(default_factory=dict)
    aligned: Path | None = None
    features: Path | None = None
    runs: tuple[Run, ...] = ()
    unit_runs: tuple[UnitRun, ...] = ()
    unfinished: tuple[str, ...] = ()
    journal: tuple[Entry, ...] = ()
    faces: bool = False

    @cached_property
    def by_id(self) -> dict[str, Clip]:
        """The clips of the manifest."""
        return {clip.id: clip for clip in self.manifest.clips}

    @property
    def databases(self) -> list[str]:
        """The databases that were ingested."""
        return sorted({clip.database for clip in self.manifest.clips})

    @property
    def scheme(self) -> str:
        """The label scheme of the newest run, or MEGC2019."""
        return str(self.runs[0].scores.get("scheme", "megc2019")) if self.runs else "megc2019"


def read_study(workspace: Workspace, *, faces: bool = False, features: Path | None = None) -> Study:
    """Read what a workspace holds; whatever is not there yet is left empty.

    Parameters
    ----------
    workspace : Workspace
    faces : bool
        Whether pixels of persons may be shown.
    features : Path, optional
        The feature file to show; the one that was made last where None.

    Raises
    ------
    StoreError
        Where a file is there but damaged.
    """
    manifest = read_manifest_or_empty(workspace)
    runs = read_runs(workspace)
    if features is None and workspace.feature_files():
        features = workspace.latest_features()
    imported = not manifest.clips and features is not None
    return Study(
        workspace=workspace,
        manifest=_clips_of(features) if imported and features else manifest,
        imported=imported,
        ingests={name: _ingest_report(workspace, name) for name in manifest.sources},
        aligned=_aligned_of(workspace, features),
        features=features,
        runs=runs.whole,
        unit_runs=runs.units,
        unfinished=runs.unfinished,
        journal=read_journal(workspace),
        faces=faces,
    )


def _clips_of(features: Path) -> Manifest:
    with open_features(features) as file:
        return Manifest(tuple(file.records()))


def _aligned_of(workspace: Workspace, features: Path | None) -> Path | None:
    """Return the file of aligned faces that the features were made from, or else the one that was made last."""
    if features is not None:
        with open_features(features) as file:
            source = workspace.aligned_path(str(file.inputs.get("aligned", "none")))
        if source.is_file():
            return source
    return next((path for path in workspace.aligned_files() if path.name.startswith("aligned-")), None)


def _ingest_report(workspace: Workspace, database: str) -> dict[str, Any]:
    try:
        return checked(json_of(workspace.reports / f"ingest-{database}.json"), Ingested)
    except (OSError, ValueError):
        return {}
